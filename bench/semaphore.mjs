// What taking a permit of a free semaphore and giving it back costs, against the same calls in C. Nobody waits: this
// is the price of a lock that is rarely contended.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Semaphore } from 'ipckit/posix'
import { SemaphoreSet } from 'ipckit/sysv'
import { isWanted, rounds, scale } from './support/options.mjs'
import { attempt, describe, report } from './support/report.mjs'
import { alternate, spread } from './support/statistics.mjs'
import { compilePeer } from './support/twins.mjs'

/** Nanoseconds of one pair. */
async function time(times, run) {
  const begin = process.hrtime.bigint()
  await run(times)
  return Number(process.hrtime.bigint() - begin) / times
}

function tryPairs(semaphore) {
  return (times) => {
    for (let i = 0; i < times; i++) semaphore.tryAcquire().release()
  }
}

function asyncPairs(semaphore) {
  return async (times) => {
    for (let i = 0; i < times; i++) (await semaphore.acquire()).release()
  }
}

class Twin {
  #child
  #lines

  constructor(...args) {
    this.#child = spawn(compilePeer('semaphore'), args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#child.stdout })
  }

  async measure(times) {
    const answer = once(this.#lines, 'line')
    this.#child.stdin.write(`${times}\n`)
    return Number((await answer)[0])
  }

  end() {
    this.#child.stdin.end()
  }
}

async function compare(kind, semaphore, twin, times, bars) {
  for (const [way, run] of Object.entries({
    tryAcquire: tryPairs(semaphore),
    acquire: asyncPairs(semaphore),
  })) {
    const title = `${kind} ${way} and release`
    if (!isWanted(title)) continue
    await attempt(title, async () => {
      const [node, c] = await alternate(
        [() => time(times, run), () => twin.measure(times)],
        rounds,
        (contestant) => contestant(),
      )
      const [ours, theirs] = [spread(node), spread(c)]
      const ratio = theirs.median / ours.median
      const details = `Node ${describe(ours, 'ns')}, C ${describe(theirs, 'ns')}, ${ratio.toFixed(2)} of C's rate`
      const { unit, value, bar } = bars(way, ours.median, ratio)
      report({ title, unit, value, bar, details })
    })
  }
}

const name = `/ipckit-bench-${process.pid}`
const posix = Semaphore.create(name)
const posixTwin = new Twin('posix', name)
const sysv = SemaphoreSet.create('private')
const sysvTwin = new Twin('sysv', String(sysv.stat().id))
try {
  await compare('posix', posix, posixTwin, 300_000 * scale, (way, nanoseconds) => ({
    ...{ unit: ' ns', value: nanoseconds, bar: way === 'tryAcquire' ? { most: 250 } : undefined },
  }))
  await compare('sysv', sysv, sysvTwin, 60_000 * scale, (way, _, ratio) => ({
    ...{ unit: '', value: ratio, bar: way === 'tryAcquire' ? { least: 0.5 } : undefined },
  }))
} finally {
  for (const twin of [posixTwin, sysvTwin]) twin.end()
  for (const semaphore of [posix, sysv]) {
    semaphore.unlink()
    await semaphore.close()
  }
}
