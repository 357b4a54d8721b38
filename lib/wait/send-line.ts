/**
 * Those who wait to send on one handle, in the order in which they came. Only the oldest is ever tried.
 */
import type { WaitOptions } from '../options.js'
import type { Outgoing, OutgoingBatch, Transport } from '../queue/transport.js'
import { AdaptivePoll, giveWay, insistAsyncMs, insistSyncMs } from './adaptive-poll.js'
import { waitForAnswers } from './engine.js'
import { atOnce, doneAtOnce, longestTurnMs } from './fairness.js'
import { Batch, keep, lengthAt, messageAt } from './outbox.js'
import { checkWait, Pending } from './pending.js'

class PendingSend<R> extends Pending<R> {
  batch!: OutgoingBatch
  /** How many of the batch are in the queue. */
  sent = 0
  /** How many of the same call were sent before those of the batch. */
  before = 0
  /** Why it is to end, while it is not yet known whether its message was sent. */
  ending: { reason: unknown } | undefined
  result!: (total: number) => R
}

export class SendLine {
  readonly #transport: Transport
  readonly #waitingChanged: () => void
  readonly #line = new Set<PendingSend<unknown>>()
  readonly #poll = new AdaptivePoll()
  /** Whose message the transport was asked to send; cleared by the notice, or when it is taken back. */
  #asked: PendingSend<unknown> | undefined
  #polling = false
  #whenEmpty: (() => void) | undefined

  constructor(transport: Transport, waitingChanged: () => void) {
    this.#transport = transport
    this.#waitingChanged = waitingChanged
  }

  get waiting(): boolean {
    return this.#line.size > 0
  }

  trySend(message: Outgoing): boolean {
    return this.#isFree() && this.#transport.send(message)
  }

  trySendMany(batch: OutgoingBatch): number {
    return batch.count > 0 && this.#isFree() ? this.#transport.sendMany(batch, 0) : 0
  }

  /** Tries, and again for a moment where that has paid. */
  sendNow(message: Outgoing, longestMs: number): boolean {
    if (this.trySend(message)) return true
    if (this.#line.size > 0) return false
    return this.#poll.insist(
      false,
      () => this.#transport.send(message),
      longestMs,
      (milliseconds) => this.#transport.pollToSend?.(message.length, milliseconds),
    )
  }

  send(message: Outgoing, options: WaitOptions | undefined, keepsAlive: boolean): Promise<void> {
    checkWait(options)
    if (this.sendNow(message, insistAsyncMs)) return doneAtOnce()
    return this.#enter(keep(message), { sent: 0, before: 0 }, () => undefined, options, keepsAlive).promise
  }

