/**
 * Those who wait to read from one end of a pipe, or to write into it: in the order in which they came, and only the
 * oldest is ever tried. What `lib/wait/*-line.ts` are for messages, this is for bytes.
 */
import { copyError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import { AdaptivePoll, giveWay, insistAsyncMs } from '../wait/adaptive-poll.js'
import { atOnce } from '../wait/fairness.js'
import { checkWait, Pending } from '../wait/pending.js'

/** What an attempt returns that would have to wait. */
export const again: unique symbol = Symbol('again')

/** One try, which may do a part and be tried again for the rest. */
export interface Attempt<R> {
  (): R | typeof again
  /** What it has done, when it is not tried any more; `undefined` when that is nothing. */
  partly?: () => R | undefined
}

class PendingAttempt<R> extends Pending<R> {
  attempt!: Attempt<R>
}

/** What a line needs to know of its end. */
export interface LineOwner {
  readonly resource: string
  /** Asks for one call of {@link ByteLine.onReady}. */
  ask(line: ByteLine): void
  /** Takes the question back. */
  forget(line: ByteLine): void
  waitingChanged(): void
}

export class ByteLine {
  readonly #owner: LineOwner
  readonly #action: string
  readonly #line = new Set<PendingAttempt<unknown>>()
  readonly #poll = new AdaptivePoll()
  #asked = false
  #polling = false

  /** `action`, as sentences say it: `read from`. */
  constructor(owner: LineOwner, action: string) {
    this.#owner = owner
    this.#action = action
  }

  get waiting(): boolean {
    return this.#line.size > 0
  }

  /** Tries at once, unless others stand in line. */
  try<R>(attempt: Attempt<R>): R | typeof again {
    if (this.#line.size > 0) this.#serve()
    return this.#line.size > 0 ? again : attempt()
  }

  /** Tries until it need not wait. */
  run<R>(attempt: Attempt<R>, options: WaitOptions | undefined, keepsAlive: boolean): Promise<R> {
    checkWait(options)
    let result = this.try(attempt)
    if (result === again && this.#line.size === 0) {
      result = this.#poll.insist<R | typeof again>(again, attempt, insistAsyncMs)
    }
    if (result !== again) return atOnce(result)
    const pending = new PendingAttempt<R>(
      this.#owner.resource,
      this.#action,
      options,
      keepsAlive,
      (ending, reason) => this.#onEnd(ending as PendingAttempt<unknown>, reason),
      this.#poll.pays,
    )
    pending.attempt = attempt
    this.#line.add(pending as PendingAttempt<unknown>)
    this.#owner.waitingChanged()
    this.#wait()
    return pending.promise
  }

  /** It may be worth trying again. */
  onReady(): void {
    this.#asked = false
    this.#poll.woken()
    this.#serve()
    this.#wait()
  }

  ref(): void {
    for (const pending of this.#line) pending.ref()
  }

  unref(): void {
    for (const pending of this.#line) pending.unref()
  }

  close(reason: () => Error): void {
    for (const pending of [...this.#line]) this.#onEnd(pending, reason())
  }

  #serve(): void {
    for (const pending of this.#line) {
      let result: unknown
      try {
        result = pending.attempt()
      } catch (error) {
        this.#leave(pending)
        pending.reject(copyError(error))
        continue
      }
      if (result === again) return
      this.#leave(pending)
      pending.resolve(result)
    }
  }

  /** Begins a wait: awake for a moment where that has paid, then asleep. */
  #wait(): void {
    if (this.#line.size === 0 || this.#asked || this.#polling) return
    if (this.#poll.begin()) {
      this.#polling = true
      setImmediate(this.#look)
    } else {
      this.#ask()
    }
  }

  readonly #look = (): void => {
    const before = this.#head
    const done = before?.attempt.partly?.()
    giveWay()
    this.#serve()
    const found = this.#head !== before || before?.attempt.partly?.() !== done
    if (this.#line.size > 0 && !found && this.#poll.goesOn()) {
      setImmediate(this.#look)
      return
    }
    this.#polling = false
    if (found) {
      this.#poll.hit()
      this.#wait()
    } else {
      this.#poll.miss()
      if (this.#line.size > 0 && !this.#asked) this.#ask()
    }
  }

  get #head(): PendingAttempt<unknown> | undefined {
    return this.#line.values().next().value
  }

  #ask(): void {
    this.#asked = true
    try {
      this.#owner.ask(this)
    } catch (error) {
      this.#asked = false
      for (const pending of [...this.#line]) {
        this.#leave(pending)
        pending.reject(copyError(error))
      }
    }
  }

  #onEnd(pending: PendingAttempt<unknown>, reason: unknown): void {
    if (pending.done) return
    const partly = pending.attempt.partly?.()
    this.#leave(pending)
    if (partly === undefined) pending.reject(reason)
    else pending.resolve(partly)
  }

  #leave(pending: PendingAttempt<unknown>): void {
    this.#line.delete(pending)
    if (this.#line.size > 0) return
    if (this.#asked) {
      this.#asked = false
      this.#owner.forget(this)
    }
    this.#owner.waitingChanged()
  }
}
