/**
 * Those who wait for operations on one handle of a semaphore, a set of them, a lock or one of its friends: promises,
 * order, timeouts, cancelling, blocking calls. `channel.ts` does the same for messages.
 *
 * Try first; when it would block, stand in line. Who wants the same operation stands in one group, and one thread
 * waits for it. Operations that take from the same semaphore are served in the order in which they were made; others
 * pass, as a process may wait for one semaphore while it holds what another call is about to give. Operations that take
 * from nothing, as waiting for an event, stand by themselves and are served when their own answer comes.
 */
import { closedError, copyError } from '../errors.js'
import type { SyncWaitOptions, WaitOptions } from '../options.js'
import { AdaptivePoll, giveWay, insistAsyncMs, insistSyncMs } from './adaptive-poll.js'
import { checkSyncWait, countdown } from './countdown.js'
import { heeding, heedSignals, hold, letGo, waitForAnswers } from './engine.js'
import { atOnce } from './fairness.js'
import { KeepAlive } from './keep-alive.js'
import { checkWait, Pending } from './pending.js'

/** One operation, which is done as a whole. Equal keys are equal operations. */
export interface Operation {
  readonly key: string
  /** The semaphores that it takes from; none when it only waits for something to happen. */
  readonly takes: readonly number[]
  /** Whether {@link Gate.takeBack} always can take it back: it gives nothing that others may have taken since. */
  readonly returnable: boolean
  /** What was tried, for the sentence of an error, where one line has several. */
  readonly action?: string
}

/** What a line waits at: the semaphores of one handle. */
export interface Gate<O extends Operation> {
  readonly address: string
  /** What is asked for only looks and never does the operation: trying meanwhile is no second try. */
  readonly looksOnly?: boolean
  /** Does it, or returns false when it would have to wait. */
  attempt(operation: O): boolean
  /** Blocks the thread until it is done or may be, at most so long: true when it was done. */
  block(operation: O, milliseconds: number): boolean
  /** Asks for one call of the listener; done once for a key until it has come. */
  ask(operation: O): void
  /** Asks to end what was asked; the listener is still called. */
  forget(operation: O): void
  /** Undoes an operation that a thread did and nobody wants any more. */
  takeBack(operation: O): void
  /** A thread has seen that it may be done, and nobody wants it any more. */
  passOn(operation: O): void
  /** Whether somebody else may let it be done in a moment, so that trying again for a while is worth it. */
  mayCome?(operation: O): boolean
  /** Who wants it by a call that blocked, or stands by itself, goes: true when it was done after all. */
  giveUp?(operation: O): boolean
  /** Nobody wants it any more, and nothing is asked. */
  drop?(operation: O): void
  /** Sets who is told: `done` says that the operation was done itself, `ready` that trying is worth it. */
  listen(listener: (operation: O, answer: 'done' | 'ready' | 'ended', error?: Error) => void): void
  /** Nothing is asked any more and nobody listens. */
  release(): void
}

let arrivals = 0

class PendingOperation<R> extends Pending<R> {
  readonly order = arrivals++
  group!: Group<Operation>
  result!: () => R
  /** Why it is to end, while it is not yet known whether it was done. */
  ending: { reason: unknown } | undefined
}

interface Group<O extends Operation> {
  readonly operation: O
  readonly line: Set<PendingOperation<unknown>>
  /** Whether the gate was asked. */
  asked: boolean
  /** What was asked was asked to end. */
  forgotten: boolean
}

export class OperationLine<O extends Operation> {
  readonly #gate: Gate<O>
  /** What was tried, for the sentence of an error: `acquire`. */
  readonly #action: string
  readonly #groups = new Map<string, Group<O>>()
  #waiters = 0
  #closed = false
  #closing: Promise<void> | undefined
  #whenQuiet: (() => void) | undefined
  readonly #alive = new KeepAlive(() => this.#waiters > 0)
  readonly #poll = new AdaptivePoll()
  #polling = false
  #tidying = false

