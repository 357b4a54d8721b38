// Locks and semaphores in shared memory: what a free lock costs, against the C library and two packages that Node
// programs use for it; how fast one process hands over to another that waits, against futex(2); and what is left of that
// when many contend.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Lock, Semaphore } from 'ipckit/sync'
import { isWanted, rounds, scale } from './support/options.mjs'
import { onOneCpu } from './support/placement.mjs'
import { attempt, describe, report } from './support/report.mjs'
import { install, rival } from './support/rivals.mjs'
import { alternate, spread } from './support/statistics.mjs'
import { compilePeer } from './support/twins.mjs'

const peer = join(import.meta.dirname, 'peers/sync.mjs')
let names = 0
const newName = () => `/ipckit-bench-sync-${process.pid}-${names++}`

/** A process that does something so often when it is told a number, and answers with a line. */
class Helper {
  #child
  #lines

  constructor(command, ...args) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  begin(times) {
    this.#child.stdin.write(`${Math.ceil(times)}\n`)
  }

  async answer() {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('a helper ended')
    return Number(value)
  }

  async measure(times) {
    this.begin(times)
    return this.answer()
  }

  async end() {
    const gone = once(this.#child, 'exit')
    this.#child.stdin.end()
    await gone
  }
}

/** Nanoseconds of one, of so many. */
async function time(times, run) {
  const begin = process.hrtime.bigint()
  await run(times)
  return Number(process.hrtime.bigint() - begin) / times
}

async function compare(title, ours, theirs, judge) {
  if (!isWanted(title)) return
  await attempt(title, async () => {
    const [mine, other] = await alternate([ours, theirs], rounds, (contestant) => contestant())
    judge(title, spread(mine), spread(other))
  })
}

const slower = (most, name) => (title, ours, theirs) =>
  report({
    title,
    value: ours.median / theirs.median,
    bar: { most },
    details: `Node ${describe(ours, 'ns')}, ${name} ${describe(theirs, 'ns')}`,
  })

const faster = (least, name) => (title, ours, theirs) =>
  report({
    title,
    value: theirs.median / ours.median,
    bar: { least },
    details: `ipckit ${describe(ours, 'ns')}, ${name} ${describe(theirs, 'ns')}`,
  })

const pairs = {
  tryAcquire: (lock) => (times) => {
    for (let round = 0; round < times; round++) lock.tryAcquire().release()
  },
  acquireSync: (lock) => (times) => {
    for (let round = 0; round < times; round++) lock.acquireSync().release()
  },
  acquire: (lock) => async (times) => {
    for (let round = 0; round < times; round++) (await lock.acquire()).release()
  },
}

async function measureFree() {
  const lock = Lock.create(newName())
  try {
    // The two sides never run at the same time. On two CPUs, one of which shares its core with somebody else's work,
    // either would be half as fast for seconds.
    await onOneCpu(() => measureAgainstC(lock))
    await measureRivals(lock)
  } finally {
    lock.unlink()
    await lock.close()
  }
}

async function measureAgainstC(lock) {
  const twin = new Helper(compilePeer('sync', true), 'pairs', lock.name)
  const times = 200_000 * scale
  const inC = () => twin.measure(1_000_000 * scale)
  try {
    for (const way of ['tryAcquire', 'acquireSync']) {
      await compare(`free ${way}`, () => time(times, pairs[way](lock)), inC, slower(5, 'C'))
    }
    await compare(
      'free acquire',
      () => time(times, pairs.acquire(lock)),
      inC,
      (title, ours, theirs) =>
        report({
          title,
          unit: ' us',
          value: ours.median / 1000,
          bar: { most: 2 },
          details: `Node ${describe(ours, 'ns')}, C ${describe(theirs, 'ns')}`,
        }),
    )
  } finally {
    await twin.end()
  }
}

async function measureRivals(lock) {
  if (!isWanted('free proper-lockfile') && !isWanted('free flock')) return
  install()
  const folder = mkdtempSync(join(tmpdir(), 'ipckit-bench-'))
  const file = join(folder, 'file')
  const descriptor = openSync(file, 'w')
  const { flockSync } = rival('fs-ext')
  const lockfile = rival('proper-lockfile')
  try {
    const ours = () => time(50_000 * scale, pairs.acquire(lock))
    await compare(
      'free proper-lockfile',
      ours,
      () =>
        time(30 * scale, async (times) => {
          for (let round = 0; round < times; round++) await (await lockfile.lock(file))()
        }),
      faster(1000, 'proper-lockfile'),
    )
    await compare(
      'free flock',
      () => time(200_000 * scale, pairs.acquireSync(lock)),
      () =>
        time(50_000 * scale, (times) => {
          for (let round = 0; round < times; round++) {
            flockSync(descriptor, 'ex')
            flockSync(descriptor, 'un')
          }
        }),
      faster(5, 'fs-ext'),
    )
  } finally {
    closeSync(descriptor)
    rmSync(folder, { recursive: true })
  }
}

/** Nanoseconds of handing over, which two processes do in turn. */
async function measureHandOver() {
  const futex = new Helper(compilePeer('sync', true), 'futex')
  for (const [way, most] of Object.entries({ sync: 1.3, async: 2 })) {
    const ends = [0, 1].map(() => Semaphore.create(newName(), { value: 0 }))
    const other = new Helper(process.execPath, peer, 'pong', way, ...ends.map(({ name }) => name))
    await other.answer()
    const [theirs, mine] = ends
    const ping = async (times) => {
      other.begin(times)
      for (let round = 0; round < times; round++) {
        theirs.release()
        if (way === 'sync') mine.acquireSync()
        else await mine.acquire()
      }
    }
    const times = Math.ceil(10_000 * scale)
    await compare(
      `handover ${way}`,
      async () => {
        const nanoseconds = await time(times, ping)
        await other.answer()
        return nanoseconds / 2
      },
      () => futex.measure(times),
      slower(most, 'futex'),
    )
    await other.end()
    for (const end of ends) {
      end.unlink()
      await end.close()
    }
  }
  await futex.end()
}

/** Acquisitions a second of so many processes together. */
async function contenders(count, way) {
  const lock = Lock.create(newName())
  const helpers = Array.from(
    { length: count },
    () => new Helper(process.execPath, peer, 'contend', way, lock.name),
  )
  await Promise.all(helpers.map((each) => each.answer()))
  // As much for each process, however many they are: what V8 still compiles is no matter of the lock, and 16 processes
  // do it for long on a few CPUs.
  const warmUp = 160_000 * scale
  await Promise.all(helpers.map((each) => each.measure(warmUp)))
  return {
    async rate() {
      const times = Math.ceil((320_000 * scale) / count)
      const nanoseconds = await time(times * count, () =>
        Promise.all(helpers.map((each) => each.measure(times))),
      )
      return 1e9 / nanoseconds
    },
    async end() {
      await Promise.all(helpers.map((each) => each.end()))
      lock.unlink()
      await lock.close()
    },
  }
}

async function measureContention() {
  for (const way of ['sync', 'async']) {
    const title = `contend ${way}`
    if (!isWanted(title)) continue
    const [many, two] = [await contenders(16, way), await contenders(2, way)]
    await compare(title, many.rate, two.rate, (_, ours, theirs) =>
      report({
        title,
        value: ours.median / theirs.median,
        bar: { least: 0.5 },
        details: `16 processes ${describe(ours, '/s')}, 2 processes ${describe(theirs, '/s')}`,
      }),
    )
    await Promise.all([many.end(), two.end()])
  }
}

await measureFree()
await measureHandOver()
await measureContention()
