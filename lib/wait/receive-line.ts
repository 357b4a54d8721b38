/**
 * Those who wait to receive on one handle. Who wants the same messages stands in one group; among groups,
 * the one whose oldest came first is served first.
 */
import { copyError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import type { Selector, Transport } from '../queue/transport.js'
import { AdaptivePoll, giveWay, insistAsyncMs, insistSyncMs } from './adaptive-poll.js'
import { waitForAnswers } from './engine.js'
import { atOnce } from './fairness.js'
import { type Inbox, inbox, inboxMessages, startReading, stopReading } from './inbox.js'
import { checkWait, Pending } from './pending.js'
import { keyOf } from './selector.js'

/** Makes the caller's result of `count` messages in the inbox, from number `first` on. */
export type Take<R> = (box: Inbox, first: number, count: number) => R

/** What a try returns when there is no message; a message may well decode to `undefined`. */
export const nothing: unique symbol = Symbol('nothing')

let arrivals = 0

class PendingReceive<R> extends Pending<R> {
  readonly order = arrivals++
  group!: Group
  take!: Take<R>
  /** How many messages it takes at most. */
  max!: number
}

interface Group {
  readonly selector: Selector
  readonly line: Set<PendingReceive<unknown>>
  /** Whether the transport was asked for a notice. */
  asked: boolean
}

export class ReceiveLine {
  readonly #transport: Transport
  readonly #waitingChanged: () => void
  /** Only groups in which somebody waits, or whose question has not been taken back yet. */
  readonly #groups = new Map<string, Group>()
  readonly #poll = new AdaptivePoll()
  #waiters = 0
  #polling = false
  #tidying = false

  constructor(transport: Transport, waitingChanged: () => void) {
    this.#transport = transport
    this.#waitingChanged = waitingChanged
  }

  get waiting(): boolean {
    return this.#waiters > 0
  }

  tryReceive<R>(selector: Selector, take: Take<R>, max: number): R | typeof nothing {
    if (this.#waiters > 0) {
      this.#serve()
      // Who is still in line found nothing; whoever wants the same need not look again.
      if ((this.#groups.get(keyOf(selector))?.line.size ?? 0) > 0) return nothing
    }
    const count = this.#transport.receive(selector, max)
    if (count === 0) return nothing
    const box = inbox()
    startReading()
    try {
      return take(box, 0, count)
    } finally {
      stopReading()
    }
  }

  /** Tries, and again for a moment where that has paid. */
  receiveNow<R>(selector: Selector, take: Take<R>, max: number, longestMs: number): R | typeof nothing {
    const received = this.tryReceive(selector, take, max)
    if (received !== nothing || this.#waiters > 0) return received
    return this.#poll.insist(
      nothing,
      () => this.tryReceive(selector, take, max),
      longestMs,
      (milliseconds) => this.#transport.pollToReceive?.(milliseconds),
    )
  }

  receive<R>(
    selector: Selector,
    take: Take<R>,
    max: number,
    options: WaitOptions | undefined,
    keepsAlive: boolean,
  ): Promise<R> {
    checkWait(options)
    const received = this.receiveNow(selector, take, max, insistAsyncMs)
    if (received !== nothing) return atOnce(received)
    return this.wait(selector, take, max, options, keepsAlive)
  }

  /** Blocks the thread until there is a message, for a caller who has tried; `timeLeft` throws when time is up. */
  receiveSync<R>(selector: Selector, take: Take<R>, max: number, timeLeft: () => number): R {
    const { address, capabilities } = this.#transport
    for (;;) {
      // Where a thread waits for older callers who want the same, its answer may be the message.
      const asked = this.#groups.get(keyOf(selector))?.asked === true
      if (asked && capabilities.blocking) {
        waitForAnswers(address, 'receive from', timeLeft())
      } else {
        this.#poll.sleeps()
        this.#transport.blockToReceive(selector, timeLeft())
        this.#poll.woken()
      }
      // Serves those who came first; while one of them wants the same, there is nothing for us.
      const received = this.receiveNow(selector, take, max, insistSyncMs)
      if (received !== nothing) return received
    }
  }

  withdraw(wait: Promise<unknown>, reason: unknown): void {
    for (const group of this.#groups.values()) {
      for (const pending of group.line) if (pending.promise === wait) this.#onEnd(pending, reason)
    }
  }

  onArrival(selector: Selector, error?: Error): void {
    const group = this.#groups.get(keyOf(selector))
    if (group !== undefined) {
      group.asked = false
      this.#poll.woken()
      if (error !== undefined) this.#fail(group, error)
    }
    // Even when nobody waits with this selector any more: what came may be for those with another.
    this.#serve()
    this.#waitAgain()
  }

  ref(): void {
    for (const group of this.#groups.values()) for (const pending of group.line) pending.ref()
  }

  unref(): void {
    for (const group of this.#groups.values()) for (const pending of group.line) pending.unref()
  }

  close(reason: () => Error): void {
    for (const group of this.#groups.values()) {
      for (const pending of [...group.line]) {
        this.#leave(pending)
        pending.reject(reason())
      }
    }
    this.#tidy()
  }

  /** Stands in line, for a caller who has tried. */
  wait<R>(
    selector: Selector,
    take: Take<R>,
    max: number,
    options: WaitOptions | undefined,
    keepsAlive: boolean,
  ): Promise<R> {
    const key = keyOf(selector)
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = { selector, line: new Set(), asked: false }
      this.#groups.set(key, group)
    }
    const pending = new PendingReceive<R>(
      this.#transport.address,
      'receive from',
      options,
      keepsAlive,
      (ending, reason) => this.#onEnd(ending as PendingReceive<unknown>, reason),
      this.#poll.pays,
    )
    pending.group = group
    pending.take = take
    pending.max = max
    group.line.add(pending as PendingReceive<unknown>)
    if (this.#waiters++ === 0) this.#waitingChanged()
    if (!group.asked) this.#wait(group)
    return pending.promise
  }

  /** Gives out what there is, until nobody who waits finds anything. */
  #serve(): void {
    const dry = new Set<Group>()
    for (;;) {
      const group = this.#next(dry)
      if (group === undefined) return
      // With several groups a message may be wanted by two: one at a time, so that the older one gets it.
      const wanted = this.#groups.size > 1 ? 1 : demand(group)
      let count: number
      try {
        count = this.#transport.receive(group.selector, wanted)
      } catch (error) {
        this.#fail(group, error)
        continue
      }
      if (count < wanted) dry.add(group)
      if (count > 0) this.#distribute(group, count)
    }
  }

  #next(dry: ReadonlySet<Group>): Group | undefined {
    let next: Group | undefined
    let order = Number.POSITIVE_INFINITY
    for (const group of this.#groups.values()) {
      const oldest = group.line.values().next().value
      if (oldest === undefined || dry.has(group) || oldest.order > order) continue
      next = group
      order = oldest.order
    }
    return next
  }

  #distribute(group: Group, count: number): void {
    const box = inbox()
    const served: Array<{ pending: PendingReceive<unknown>; first: number; count: number }> = []
    for (let first = 0; first < count; ) {
      const pending = group.line.values().next().value as PendingReceive<unknown>
      const share = Math.min(pending.max, count - first)
      served.push({ pending, first, count: share })
      // Out of the line before user code can run: what is in the inbox belongs to them now.
      this.#leave(pending)
      first += share
    }
    startReading()
    try {
      for (const { pending, first, count: share } of served) {
        try {
          pending.resolve(pending.take(box, first, share))
        } catch (error) {
          pending.reject(error)
        }
      }
    } finally {
      stopReading()
    }
  }

  /** Begins a wait of a group: awake for a moment where that has paid, then asleep. */
  #wait(group: Group): void {
    if (this.#polling) return
    if (this.#poll.begin()) {
      this.#polling = true
      setImmediate(this.#look)
    } else {
      this.#ask(group)
    }
  }

  readonly #look = (): void => {
    const before = this.#waiters
    giveWay()
    this.#serve()
    const found = this.#waiters < before
    if (this.#waiters > 0 && !found && this.#poll.goesOn()) {
      setImmediate(this.#look)
      return
    }
    this.#polling = false
    if (found) this.#poll.hit()
    else this.#poll.miss()
    this.#waitAgain()
  }

  #waitAgain(): void {
    for (const group of this.#groups.values()) {
      if (group.line.size > 0 && !group.asked) this.#wait(group)
    }
    this.#tidy()
  }

  #ask(group: Group): void {
    group.asked = true
    try {
      this.#transport.askToReceive(group.selector)
    } catch (error) {
      group.asked = false
      this.#fail(group, error)
    }
  }

  #fail(group: Group, error: unknown): void {
    for (const pending of [...group.line]) {
      this.#leave(pending)
      pending.reject(copyError(error))
    }
  }

  #onEnd(pending: PendingReceive<unknown>, reason: unknown): void {
    if (pending.done) return
    this.#leave(pending)
    pending.reject(reason)
  }

  #leave(pending: PendingReceive<unknown>): void {
    pending.group.line.delete(pending)
    if (--this.#waiters === 0) this.#waitingChanged()
    if (pending.group.line.size > 0 || this.#tidying) return
    // A get usually follows a get: the question is taken back only when none has come by the next turn.
    this.#tidying = true
    setImmediate(() => this.#tidy())
  }

  /** Takes back questions that nobody waits for any more, and forgets their groups. */
  #tidy(): void {
    this.#tidying = false
    for (const [key, group] of this.#groups) {
      if (group.line.size > 0) continue
      if (group.asked) this.#transport.forgetToReceive(group.selector)
      this.#groups.delete(key)
    }
  }
}

/** How many messages a group would take at once. */
function demand(group: Group): number {
  let wanted = 0
  for (const pending of group.line) {
    wanted += pending.max
    if (wanted >= inboxMessages) return inboxMessages
  }
  return wanted
}
