/**
 * Waiting, built once for all transports: promises, order of callers, timeouts, cancelling, blocking calls,
 * polling after traffic, and what keeps the process alive. A channel is one handle on one queue.
 *
 * Try first; when it would block, stand in line, wait until it may not, try again. No message is in the
 * hands of a waiter, so ending one loses nothing.
 */
import { closedError } from '../errors.js'
import type { SyncWaitOptions, WaitOptions } from '../options.js'
import type { Outgoing, OutgoingBatch, Selector, Transport } from '../queue/transport.js'
import { insistAsyncMs, insistSyncMs } from './adaptive-poll.js'
import { checkSyncWait, countdown } from './countdown.js'
import { heeding, heedSignals } from './engine.js'
import { KeepAlive } from './keep-alive.js'
import { nothing, ReceiveLine, type Take } from './receive-line.js'
import { SendLine } from './send-line.js'

export class Channel {
  readonly transport: Transport
  readonly #sends: SendLine
  readonly #receives: ReceiveLine
  #closed = false
  #closing: Promise<void> | undefined
  readonly #alive = new KeepAlive(() => this.#sends.waiting || this.#receives.waiting)

  constructor(transport: Transport) {
    this.transport = transport
    const waitingChanged = () => this.#alive.update()
    this.#sends = new SendLine(transport, waitingChanged)
    this.#receives = new ReceiveLine(transport, waitingChanged)
    transport.listen({
      room: (sent, error) => this.#sends.onRoom(sent, error),
      arrival: (selector, error) => this.#receives.onArrival(selector, error),
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Throws what every method of a closed handle throws. */
  checkOpen(): void {
    if (this.#closed) throw closedError(this.transport.address)
  }

  trySend(message: Outgoing): boolean {
    this.checkOpen()
    return this.#sends.trySend(message)
  }

  /** How many messages of the batch had room. */
  trySendMany(batch: OutgoingBatch): number {
    this.checkOpen()
    return this.#sends.trySendMany(batch)
  }

  send(message: Outgoing, options?: WaitOptions): Promise<void> {
    this.checkOpen()
    return this.#sends.send(message, options, this.#alive.wanted)
  }

  /** The batch belongs to the channel until the promise settles, with the number sent. */
  sendMany(batch: OutgoingBatch, options?: WaitOptions): Promise<number> {
    this.checkOpen()
    return this.#sends.sendMany(batch, options, this.#alive.wanted)
  }

  /** The same for bytes that are sent from where they lie as far as there is room; the others are copied. */
  sendEach(all: readonly Uint8Array[], label: number, options?: WaitOptions): Promise<number> {
    this.checkOpen()
    return this.#sends.sendEach(all, label, options, this.#alive.wanted)
  }

  sendSync(message: Outgoing, options?: SyncWaitOptions): void {
    this.checkOpen()
    checkSyncWait(options)
    if (!heeding()) heedSignals()
    if (this.#sends.sendNow(message, insistSyncMs)) return
    heedSignals()
    this.#sends.sendSync(message, countdown(this.transport.address, 'send to', options))
  }

  /** What `take` made of up to `max` messages that match, or {@link nothing}. */
  tryReceive<R>(selector: Selector, take: Take<R>, max: number): R | typeof nothing {
    this.checkOpen()
    return this.#receives.tryReceive(selector, take, max)
  }

  /** As {@link tryReceive}, where messages follow each other closely for a moment longer: {@link wait} comes next. */
  receiveNow<R>(selector: Selector, take: Take<R>, max: number): R | typeof nothing {
    this.checkOpen()
    return this.#receives.receiveNow(selector, take, max, insistAsyncMs)
  }

  /** Stands in line, for a caller who has tried. */
  wait<R>(selector: Selector, take: Take<R>, max: number, options?: WaitOptions): Promise<R> {
    return this.#receives.wait(selector, take, max, options, this.#alive.wanted)
  }

  receive<R>(selector: Selector, take: Take<R>, max: number, options?: WaitOptions): Promise<R> {
    this.checkOpen()
    return this.#receives.receive(selector, take, max, options, this.#alive.wanted)
  }

  /** Ends a wait that {@link receive} began; when it has ended already, nothing happens. */
  withdraw(wait: Promise<unknown>, reason: unknown): void {
    this.#receives.withdraw(wait, reason)
  }

  receiveSync<R>(selector: Selector, take: Take<R>, max: number, options?: SyncWaitOptions): R {
    this.checkOpen()
    checkSyncWait(options)
    if (!heeding()) heedSignals()
    const received = this.#receives.receiveNow(selector, take, max, insistSyncMs)
    if (received !== nothing) return received
    heedSignals()
    return this.#receives.receiveSync(
      selector,
      take,
      max,
      countdown(this.transport.address, 'receive from', options),
    )
  }

  /** Waits of this handle keep the process alive, as they do unless {@link unref} was called. */
  ref(): void {
    this.#alive.wanted = true
    this.#sends.ref()
    this.#receives.ref()
  }

  unref(): void {
    this.#alive.wanted = false
    this.#sends.unref()
    this.#receives.unref()
  }

  /** Ends every wait with a {@link ClosedError}; resolves when the last has ended. Closing twice is silent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#closed = true
    const reason = () => closedError(this.transport.address)
    this.#receives.close(reason)
    const ended = this.#sends.close(reason)
    this.transport.close()
    await ended
  }
}
