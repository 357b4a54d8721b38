/**
 * What goes out on a connection: messages in the order in which they were given. A message of which a part is on the
 * wire is always finished, also when nobody waits for it any more, as the other end could not tell where the next
 * one begins.
 */
import { native } from '../binding.js'
import { ClosedError, copyError, errnoOf, type IpcError, TimeoutError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import { doneAtOnce } from '../wait/fairness.js'
import { checkWait, Pending } from '../wait/pending.js'
import { Watch } from '../wait/watch.js'
import type { Socket } from './socket.js'
import { outgoingMemory } from './spare-memory.js'

/** A message, or bytes with descriptors. */
export interface Outgoing {
  readonly bytes: Uint8Array
  /** The message is so many bytes of them. */
  readonly length: number
  readonly descriptors?: Int32Array
}

/** A message's length in front of it; no message here is as long as to need the longer form. */
const headerBytes = 4

function totalOf({ length, descriptors }: Outgoing): number {
  return descriptors === undefined ? headerBytes + length : length
}

/** A message in the line. */
interface Entry {
  readonly message: Outgoing
  readonly total: number
  /** Bytes of it that are in the kernel. */
  sent: number
  /** Who waits for it; nobody any more when the wait was ended amid the message. */
  pending: Pending<void> | undefined
}

export class SocketWriter {
  readonly #socket: Socket
  readonly #waitingChanged: () => void
  readonly #line = new Set<Entry>()
  readonly #watch: Watch
  /** Why nothing can be sent any more: a message was begun and cannot be finished. */
  #broken: IpcError | undefined

  constructor(socket: Socket, waitingChanged: () => void) {
    this.#socket = socket
    this.#waitingChanged = waitingChanged
    this.#watch = new Watch({
      isWaiting: () => this.waiting,
      serve: () => this.#pump(),
      ask: () => socket.ask(1),
      forget: () => socket.forget(1),
      onFailure: (error) => this.#cannotAsk(error),
    })
  }

  get waiting(): boolean {
    return this.#line.size > 0
  }

  /** What is left of the message that was begun. */
  get unsentBytes(): number {
    const head = this.#head()
    return head === undefined || head.sent === 0 ? 0 : head.total - head.sent
  }

  /** True when the message is on its way; what there is no room for follows by itself. */
  trySend(message: Outgoing): boolean {
    if (!this.#isFree()) return false
    const sent = this.#write(message, 0)
    if (sent === 0) return false
    if (sent < totalOf(message)) this.#enter(message, sent)
    return true
  }

  send(message: Outgoing, options: WaitOptions | undefined, keepsAlive: boolean): Promise<void> {
    checkWait(options)
    const sent = this.#isFree() ? this.#write(message, 0) : 0
    if (sent === totalOf(message)) return doneAtOnce()
    const pending = new Pending<void>(
      this.#socket.address,
      'send to',
      options,
      keepsAlive,
      (_, reason) => this.#onEnd(entry, reason),
      this.#watch.poll.pays,
    )
    const entry = this.#enter(message, sent, pending)
    return pending.promise
  }

  /** Blocks the thread until all of it is in the kernel; `timeLeft` throws when the time is up. */
  sendSync(message: Outgoing, timeLeft: () => number): void {
    const total = totalOf(message)
    let sent = 0
    try {
      for (;;) {
        if (this.#isFree()) sent += this.#write(message, sent)
        if (sent === total) return
        this.#socket.block(1, timeLeft())
      }
    } finally {
      // What was begun goes on without us. After a failure in the middle there is nothing to go on with.
      if (sent > 0 && sent < total && this.#broken === undefined) this.#enter(message, sent)
      this.#watch.begin()
    }
  }

  onRoom(): void {
    this.#watch.onAnswer()
  }

  ref(): void {
    for (const { pending } of this.#line) pending?.ref()
  }

  unref(): void {
    for (const { pending } of this.#line) pending?.unref()
  }

  close(reason: () => ClosedError): void {
    const line = [...this.#line]
    this.#line.clear()
    for (const { message, pending, sent, total } of line) {
      outgoingMemory.giveBack(message.bytes)
      pending?.reject(sent === 0 ? reason() : this.#closedAmid(sent, total))
    }
    this.#waitingChanged()
    this.#watch.tidy()
  }

  /** Whether a newcomer may be tried: those in line go first. */
  #isFree(): boolean {
    if (this.#line.size > 0) this.#pump()
    return this.#line.size === 0
  }

  #enter(message: Outgoing, sent: number, pending?: Pending<void>): Entry {
    // What it lies in is the caller's, or used again for the next message.
    const bytes = outgoingMemory.borrow(message.length)
    bytes.set(message.bytes.subarray(0, message.length))
    const entry = { message: { ...message, bytes }, total: totalOf(message), sent, pending }
    this.#line.add(entry)
    if (this.#line.size === 1) {
      this.#waitingChanged()
      this.#watch.begin()
    }
    return entry
  }

  #head(): Entry | undefined {
    return this.#line.values().next().value
  }

  /** How many bytes more are in the kernel; 0 when there is no room. */
  #write(message: Outgoing, from: number): number {
    if (this.#broken !== undefined) throw copyError(this.#broken)
    const { bytes, length, descriptors } = message
    const { handle } = this.#socket
    const result =
      descriptors === undefined
        ? native.socketSend(handle, bytes, length, from)
        : native.socketSendDescriptors(handle, bytes.subarray(0, length), descriptors)
    if (result === -errnoOf.EAGAIN) return 0
    if (result < 0) {
      const action = descriptors === undefined ? 'send to' : 'send a descriptor to'
      const error = this.#socket.error(result, 'sendmsg', action)
      if (from > 0 || result === -errnoOf.EPROTO) this.#broken = error
      throw error
    }
    return descriptors === undefined ? result : length
  }

  /** Sends for the oldest, then the next, until there is no room: true when anything went out. */
  #pump(): boolean {
    const first = this.#head()
    const before = first?.sent
    for (let head = first; head !== undefined; head = this.#head()) {
      try {
        head.sent += this.#write(head.message, head.sent)
      } catch (error) {
        this.#leave(head)
        head.pending?.reject(error)
        continue
      }
      if (head.sent < head.total) break
      this.#leave(head)
      head.pending?.resolve(undefined)
    }
    return this.#head() !== first || first?.sent !== before
  }

  #cannotAsk(error: unknown): void {
    for (const entry of [...this.#line]) {
      // What was begun is tried again with the next call; it must not be dropped.
      if (entry.sent === 0) this.#leave(entry)
      entry.pending?.reject(copyError(error))
      entry.pending = undefined
    }
  }

  /** Ends a wait, and takes its message back if nothing of it has gone out. */
  #onEnd(entry: Entry, reason: unknown): void {
    const { pending, sent, total } = entry
    if (pending === undefined || pending.done) return
    if (sent === 0) {
      const wasHead = entry === this.#head()
      this.#leave(entry)
      pending.reject(reason)
      if (wasHead) this.#pump()
      return
    }
    entry.pending = undefined
    pending.reject(reason instanceof TimeoutError ? this.#lateAmid(reason, sent, total) : reason)
  }

  #leave(entry: Entry): void {
    if (!this.#line.delete(entry)) return
    outgoingMemory.giveBack(entry.message.bytes)
    if (this.#line.size > 0) return
    this.#waitingChanged()
    this.#watch.emptied()
  }

  #lateAmid(reason: TimeoutError, sent: number, total: number): TimeoutError {
    return new TimeoutError(
      `${reason.message}: ${sent} of ${total} bytes are with the kernel, and the rest follows as the other end receives`,
      { code: 'ERR_IPC_TIMEOUT', resource: this.#socket.address },
    )
  }

  #closedAmid(sent: number, total: number): ClosedError {
    const { address } = this.#socket
    return new ClosedError(
      `${address} was closed when ${sent} of ${total} bytes of a message had been sent: the other end gets it cut short`,
      { code: 'ERR_IPC_CLOSED', resource: address },
    )
  }
}
