/**
 * The questions of a transport whose descriptor one thread polls for all: whether there may be room, whether there may
 * be a message, and, while one of these is asked, whether the name is gone.
 */
import type { TransportListener } from '../queue/transport.js'
import { expect, forget, newToken } from './engine.js'
import { watchRemoval } from './removal.js'
import { anyMessage } from './selector.js'

/** Bits of an event: epoll(7). An error or a hang-up wakes both sides, and trying again tells more. */
const mayReceive = 0x1 | 0x8 | 0x10
const maySend = 0x4 | 0x8 | 0x10

/** What is asked, by the name that errors give it. */
export type Direction = 'send to' | 'receive from'

/** What is polled. */
export interface Polled {
  /** Asks for one event of the token, or throws. */
  arm(token: number, direction: Direction): void
  /** Begins to watch for the removal of the name, see `removal.ts`; absent where a removal is nobody's business. */
  readonly watchRemoval?: (token: number) => number
  isRemoved(): boolean
  /** The error of those who wait for what was removed. */
  removed(direction: Direction): Error
  /** Nothing is asked any more. */
  rest?(): void
}

export class Readiness {
  readonly token = newToken()
  readonly #polled: Polled
  readonly #asked = new Set<Direction>()
  #listener!: TransportListener
  #stopWatching: (() => void) | undefined

  constructor(polled: Polled) {
    this.#polled = polled
  }

  listen(listener: TransportListener): void {
    this.#listener = listener
  }

  /** Asks for one notice. */
  ask(direction: Direction): void {
    expect(this.token, this.#onEvent)
    try {
      this.#watchRemoval(direction)
      this.#polled.arm(this.token, direction)
    } catch (error) {
      this.#restIfIdle()
      throw error
    }
    this.#asked.add(direction)
  }

  forget(direction: Direction): void {
    this.#asked.delete(direction)
    this.#restIfIdle()
  }

  /** Forgets everything. */
  end(): void {
    this.#asked.clear()
    this.#restIfIdle()
  }

  /** Trying is worth it on both sides. */
  tell(): void {
    this.#tell(maySend | mayReceive)
  }

  readonly #onEvent = (events: number): void => this.#tell(events)

  #tell(events: number, removed = false): void {
    // Both are answered before either is told: who is told may ask again.
    const arrival = (events & mayReceive) !== 0 && this.#asked.delete('receive from')
    const room = (events & maySend) !== 0 && this.#asked.delete('send to')
    this.#restIfIdle()
    const error = (direction: Direction) => (removed ? this.#polled.removed(direction) : undefined)
    if (arrival) this.#listener.arrival(anyMessage, error('receive from'))
    if (room) this.#listener.room(false, error('send to'))
  }

  /** The engine holds on to those of whom it expects something; others may be forgotten. */
  #restIfIdle(): void {
    if (this.#asked.size > 0) return
    forget(this.token)
    this.#stopWatching?.()
    this.#stopWatching = undefined
    this.#polled.rest?.()
  }

  /** Watches first and looks then, so that a removal in between is not missed. */
  #watchRemoval(direction: Direction): void {
    if (this.#polled.watchRemoval === undefined) return
    this.#stopWatching ??= watchRemoval(this.#polled.watchRemoval, this.#onRemoval)
    if (this.#polled.isRemoved()) throw this.#polled.removed(direction)
  }

  readonly #onRemoval = (): void => {
    if (this.#polled.isRemoved()) this.#tell(maySend | mayReceive, true)
  }
}
