/**
 * Those who wait for one direction of one descriptor, in the order in which they came: try, and when that would block,
 * stand in line until it may not. Only the oldest is ever tried. Pipes, connections and listeners are served so; lines
 * of messages have more to tell (`receive-line.ts`, `send-line.ts`).
 */
import { copyError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import { insistAsyncMs, insistSyncMs } from './adaptive-poll.js'
import { atOnce } from './fairness.js'
import { checkWait, Pending } from './pending.js'
import { Watch } from './watch.js'

/** What a try returns that would have to wait. */
export const again: unique symbol = Symbol('again')

/** What somebody wants. */
export interface Attempt<A, R = A> {
  /** Takes what there is, without user code. It may do a part, and is called again for the rest. */
  take(): A | typeof again
  /** Makes of it what the caller wants, which may run user code. Left out: it is what the caller wants. */
  finish?(taken: A): R
  /** Changes whenever a part was done. */
  progress?(): number
  /** What was done, for a wait that ends early; `undefined` when that is nothing, and the wait then fails. */
  partly?(): R | undefined
}

/** Where a line waits. */
export interface Source {
  /** What errors call it. */
  readonly address: string
  /** Asks for one call of {@link AttemptLine.onReady}. */
  ask(line: AttemptLine): void
  /** Nobody waits for that call any more. */
  forget(line: AttemptLine): void
  /** The first has come, or the last has gone. */
  waitingChanged(): void
}

class Waiting<R> extends Pending<R> {
  attempt!: Attempt<unknown, R>
}

export class AttemptLine {
  readonly #source: Source
  readonly #action: string
  readonly #line = new Set<Waiting<unknown>>()
  readonly #watch: Watch

  /** `action`, as sentences say it: `read from`. */
  constructor(source: Source, action: string) {
    this.#source = source
    this.#action = action
    this.#watch = new Watch({
      isWaiting: () => this.waiting,
      serve: () => this.#serve(),
      ask: () => source.ask(this),
      forget: () => source.forget(this),
      onFailure: (error) => {
        for (const waiting of [...this.#line]) {
          this.#leave(waiting)
          waiting.reject(copyError(error))
        }
      },
    })
  }

  get waiting(): boolean {
    return this.#line.size > 0
  }

  /** Tries at once, unless others stand in line. */
  try<A, R = A>(attempt: Attempt<A, R>): R | typeof again {
    if (this.#line.size > 0) this.#serve()
    if (this.#line.size > 0) return again
    const taken = attempt.take()
    return taken === again ? again : finished(attempt, taken as A)
  }

  /** Tries, and again for a moment and without leaving the call, where that has paid. */
  soon<A, R = A>(attempt: Attempt<A, R>, longestMs = insistAsyncMs): R | typeof again {
    const result = this.try(attempt)
    if (result !== again || this.#line.size > 0) return result
    return this.#watch.poll.insist<R | typeof again>(again, () => this.try(attempt), longestMs)
  }

  /** Tries until it need not wait. */
  run<A, R = A>(attempt: Attempt<A, R>, options: WaitOptions | undefined, keepsAlive: boolean): Promise<R> {
    checkWait(options)
    const result = this.soon(attempt)
    return result === again ? this.wait(attempt, options, keepsAlive) : atOnce(result as R)
  }

  /** Stands in line, for a caller who has tried. */
  wait<A, R = A>(attempt: Attempt<A, R>, options: WaitOptions | undefined, keepsAlive: boolean): Promise<R> {
    const waiting = new Waiting<R>(
      this.#source.address,
      this.#action,
      options,
      keepsAlive,
      (ending, reason) => this.#onEnd(ending as Waiting<unknown>, reason),
      this.#watch.poll.pays,
    )
    waiting.attempt = attempt as Attempt<unknown, R>
    this.#line.add(waiting as Waiting<unknown>)
    if (this.#line.size === 1) this.#source.waitingChanged()
    this.#watch.begin()
    return waiting.promise
  }

  /**
   * Tries until it need not wait, and blocks the thread in between: `block` returns when trying may be worth it, or
   * throws when the time is up.
   */
  sync<A, R = A>(attempt: Attempt<A, R>, block: () => void): R {
    const { poll } = this.#watch
    try {
      for (;;) {
        const result = this.soon(attempt, insistSyncMs)
        if (result !== again) return result as R
        poll.sleeps()
        block()
        poll.woken()
      }
    } finally {
      // Those who came first go on waiting when this call gives up.
      this.#watch.begin()
    }
  }

  /** Ends a wait that began here; when it has ended already, nothing happens. */
  withdraw(wait: Promise<unknown>, reason: unknown): void {
    for (const waiting of this.#line) if (waiting.promise === wait) this.#onEnd(waiting, reason)
  }

  /** It may be worth trying again. */
  onReady(): void {
    this.#watch.onAnswer()
  }

  ref(): void {
    for (const waiting of this.#line) waiting.ref()
  }

  unref(): void {
    for (const waiting of this.#line) waiting.unref()
  }

  close(reason: () => Error): void {
    for (const waiting of [...this.#line]) this.#end(waiting, reason())
    this.#watch.tidy()
  }

  #head(): Waiting<unknown> | undefined {
    return this.#line.values().next().value
  }

  #serve(): boolean {
    const first = this.#head()
    const before = first?.attempt.progress?.()
    for (let head = first; head !== undefined; head = this.#head()) {
      try {
        const taken = head.attempt.take()
        if (taken === again) break
        // Out of the line before user code can run: what was taken is theirs now.
        this.#leave(head)
        head.resolve(finished(head.attempt, taken))
      } catch (error) {
        this.#leave(head)
        head.reject(error)
      }
    }
    return this.#head() !== first || first?.attempt.progress?.() !== before
  }

  #onEnd(waiting: Waiting<unknown>, reason: unknown): void {
    if (waiting.done) return
    const wasHead = waiting === this.#head()
    this.#end(waiting, reason)
    // What the head did not want, or had no room for, the next may.
    if (wasHead) this.#serve()
  }

  #end(waiting: Waiting<unknown>, reason: unknown): void {
    const partly = waiting.attempt.partly?.()
    this.#leave(waiting)
    if (partly === undefined) waiting.reject(reason)
    else waiting.resolve(partly)
  }

  #leave(waiting: Waiting<unknown>): void {
    if (!this.#line.delete(waiting) || this.#line.size > 0) return
    this.#source.waitingChanged()
    this.#watch.emptied()
  }
}

function finished<A, R>(attempt: Attempt<A, R>, taken: A): R {
  return attempt.finish === undefined ? (taken as unknown as R) : attempt.finish(taken)
}
