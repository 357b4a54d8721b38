/**
 * The memory into which received messages are laid, one piece per environment, registered with the addon.
 * Many messages come in one call; codecs read them in place, and nothing makes a Buffer per message.
 */
import { native } from '../binding.js'
import { highOf, joinLabel, lowOf } from './label.js'

/** How many messages one call may bring. */
export const inboxMessages = 256

/** Room for 256 messages of 1 KiB, or for 31 of the default limit of POSIX queues, 8 KiB. */
const defaultBytes = 256 * 1024

/** One message in the inbox: where it lies, and its priority or type. */
export class Inbox {
  readonly bytes: Uint8Array
  readonly #index: Int32Array

  constructor(bytes: number) {
    this.bytes = new Uint8Array(bytes)
    this.#index = new Int32Array(inboxMessages * 4)
    native.useInbox(this.bytes, this.#index)
  }

  offset(message: number): number {
    return this.#index[message * 4] as number
  }

  length(message: number): number {
    return this.#index[message * 4 + 1] as number
  }

  label(message: number): number {
    return joinLabel(this.#index[message * 4 + 2] as number, this.#index[message * 4 + 3] as number)
  }

  /** Its bytes in memory of their own. */
  copy(message: number): Buffer {
    const offset = this.offset(message)
    return Buffer.from(this.bytes.subarray(offset, offset + this.length(message)))
  }

  /** For transports without a kernel: lays a message where the addon would have laid it. */
  lay(message: number, offset: number, bytes: Uint8Array, label: number): void {
    this.bytes.set(bytes, offset)
    this.#index.set([offset, bytes.length, lowOf(label), highOf(label)], message * 4)
  }
}

let current: Inbox | undefined
let reading = false

/** The inbox, with room for at least one message of `bytes`. Called before every receive. */
export function inbox(bytes = 0): Inbox {
  // While a codec reads, user code may run and receive from another queue: that gets an inbox of its own,
  // and the reader keeps the one it holds.
  if (current === undefined || reading || current.bytes.length < bytes + 8) {
    current = new Inbox(Math.max(defaultBytes, current?.bytes.length ?? 0, bytes + 8))
    reading = false
  }
  return current
}

/** Brackets the reading of what lies in the inbox, by code that may call user code. */
export function startReading(): void {
  reading = true
}

export function stopReading(): void {
  reading = false
}
