/**
 * Those who wait for what comes in on one descriptor, in the order in which they came: try, and when there is
 * nothing, stand in line until there may be. Only the oldest is ever tried.
 */
import { copyError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import { AdaptivePoll, giveWay, insistAsyncMs, insistSyncMs } from '../wait/adaptive-poll.js'
import { atOnce } from '../wait/fairness.js'
import { checkWait, Pending } from '../wait/pending.js'
import { nothing } from '../wait/receive-line.js'

/** Where it comes in. */
export interface Source {
  readonly address: string
  /** Changes whenever something came in, though it may be a part only. */
  readonly progress: number
  /** Asks for one call of {@link TryLine.onArrival}. */
  ask(): void
  /** Nobody waits for that call any more. */
  forget(): void
  /** Blocks the thread until there may be something, at most so long. */
  block(milliseconds: number): void
}

/** Takes what there is, without user code; then makes of it what the caller wants, which may run user code. */
export interface Attempt<A, R> {
  take(): A | typeof nothing
  finish(taken: A): R
}

class Waiting<R> extends Pending<R> {
  attempt!: Attempt<unknown, R>
}

export class TryLine {
  readonly #source: Source
  readonly #action: string
  readonly #waitingChanged: () => void
  readonly #line = new Set<Waiting<unknown>>()
  readonly #poll = new AdaptivePoll()
  #asked = false
  #polling = false
  #tidying = false

  constructor(source: Source, action: string, waitingChanged: () => void) {
    this.#source = source
    this.#action = action
    this.#waitingChanged = waitingChanged
  }

  get waiting(): boolean {
    return this.#line.size > 0
  }

  /** What there is now, unless others wait for it. */
  try<A, R>(attempt: Attempt<A, R>): R | typeof nothing {
    if (this.#line.size > 0) this.#serve()
    if (this.#line.size > 0) return nothing
    const taken = attempt.take()
    return taken === nothing ? nothing : attempt.finish(taken as A)
  }

  wait<A, R>(attempt: Attempt<A, R>, options: WaitOptions | undefined, keepsAlive: boolean): Promise<R> {
    checkWait(options)
    const result = this.#tryForAMoment(attempt, insistAsyncMs)
    if (result !== nothing) return atOnce(result as R)
    const waiting = new Waiting<R>(
      this.#source.address,
      this.#action,
      options,
      keepsAlive,
      (ending, reason) => this.#end(ending as Waiting<unknown>, reason),
      this.#poll.pays,
    )
    waiting.attempt = attempt as Attempt<unknown, R>
    this.#line.add(waiting as Waiting<unknown>)
    if (this.#line.size === 1) {
      this.#waitingChanged()
      this.#wait()
    }
    return waiting.promise
  }

  /** Blocks the thread until there is something; `timeLeft` throws when the time is up. */
  sync<A, R>(attempt: Attempt<A, R>, timeLeft: () => number): R {
    try {
      for (;;) {
        const result = this.#tryForAMoment(attempt, insistSyncMs)
        if (result !== nothing) return result as R
        this.#poll.sleeps()
        this.#source.block(timeLeft())
        this.#poll.woken()
      }
    } finally {
      // Those who came first go on waiting when this call gives up.
      this.#wait()
    }
  }

  /** Ends a wait that began here; when it has ended already, nothing happens. */
  withdraw(wait: Promise<unknown>, reason: unknown): void {
    for (const waiting of this.#line) if (waiting.promise === wait) this.#end(waiting, reason)
  }

  onArrival(): void {
    this.#asked = false
    this.#poll.woken()
    this.#serve()
    this.#wait()
  }

  ref(): void {
    for (const waiting of this.#line) waiting.ref()
  }

  unref(): void {
    for (const waiting of this.#line) waiting.unref()
  }

  close(reason: () => Error): void {
    this.#endAll(reason)
    this.#tidy()
  }

  /** Tries, and again for a moment where that has paid. */
  #tryForAMoment<A, R>(attempt: Attempt<A, R>, longestMs: number): R | typeof nothing {
    const result = this.try(attempt)
    if (result !== nothing || this.#line.size > 0) return result
    return this.#poll.insist<R | typeof nothing>(nothing, () => this.try(attempt), longestMs)
  }

  #serve(): void {
    for (let head = this.#head(); head !== undefined; head = this.#head()) {
      try {
        const taken = head.attempt.take()
        if (taken === nothing) return
        // Out of the line before user code can run: what was taken is theirs now.
        this.#leave(head)
        head.resolve(head.attempt.finish(taken))
      } catch (error) {
        this.#leave(head)
        head.reject(error)
      }
    }
  }

  #head(): Waiting<unknown> | undefined {
    return this.#line.values().next().value
  }

  /** Begins a wait: awake for a moment where that has paid, then asleep. */
  #wait(): void {
    if (this.#line.size === 0 || this.#polling || this.#asked) return
    if (this.#poll.begin()) {
      this.#polling = true
      setImmediate(this.#look)
    } else {
      this.#ask()
    }
  }

  readonly #look = (): void => {
    const before = this.#source.progress
    giveWay()
    this.#serve()
    const found = this.#source.progress !== before
    if (this.#line.size > 0 && !found && this.#poll.goesOn()) {
      setImmediate(this.#look)
      return
    }
    this.#polling = false
    if (found) this.#poll.hit()
    else this.#poll.miss()
    if (!found && this.#line.size > 0) this.#ask()
    else this.#wait()
  }

  #ask(): void {
    if (this.#asked) return
    this.#asked = true
    try {
      this.#source.ask()
    } catch (error) {
      this.#asked = false
      this.#endAll(() => copyError(error))
    }
  }

  #endAll(reason: () => unknown): void {
    for (const waiting of [...this.#line]) {
      this.#leave(waiting)
      waiting.reject(reason())
    }
  }

  #end(waiting: Waiting<unknown>, reason: unknown): void {
    if (waiting.done) return
    const wasHead = waiting === this.#head()
    this.#leave(waiting)
    waiting.reject(reason)
    // What the head did not want, the next may.
    if (wasHead) this.#serve()
  }

  #leave(waiting: Waiting<unknown>): void {
    if (!this.#line.delete(waiting) || this.#line.size > 0) return
    this.#waitingChanged()
    if (this.#tidying) return
    // A call usually follows a call: the question is taken back only when none has come by the next turn.
    this.#tidying = true
    setImmediate(() => this.#tidy())
  }

  #tidy(): void {
    this.#tidying = false
    if (this.#line.size > 0 || !this.#asked) return
    this.#asked = false
    this.#source.forget()
  }
}