  constructor(gate: Gate<O>, action: string) {
    this.#gate = gate
    this.#action = action
    gate.listen((operation, answer, error) => this.#onAnswer(operation, answer, error))
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Throws what every method of a closed handle throws. */
  checkOpen(): void {
    if (this.#closed) throw closedError(this.#gate.address)
  }

  /** Does it now, unless it would have to wait, or others wait for what it takes. */
  attempt(operation: O): boolean {
    if ((this.#closed || this.#waiters > 0) && !this.#mayTry(operation)) return false
    return this.#gate.attempt(operation)
  }

  #mayTry(operation: O): boolean {
    this.checkOpen()
    return this.#isFree(operation)
  }

  do<R>(operation: O, result: () => R, options?: WaitOptions): Promise<R> {
    this.checkOpen()
    checkWait(options)
    if (this.#attemptFor(operation, insistAsyncMs)) return atOnce(result())
    return this.#enter(operation, result, options).promise
  }

  /** Something was given back here: those in line need not wait to hear of it from a thread. */
  poke(): void {
    if (this.#waiters > 0 && !this.#closed) this.#serve()
  }

  /** Something happened: neither need those who stand by themselves. */
  pokeAll(): void {
    if (this.#waiters === 0 || this.#closed) return
    this.#try([...this.#groups.values()].filter(({ operation }) => stands(operation)))
    this.#serve()
  }

  doSync(operation: O, options?: SyncWaitOptions): void {
    this.checkOpen()
    checkSyncWait(options)
    if (!this.attemptSync(operation)) this.blockFor(operation, options)
  }

  /** The first half of {@link doSync}: does it now, or says that {@link blockFor} is to follow. */
  attemptSync(operation: O): boolean {
    if (!heeding()) heedSignals()
    return this.attempt(operation)
  }

  /** The other half, for what had to wait when it was tried. */
  blockFor(operation: O, options: SyncWaitOptions | undefined): void {
    if (this.#insist(operation, insistSyncMs)) return
    heedSignals()
    const timeLeft = countdown(this.#gate.address, operation.action ?? this.#action, options)
    try {
      this.#block(operation, timeLeft)
    } catch (error) {
      if (this.#gate.giveUp?.(operation) !== true) throw error
    }
  }

  #block(operation: O, timeLeft: () => number): void {
    for (;;) {
      // While a thread does the same for others, or older ones want what we take, only answers help.
      if (!this.#isFree(operation))
        waitForAnswers(this.#gate.address, operation.action ?? this.#action, timeLeft())
      else {
        this.#poll.sleeps()
        const done = this.#gate.block(operation, timeLeft())
        this.#poll.woken()
        if (done) return
      }
      if (this.#attemptFor(operation, insistSyncMs)) return
    }
  }

  /** Whether looking again for a moment has paid, and may pay now. */
  #mayPoll(operation: O): boolean {
    return this.#poll.pays && this.#gate.mayCome?.(operation) === true
  }

  /** Tries, and again for a moment where that has paid. */
  #attemptFor(operation: O, longestMs: number): boolean {
    return this.attempt(operation) || this.#insist(operation, longestMs)
  }

  /** After a first try: tries again for a moment where that has paid. */
  #insist(operation: O, longestMs: number): boolean {
    if (this.#waiters > 0 || !this.#mayPoll(operation)) return false
    return this.#poll.insist(false, () => this.#gate.attempt(operation), longestMs)
  }

  /** Waits of this handle keep the process alive, as they do unless {@link unref} was called. */
  ref(): void {
    this.#alive.wanted = true
    for (const pending of this.#pending()) pending.ref()
  }

  unref(): void {
    this.#alive.wanted = false
    for (const pending of this.#pending()) pending.unref()
  }

  /** Ends every wait with a {@link ClosedError}; resolves when the last has ended. Closing twice is silent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#closed = true
    for (const pending of [...this.#pending()]) this.#onEnd(pending, closedError(this.#gate.address))
    this.#tidy()
    if (this.#groups.size > 0) {
      const quiet = new Promise<void>((resolve) => {
        this.#whenQuiet = resolve
      })
      // Whoever awaits the end must live to see it: a thread answers in a moment.
      hold()
      await quiet
      this.#whenQuiet = undefined
      letGo()
    }
    this.#gate.release()
  }

  *#pending(): Generator<PendingOperation<unknown>> {
    for (const group of this.#groups.values()) yield* group.line
  }

  #enter<R>(operation: O, result: () => R, options: WaitOptions | undefined): PendingOperation<R> {
    let group = this.#groups.get(operation.key)
    if (group === undefined) {
      group = { operation, line: new Set(), asked: false, forgotten: false }
      this.#groups.set(operation.key, group)
    }
    const pending = new PendingOperation<R>(
      this.#gate.address,
      operation.action ?? this.#action,
      options,
      this.#alive.wanted,
      (ending, reason) => this.#onEnd(ending as PendingOperation<unknown>, reason),
      this.#mayPoll(operation),
    )
    pending.group = group as unknown as Group<Operation>
    pending.result = result
    group.line.add(pending as PendingOperation<unknown>)
    this.#waiters++
    this.#alive.update()
    if (stands(operation)) this.#wait(group)
    else this.#askFirst()
    return pending
  }

  /** Groups in the order of their oldest, without those behind an older one that takes from the same semaphore. */
  #front(): Group<O>[] {
    const groups = [...this.#groups.values()].filter(
      ({ line, operation }) => line.size > 0 && !stands(operation),
    )
    if (groups.length < 2) return groups
    const taken = new Set<number>()
    return groups
      .sort((one, other) => oldest(one).order - oldest(other).order)
      .filter(({ operation: { takes } }) => {
        const free = !takes.some((semaphore) => taken.has(semaphore))
        for (const semaphore of takes) taken.add(semaphore)
        return free
      })
  }

  /** Whether nobody waits for the same, or for what it takes. */
  #isFree(operation: O): boolean {
    if (stands(operation)) return (this.#groups.get(operation.key)?.line.size ?? 0) === 0
    const { key, takes } = operation
    for (const { line, operation: other } of this.#groups.values()) {
      if (line.size === 0) continue
      if (other.key === key || other.takes.some((semaphore) => takes.includes(semaphore))) return false
    }
    return true
  }

  #askFirst(): void {
    for (const group of this.#front()) this.#wait(group)
  }

  /** Begins a wait of a group: awake for a moment where that has paid, then asleep. */
  #wait(group: Group<O>): void {
    if (group.asked || this.#polling) return
    if (this.#gate.mayCome?.(group.operation) === true && this.#poll.begin()) {
      this.#polling = true
      setImmediate(this.#look)
    } else {
      this.#ask(group)
    }
  }

  readonly #look = (): void => {
    if (this.#closed) return
    const before = this.#waiters
    giveWay()
    this.#try(this.#front())
    this.#try(this.#standing())
    const found = this.#waiters < before
    if (this.#waiters > 0 && !found && this.#poll.goesOn()) {
      setImmediate(this.#look)
      return
    }
    this.#polling = false
    if (found) this.#poll.hit()
    else this.#poll.miss()
    this.#askFirst()
    for (const group of this.#standing()) this.#wait(group)
    this.#tidy()
  }

  /** Groups that stand by themselves and are not asked for. */
  #standing(): Group<O>[] {
    return [...this.#groups.values()].filter(
      ({ line, asked, operation }) => !asked && line.size > 0 && stands(operation),
    )
  }

  #ask(group: Group<O>): void {
    group.asked = true
    group.forgotten = false
    try {
      this.#gate.ask(group.operation)
    } catch (error) {
      group.asked = false
      this.#fail(group, error)
    }
  }

  /** Does what can be done for those in front, then asks for the others. */
  #serve(): void {
    while (this.#try(this.#front())) {}
    this.#askFirst()
  }

  /** Whether anything was done for one of these groups. */
  #try(groups: Group<O>[]): boolean {
    let served = false
    for (const group of groups) {
      // The thread is about to do it; a second try would do it for one who did not ask.
      if (group.asked && this.#gate.looksOnly !== true) continue
      try {
        while (group.line.size > 0 && this.#gate.attempt(group.operation)) {
          this.#give(group)
          served = true
        }
      } catch (error) {
        this.#fail(group, error)
        served = true
      }
    }
    return served
  }

  #give(group: Group<O>): void {
    const pending = oldest(group)
    this.#leave(pending)
    pending.resolve(pending.result())
  }

  #onAnswer(operation: O, answer: 'done' | 'ready' | 'ended', error?: Error): void {
    const group = this.#groups.get(operation.key)
    if (group === undefined) return
    group.asked = false
    group.forgotten = false
    if (answer === 'ready') this.#poll.woken()
    if (answer === 'done') {
      // Those who asked may have gone; whoever wants the same gets it.
      if (group.line.size > 0) this.#give(group)
      else this.#gate.takeBack(operation)
    } else if (answer === 'ready' && group.line.size === 0) {
      this.#gate.passOn(operation)
    }
    for (const pending of [...group.line])
      if (pending.ending !== undefined) this.#end(pending, pending.ending.reason)
    if (error !== undefined) this.#fail(group, error)
    if (this.#closed) this.#tidy()
    else if (stands(operation)) this.#serveOne(group)
    else {
      this.#serve()
      this.#tidy()
    }
  }

  /** Tries for a group that stands by itself, and leaves the others alone. */
  #serveOne(group: Group<O>): void {
    this.#try([group])
    if (group.line.size > 0) this.#wait(group)
    else this.#clear(group)
  }

  #fail(group: Group<O>, error: unknown): void {
    for (const pending of [...group.line]) this.#end(pending, copyError(error))
  }

  #onEnd(pending: PendingOperation<unknown>, reason: unknown): void {
    if (pending.done || pending.ending !== undefined) return
    const group = pending.group
    // The thread may be doing it in this moment. What cannot be taken back is this caller's then.
    if (group.asked && group.line.size === 1 && !group.operation.returnable) {
      pending.ending = { reason }
      this.#forget(group as unknown as Group<O>)
      return
    }
    if (stands(group.operation) && this.#gate.giveUp?.(group.operation as O) === true) {
      this.#give(group as unknown as Group<O>)
      return
    }
    this.#end(pending, reason)
  }

  #end(pending: PendingOperation<unknown>, reason: unknown): void {
    this.#leave(pending)
    pending.reject(reason)
  }

  #forget(group: Group<O>): void {
    if (group.forgotten) return
    group.forgotten = true
    this.#gate.forget(group.operation)
  }

  #leave(pending: PendingOperation<unknown>): void {
    pending.group.line.delete(pending)
    if (--this.#waiters === 0) this.#alive.update()
    if (pending.group.line.size > 0) return
    if (stands(pending.group.operation)) {
      this.#clear(pending.group as unknown as Group<O>)
      return
    }
    if (this.#tidying || this.#closed) return
    // One wait usually follows another: the question is taken back only when none has come by the next turn.
    this.#tidying = true
    setImmediate(() => {
      this.#tidy()
      // Those behind may be in front now.
      if (!this.#closed) this.#serve()
    })
  }

  /** Takes back questions that nobody waits for any more, and forgets their groups once they are answered. */
  #tidy(): void {
    this.#tidying = false
    for (const group of this.#groups.values()) if (group.line.size === 0) this.#clear(group)
    if (this.#groups.size === 0) this.#whenQuiet?.()
  }

  /** Nobody is in the group any more. */
  #clear(group: Group<O>): void {
    if (group.asked) {
      this.#forget(group)
    } else {
      this.#groups.delete(group.operation.key)
      this.#gate.drop?.(group.operation)
    }
  }
}

/** Whether it takes from nothing, and nobody can be before it. */
function stands({ takes }: Operation): boolean {
  return takes.length === 0
}

function oldest({ line }: Pick<Group<Operation>, 'line'>): PendingOperation<unknown> {
  return line.values().next().value as PendingOperation<unknown>
}
