/**
 * Decides whether a wait begins with polling. A sleeping process costs 5 to 100 us to wake, a turn of the
 * event loop about 1 us: while messages follow each other closely, looking again for a moment is faster
 * than sleeping. An idle queue is never polled.
 */
import { native } from '../binding.js'
import { lookAtClock } from './fairness.js'

/** How long to poll before sleeping: about what a sleep and wake across CPUs cost. bench/one-to-one, 2026-11. */
const budgetMs = 0.2
/**
 * After a sleep shorter than this polling is worth a try: most of it may have been waking up, or the least that a timer
 * sleeps, 1 ms, where no descriptor tells (a FIFO without room for a large message). bench/one-to-one, 2026-11.
 */
const shortSleepMs = 2
/** After many polls in vain, as when both ends share a CPU, so many short sleeps pass before the next try. */
const mostSkips = 16
/** A yield that takes longer has run something else in between. */
const switchMs = 0.0015

/** How long a call that returns a promise may try again before it returns: about what making it wait costs. */
export const insistAsyncMs = 0.01
/** How long a call that blocks anyway tries again before it sleeps. bench/one-to-one, 2026-11. */
export const insistSyncMs = 0.05

/** Before looking: the other end may want this very CPU. */
export const giveWay = native.yieldProcessor

export class AdaptivePoll {
  #credit = false
  #skips = 0
  #penalty = 1
  #since = 0

  /** Whether a wait that begins now is likely to be over in a moment. */
  get pays(): boolean {
    return this.#credit
  }

  /**
   * Tries again, for a moment and without leaving the call, where that has paid: what `attempt` returned. `look`
   * tells more cheaply than a try whether one may be worth it; `undefined` when it cannot.
   */
  insist<R>(
    nothing: R,
    attempt: () => R,
    longestMs: number,
    look?: (milliseconds: number) => boolean | undefined,
  ): R {
    if (!this.#credit) return nothing
    const came = look?.(longestMs)
    if (came === true) {
      const result = attempt()
      if (result !== nothing) {
        this.hit()
        return result
      }
    }
    if (came === false) return nothing
    const start = performance.now()
    for (let before = start; ; ) {
      giveWay()
      const result = attempt()
      const now = performance.now()
      const switched = now - before > switchMs
      if (switched) lookAtClock()
      if (result !== nothing) {
        this.hit()
        return result
      }
      // Who had the CPU in between and brought nothing will not do so in a moment; sleeping hands it over as well.
      if (switched || now - start >= longestMs) return nothing
      before = now
    }
  }

  /** A wait begins: true when it should poll. */
  begin(): boolean {
    this.#since = performance.now()
    return this.#credit
  }

  /** A wait begins that cannot poll, or has. */
  sleeps(): void {
    if (this.#credit) this.miss()
    else this.#since = performance.now()
  }

  /** While polling, when nothing was found: whether to look again in the next turn of the loop. */
  goesOn(): boolean {
    return performance.now() - this.#since < budgetMs
  }

  /** Polling found something. */
  hit(): void {
    this.#penalty = 1
  }

  /** Polling found nothing, and the wait goes on asleep. */
  miss(): void {
    this.#credit = false
    this.#skips = this.#penalty
    this.#penalty = Math.min(this.#penalty * 2, mostSkips)
    this.#since = performance.now()
  }

  /** A sleep has ended. */
  woken(): void {
    if (performance.now() - this.#since > shortSleepMs) {
      this.#credit = false
    } else if (this.#skips > 0) {
      this.#skips--
    } else {
      this.#credit = true
    }
  }
}
