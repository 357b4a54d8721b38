/**
 * What transports have in common whose descriptor one thread polls for all: the questions whether there may be room,
 * whether there may be a message, and, while one of these is asked, whether the name is gone.
 */
import type { Outgoing, Selector, TransportListener } from '../queue/transport.js'
import { expect, forget, newToken } from './engine.js'
import { watchRemoval } from './removal.js'
import { anyMessage } from './selector.js'

/** Bits of an event: epoll(7). An error or a hang-up wakes both sides, and trying again tells more. */
const mayReceive = 0x1 | 0x8 | 0x10
const maySend = 0x4 | 0x8 | 0x10

/** What is asked, by the name that errors give it. */
export type Direction = 'send to' | 'receive from'

export abstract class PolledTransport {
  protected readonly token = newToken()
  readonly #startWatching: ((token: number) => number) | undefined
  readonly #asked = new Set<Direction>()
  #listener!: TransportListener
  #stopWatching: (() => void) | undefined

  /**
   * `startWatching` begins to watch for the removal of the name, see `removal.ts`; absent where a removal is nobody's
   * business.
   */
  constructor(startWatching?: (token: number) => number) {
    this.#startWatching = startWatching
  }

  /** Asks for one event of {@link token}, or throws. */
  protected abstract arm(direction: Direction): void
  /** Blocks the thread until trying is worth it, at most so long; `length` is that of the message to be sent. */
  protected abstract block(direction: Direction, milliseconds: number, length?: number): void
  protected abstract isRemoved(): boolean
  /** The error of those who wait for what was removed. */
  protected abstract removed(direction: Direction): Error
  /** Nothing is asked any more. */
  protected rest(): void {}

  blockToSend(message: Outgoing, milliseconds: number): boolean {
    this.block('send to', milliseconds, message.length)
    return false
  }

  blockToReceive(_selector: Selector, milliseconds: number): void {
    this.block('receive from', milliseconds)
  }

  listen(listener: TransportListener): void {
    this.#listener = listener
  }

  askToSend(_message: Outgoing): void {
    this.#ask('send to')
  }

  forgetToSend(): boolean {
    this.#forget('send to')
    return true
  }

  askToReceive(_selector: Selector): void {
    this.#ask('receive from')
  }

  forgetToReceive(_selector: Selector): void {
    this.#forget('receive from')
  }

  /** Takes back everything that is asked. */
  protected forgetAll(): void {
    this.#asked.clear()
    this.#restIfIdle()
  }

  /** Trying is worth it on both sides. */
  protected tell(): void {
    this.#tell(maySend | mayReceive)
  }

  #ask(direction: Direction): void {
    expect(this.token, this.#onEvent)
    try {
      this.#watchRemoval(direction)
      this.arm(direction)
    } catch (error) {
      this.#restIfIdle()
      throw error
    }
    this.#asked.add(direction)
  }

  #forget(direction: Direction): void {
    this.#asked.delete(direction)
    this.#restIfIdle()
  }

  readonly #onEvent = (events: number): void => this.#tell(events)

  #tell(events: number, removed = false): void {
    // Both are answered before either is told: who is told may ask again.
    const arrival = (events & mayReceive) !== 0 && this.#asked.delete('receive from')
    const room = (events & maySend) !== 0 && this.#asked.delete('send to')
    this.#restIfIdle()
    const error = (direction: Direction) => (removed ? this.removed(direction) : undefined)
    if (arrival) this.#listener.arrival(anyMessage, error('receive from'))
    if (room) this.#listener.room(false, error('send to'))
  }

  /** The engine holds on to those of whom it expects something; others may be forgotten. */
  #restIfIdle(): void {
    if (this.#asked.size > 0) return
    forget(this.token)
    this.#stopWatching?.()
    this.#stopWatching = undefined
    this.rest()
  }

  /** Watches first and looks then, so that a removal in between is not missed. */
  #watchRemoval(direction: Direction): void {
    if (this.#startWatching === undefined) return
    this.#stopWatching ??= watchRemoval(this.#startWatching, this.#onRemoval)
    if (this.isRemoved()) throw this.removed(direction)
  }

  readonly #onRemoval = (): void => {
    if (this.isRemoved()) this.#tell(maySend | mayReceive, true)
  }
}
