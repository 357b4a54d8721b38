// node examples/sync/rate-limit.mjs
// So many calls in any interval, counted over all processes: the times of the last ones stand in a shared array.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { f64 } from 'ipckit'
import { Array as SharedArray } from 'ipckit/sync'

export class RateLimit {
  #times
  #most
  #intervalMs

  /** @param most - how many calls in an interval. */
  constructor(name, most, intervalMs) {
    // The last place says which of the times is the oldest.
    this.#times = SharedArray.openOrCreate(name, f64, most + 1)
    this.#most = most
    this.#intervalMs = intervalMs
  }

  /** Waits for its turn, and tells when that was. Whoever dies with a turn has used it. */
  async take() {
    for (;;) {
      const { now, waitMs } = await this.#times.getLock().run(() => this.#tryTake(Date.now()))
      if (waitMs === 0) return now
      await sleep(waitMs)
    }
  }

  #tryTake(now) {
    const place = this.#times.at(this.#most)
    const due = this.#times.at(place) + this.#intervalMs
    if (due > now) return { now, waitMs: due - now }
    this.#times.set(place, now)
    this.#times.set(this.#most, (place + 1) % this.#most)
    return { now, waitMs: 0 }
  }

  unlink() {
    this.#times.unlink()
  }

  close() {
    return this.#times.close()
  }
}

const limit = new RateLimit('/mails-a-second', 5, 500)
if (process.argv[2] === 'worker') {
  for (let mail = 0; mail < 6; mail++) {
    process.send(await limit.take())
  }
} else {
  const times = []
  const workers = [1, 2].map(() => fork(process.argv[1], ['worker']))
  for (const worker of workers) worker.on('message', (time) => times.push(time))
  await Promise.all(workers.map((worker) => once(worker, 'close')))
  times.sort((a, b) => a - b)
  const isInTime = times.every((time, at) => at < 5 || time - times[at - 5] >= 500)
  console.log(`${times.length} mails, and none too early: ${isInTime}`)
  limit.unlink()
}
await limit.close()
