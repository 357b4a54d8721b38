// What `import 'ipckit'` adds to a Node program: time from the start of the process until its first module has
// run, and memory then. Each figure comes from processes of its own, bare and importing in turn.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { rounds } from './support/options.mjs'
import { attempt, report } from './support/report.mjs'
import { alternate, spread } from './support/statistics.mjs'

const programs = ['bare.mjs', 'importing.mjs'].map((name) => join(import.meta.dirname, 'peers', name))
const mebibyte = 1024 * 1024

function start(program) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  const [milliseconds, resident, peak] = stdout.split(' ').map(Number)
  return { milliseconds, resident: resident / mebibyte, peak: peak / mebibyte }
}

function show({ median, min, max }) {
  return `${median.toFixed(1)} [${min.toFixed(1)} - ${max.toFixed(1)}]`
}

await attempt('import', async () => {
  const [bare, importing] = await alternate(programs, rounds * 6, start)
  const figures = [
    { title: 'time', key: 'milliseconds', unit: ' ms', bar: { most: 15 } },
    { title: 'resident memory', key: 'resident', unit: ' MiB', bar: { most: 5 } },
    { title: 'peak memory', key: 'peak', unit: ' MiB' },
  ]
  for (const { title, key, unit, bar } of figures) {
    const [without, having] = [bare, importing].map((results) => spread(results.map((result) => result[key])))
    const value = having.median - without.median
    report({ title, value, unit, bar, details: `bare ${show(without)}, importing ${show(having)}` })
  }
})
