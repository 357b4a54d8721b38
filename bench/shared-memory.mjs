// What a field of shared memory costs: through a view of a struct, through plain typed arrays over the same memory, and
// in C; and an atomic add, through the addon, through JavaScript's own Atomics, and in C. Nanoseconds, each figure from
// a process of its own. A round reads two numbers and writes two.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { array, f64, i32, offsetOf, struct, u32 } from 'ipckit'
import { SharedMemory } from 'ipckit/posix'
import { names, rounds } from './support/options.mjs'
import { attempt, report } from './support/report.mjs'
import { alternate, median, spread } from './support/statistics.mjs'

const record = struct({ id: i32, px: f64, qty: u32, high: f64, hits: u32 })
const records = array(record, 256)
const name = `/ipckit-bench-${process.ppid}`

const subjects = {
  view(memory) {
    const views = Array.from(memory.view(records))
    return (count) => {
      for (let i = 0; i < count; i++) {
        const at = views[i & 255]
        at.px += at.high
        at.id = i
      }
    }
  },
  array(memory) {
    const all = memory.view(records)
    return (count) => {
      for (let i = 0; i < count; i++) {
        const at = all.get(i & 255)
        at.px += at.high
        at.id = i
      }
    }
  },
  typed(memory) {
    const doubles = new Float64Array(memory.arrayBuffer)
    const ints = new Int32Array(memory.arrayBuffer)
    return (count) => {
      for (let i = 0; i < count; i++) {
        const at = (i & 255) * 5
        doubles[at + 1] += doubles[at + 3]
        ints[at * 2] = i
      }
    }
  },
  atomic(memory) {
    const hits = memory.atomic(u32, offsetOf(record, 'hits'))
    return (count) => {
      for (let i = 0; i < count; i++) hits.add(1)
    }
  },
  atomics(memory) {
    const words = new Uint32Array(memory.arrayBuffer)
    const at = offsetOf(record, 'hits') / 4
    return (count) => {
      for (let i = 0; i < count; i++) Atomics.add(words, at, 1)
    }
  },
}

/** Nanoseconds of one round, the median of nine times about 20 ms after as much to warm up. */
function time(run) {
  const perRound = (count) => {
    const begin = process.hrtime.bigint()
    run(count)
    return Number(process.hrtime.bigint() - begin) / count
  }
  for (let i = 0; i < 20; i++) perRound(20_000)
  const count = Math.ceil(2e7 / perRound(100_000))
  return median(Array.from({ length: 9 }, () => perRound(count)))
}

function measure(subject) {
  return time(subjects[subject](SharedMemory.open(process.env.IPCKIT_BENCH_MEMORY)))
}

function child(command, args) {
  const env = { ...process.env, IPCKIT_BENCH_MEMORY: name }
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

async function compare() {
  const folder = mkdtempSync(join(tmpdir(), 'ipckit-bench-'))
  const memory = SharedMemory.create(name, { sizeBytes: records.size })
  try {
    const twin = join(folder, 'fields')
    const source = join(import.meta.dirname, 'peers/fields.c')
    execFileSync('gcc', ['-O2', '-std=gnu11', '-o', twin, source, '-lrt'])
    const all = [...Object.keys(subjects), 'c']
    const start = (subject) =>
      subject === 'c' ? child(twin, [name]) : child(process.execPath, [import.meta.filename, subject])
    const results = await alternate(all, rounds, start)
    const of = (subject, part) =>
      spread(results[all.indexOf(subject)].map((each) => (part === undefined ? each : each[part])))
    const show = ({ median: middle, min, max }) =>
      `${middle.toFixed(2)} ns [${min.toFixed(2)} - ${max.toFixed(2)}]`
    const line = (title, one, other, names, bar) =>
      report({
        title,
        value: one.median / other.median,
        bar,
        details: `${names[0]} ${show(one)}, ${names[1]} ${show(other)}`,
      })
    const bar = { most: 3 }
    line('fields of views / typed arrays', of('view'), of('typed'), ['views', 'typed arrays'], bar)
    line('array of structs / typed arrays', of('array'), of('typed'), ['get(i)', 'typed arrays'])
    line('fields of views / C', of('view'), of('c', 'fields'), ['views', 'C'])
    line('atomic add / C', of('atomic'), of('c', 'atomic'), ['memory.atomic', 'C'])
    line('Atomics of JavaScript / C', of('atomics'), of('c', 'atomic'), ['Atomics.add', 'C'])
  } finally {
    memory.unlink()
    memory.close()
    rmSync(folder, { recursive: true })
  }
}

if (names[0] === undefined) await attempt('shared-memory', compare)
else console.log(JSON.stringify(measure(names[0])))