  sendMany(batch: OutgoingBatch, options: WaitOptions | undefined, keepsAlive: boolean): Promise<number> {
    checkWait(options)
    const sent = this.#sendManyNow(
      batch.count,
      (from) => this.#transport.sendMany(batch, from),
      (at) => lengthAt(batch, at),
    )
    if (sent < batch.count)
      return this.#enter(batch, { sent, before: 0 }, numberSent, options, keepsAlive).promise
    release(batch)
    return atOnce(sent)
  }

  sendEach(
    all: readonly Uint8Array[],
    label: number,
    options: WaitOptions | undefined,
    keepsAlive: boolean,
  ): Promise<number> {
    checkWait(options)
    const sent = this.#sendManyNow(
      all.length,
      (from) => this.#sendEachNow(all, from, label),
      (at) => (all[at] as Uint8Array).length,
    )
    if (sent === all.length) return atOnce(sent)
    const rest = Batch.of(all.slice(sent), label)
    return this.#enter(rest, { sent: 0, before: sent }, numberSent, options, keepsAlive).promise
  }

  /** Blocks the thread until the message is in the queue, for a caller who has tried; `timeLeft` throws when time is up. */
  sendSync(outgoing: Outgoing, timeLeft: () => number): void {
    let message = outgoing
    try {
      do {
        if (!this.#takeBack()) {
          // A thread has the oldest message, and only its answer tells how that went. Answers may run user code that
          // encodes, into the memory where our message lies.
          message = messageAt(keep(message), 0)
          waitForAnswers(this.#transport.address, 'send to', timeLeft())
          continue
        }
        const older = this.#head()
        const next = older === undefined ? message : messageAt(older.batch, older.sent)
        this.#poll.sleeps()
        const sent = this.#transport.blockToSend(next, timeLeft())
        this.#poll.woken()
        if (sent && older === undefined) return
        if (sent && older !== undefined) this.#advance(older, 1)
      } while (!this.sendNow(message, insistSyncMs))
    } finally {
      // Those who came first, and whose question was taken back, go on waiting when this call gives up.
      if (this.#line.size > 0) this.#wait()
    }
  }

  onRoom(sent: boolean, error?: Error): void {
    const asked = this.#asked
    this.#asked = undefined
    this.#poll.woken()
    if (asked !== undefined) {
      if (sent) this.#advance(asked, 1)
      if (!asked.done) {
        if (asked.ending !== undefined) this.#end(asked, asked.ending.reason)
        else if (error !== undefined) this.#end(asked, error)
      }
    }
    this.#serve()
  }

  ref(): void {
    for (const pending of this.#line) pending.ref()
  }

  unref(): void {
    for (const pending of this.#line) pending.unref()
  }

  /** Ends every wait; resolves when the last has ended, which takes a moment while a thread is sending. */
  async close(reason: () => Error): Promise<void> {
    for (const pending of [...this.#line].reverse()) this.#onEnd(pending, reason())
    if (this.#line.size === 0) return
    await new Promise<void>((resolve) => {
      this.#whenEmpty = resolve
    })
  }

  /**
   * Many go in as fast as the other end takes them, as long as nobody else has to wait for that: how many. `send` is told
   * from which on.
   */
  #sendManyNow(count: number, send: (from: number) => number, lengthOf: (at: number) => number): number {
    let sent = 0
    try {
      if (count > 0 && this.#isFree()) sent = send(0)
      if (sent === count) return sent
      const end = performance.now() + longestTurnMs
      while (sent < count && this.#line.size === 0 && performance.now() < end) {
        const more = this.#poll.insist(
          0,
          () => send(sent),
          insistAsyncMs,
          (milliseconds) => this.#transport.pollToSend?.(lengthOf(sent), milliseconds),
        )
        if (more === 0) break
        sent += more
      }
    } catch (error) {
      // What was sent is told; the wait for the rest meets the error again.
      if (sent === 0) throw error
    }
    return sent
  }

  /** Sends bytes from where they lie, from number `from` on, and returns how many had room. */
  #sendEachNow(all: readonly Uint8Array[], from: number, label: number): number {
    let at = from
    try {
      for (; at < all.length; at++) {
        const bytes = all[at] as Uint8Array
        if (!this.#transport.send({ bytes, length: bytes.length, label })) break
      }
    } catch (error) {
      // What was sent is told; the next try meets the error again.
      if (at === from) throw error
    }
    return at - from
  }

  /** Whether a newcomer may be tried: those in line go first. */
  #isFree(): boolean {
    if (this.#line.size === 0) return true
    this.#pump()
    return this.#line.size === 0
  }

  #enter<R>(
    batch: OutgoingBatch,
    { sent, before }: { sent: number; before: number },
    result: (total: number) => R,
    options: WaitOptions | undefined,
    keepsAlive: boolean,
  ): PendingSend<R> {
    const pending = new PendingSend<R>(
      this.#transport.address,
      'send to',
      options,
      keepsAlive,
      (ending, reason) => this.#onEnd(ending as PendingSend<unknown>, reason),
      this.#poll.pays,
    )
    pending.batch = batch
    pending.sent = sent
    pending.before = before
    pending.result = result
    this.#line.add(pending as PendingSend<unknown>)
    this.#waitingChanged()
    if (this.#line.size === 1) this.#wait()
    return pending
  }

  #head(): PendingSend<unknown> | undefined {
    return this.#line.values().next().value
  }

  /** Sends for the oldest, then the next, until there is no room. */
  #pump(): void {
    for (let head = this.#head(); head !== undefined && this.#asked !== head; head = this.#head()) {
      try {
        this.#advance(head, this.#transport.sendMany(head.batch, head.sent))
        if (!head.done) return
      } catch (error) {
        this.#end(head, error)
      }
    }
  }

  #serve(): void {
    if (this.#line.size === 0) return
    this.#takeBack()
    this.#pump()
    if (this.#line.size > 0) this.#wait()
  }

  /** Begins a wait for room: awake for a moment where that has paid, then asleep. */
  #wait(): void {
    if (this.#polling || this.#asked !== undefined) return
    if (this.#poll.begin()) {
      this.#polling = true
      setImmediate(this.#look)
    } else {
      this.#ask()
    }
  }

  readonly #look = (): void => {
    const before = this.#head()
    const sentBefore = before?.sent
    giveWay()
    this.#pump()
    const head = this.#head()
    if (head !== undefined && head === before && head.sent === sentBefore && this.#poll.goesOn()) {
      setImmediate(this.#look)
      return
    }
    this.#polling = false
    if (head === before && head?.sent === sentBefore) {
      this.#poll.miss()
      if (head !== undefined) this.#ask()
    } else {
      this.#poll.hit()
      if (head !== undefined) this.#wait()
    }
  }

  #ask(): void {
    const head = this.#head()
    if (head === undefined || this.#asked !== undefined) return
    this.#asked = head
    try {
      this.#transport.askToSend(messageAt(head.batch, head.sent))
    } catch (error) {
      this.#asked = undefined
      this.#end(head, error)
      this.#serve()
    }
  }

  /** True when no notice is owed any more. */
  #takeBack(): boolean {
    if (this.#asked === undefined) return true
    if (!this.#transport.forgetToSend()) return false
    this.#asked = undefined
    return true
  }

  #advance(pending: PendingSend<unknown>, sent: number): void {
    pending.sent += sent
    if (pending.sent < pending.batch.count) return
    release(pending.batch)
    this.#leave(pending)
    pending.resolve(pending.result(pending.before + pending.sent))
  }

  #onEnd(pending: PendingSend<unknown>, reason: unknown): void {
    if (pending.done) return
    if (pending === this.#asked && !this.#takeBack()) {
      pending.ending ??= { reason }
      return
    }
    const wasHead = pending === this.#head()
    this.#end(pending, reason)
    if (wasHead) this.#serve()
  }

  /** Ends a wait early: with what it did, or, when it did nothing, with the reason. */
  #end(pending: PendingSend<unknown>, reason: unknown): void {
    this.#leave(pending)
    const total = pending.before + pending.sent
    if (total > 0) pending.resolve(pending.result(total))
    else pending.reject(reason)
  }

  #leave(pending: PendingSend<unknown>): void {
    this.#line.delete(pending)
    if (this.#line.size > 0) return
    this.#waitingChanged()
    this.#whenEmpty?.()
  }
}

const numberSent = (sent: number) => sent

function release(batch: OutgoingBatch): void {
  if (batch instanceof Batch) batch.release()
}
