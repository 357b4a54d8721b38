// Runs the benchmarks that are named, or all, and ends with a table of what was measured against its bars.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { help, names, optionsHelp } from './support/options.mjs'
import { compilePeer } from './support/twins.mjs'

const benchmarks = {
  'one-to-one': 'messages per second, one producer and one consumer, against C',
  'ping-pong': 'round trip between two waiting processes, against C',
  'many-to-one': 'messages per second, four producers and one consumer, against C',
  rivals: 'messages and objects per second through shared memory, against other packages and node:net',
  'shared-queue': 'leases, many ends and large messages through shared memory',
  connection: 'round trip and messages per second of a connection, against C',
  pipe: 'bytes per second through a pipe in chunks of 64 KiB, streams against C',
  codec: 'struct messages against json, through the codec alone',
  'shared-memory': 'fields and atomic words of shared memory, against typed arrays and C',
  semaphore: 'taking and giving a free semaphore, against C',
  sync: 'locks: free, handed over, and contended, against C, futex(2) and other packages',
  idle: 'what queues with pending gets cost',
  import: "what import 'ipckit' costs",
}

function usage() {
  const list = Object.entries(benchmarks).map(([name, what]) => `  ${name.padEnd(14)}  ${what}`)
  return ['usage: npm run bench -- [OPTION...] [NAME...]', ...list, optionsHelp].join('\n')
}

function limit(path) {
  return readFileSync(`/proc/sys/${path}`, 'utf8').trim()
}

function describeMachine() {
  const [{ model }] = cpus()
  const [load] = loadavg()
  const busy = load > cpus().length / 2 ? ': BUSY, these are not the figures of a quiet machine' : ''
  return [
    `${model}, ${cpus().length} CPUs, load ${load.toFixed(1)}${busy}`,
    `Linux ${release()}, Node ${process.versions.node}, V8 ${process.versions.v8}`,
    `POSIX queues: ${limit('fs/mqueue/msg_max')} messages of ${limit('fs/mqueue/msgsize_max')} B at most; System V queues: ${limit('kernel/msgmnb')} B`,
  ].join('\n')
}

/**
 * What everything that two CPUs share is made of, and what differs from one minute to the next where they are virtual:
 * as far apart as 40 and 180 ns have been seen.
 */
function describeCrossing() {
  if (cpus().length < 2) return
  const { stdout } = spawnSync(compilePeer('line'), { encoding: 'utf8', timeout: 10_000 })
  const nanoseconds = stdout?.trim()
  if (nanoseconds) console.log(`a line of cache goes from one CPU to another in ${nanoseconds} ns`)
}

/** Runs one in a process of its own, so that none is measured with what another has compiled or collected. */
function run(name) {
  const options = process.argv.slice(2).filter((argument) => argument.startsWith('--'))
  const child = spawn(process.execPath, [join(import.meta.dirname, `${name}.mjs`), ...options], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const results = []
  child.on('message', (result) => results.push({ name, ...result }))
  return new Promise((resolve) => child.on('close', (code) => resolve({ name, failed: code !== 0, results })))
}

function summarise(runs) {
  const rows = runs.flatMap(({ results }) => results).filter(({ verdict }) => verdict !== '')
  const columns = rows.map(({ name, title, shown, limit: bar, verdict }) => [
    name,
    title,
    shown,
    bar,
    verdict,
  ])
  const widths = [0, 1, 2, 3].map((at) => Math.max(0, ...columns.map((row) => row[at].length)))
  for (const row of columns) console.log(row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  '))
  const count = (verdict) => rows.filter((row) => row.verdict === verdict).length
  console.log(`${count('PASS')} bars passed, ${count('FAIL')} missed, ${count('BROKEN')} measurements broken`)
}

const unknown = names.filter((name) => !Object.hasOwn(benchmarks, name))
if (help || unknown.length > 0) {
  console.log([...unknown.map((name) => `there is no benchmark ${name}`), usage()].join('\n'))
  process.exit(help ? 0 : 2)
}
console.log(describeMachine())
const runs = []
for (const name of names.length > 0 ? names : Object.keys(benchmarks)) {
  if (!existsSync(join(import.meta.dirname, `${name}.mjs`))) throw new Error(`bench/${name}.mjs is missing`)
  console.log(`\n${name}: ${benchmarks[name]}`)
  describeCrossing()
  runs.push(await run(name))
}
console.log()
describeCrossing()
console.log('\nsummary')
summarise(runs)
const failed = runs.filter((each) => each.failed)
if (failed.length > 0) {
  console.error(`failed: ${failed.map(({ name }) => name).join(', ')}`)
  process.exitCode = 1
}
