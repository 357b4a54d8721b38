/** Values into the bytes of a message and back, with errors that say on which connection. */
import type { Codec } from '../codec/codec.js'
import { DecodeError, errnoOf, IpcError, systemError } from '../errors.js'
import { startReading, stopReading } from '../wait/inbox.js'
import { encodeOne, type Write } from '../wait/outbox.js'
import type { Arrived } from './socket-incoming.js'
import type { Outgoing } from './socket-writer.js'
import { incomingMemory } from './spare-memory.js'

export class ConnectionCodec<T, I> {
  readonly #codec: Codec<T, I>
  readonly #address: string
  readonly #maxMessageBytes: number
  readonly #write: Write<I>

  constructor(codec: Codec<T, I>, address: string, maxMessageBytes: number) {
    this.#codec = codec
    this.#address = address
    this.#maxMessageBytes = maxMessageBytes
    this.#write = (value, target, offset) => this.#encode(value, target, offset)
  }

  /** The bytes are good until the next call. */
  encode(value: I): Outgoing {
    return encodeOne(this.#write, value, 0)
  }

  decode({ bytes, offset, length, memory }: Arrived): T {
    startReading()
    try {
      return this.#codec.decode(bytes, offset, length)
    } catch (cause) {
      throw new DecodeError(
        `Cannot decode a message of ${length} bytes from ${this.#address} as ${this.#codec.name}: ${sayWhy(cause)}; its bytes are on the error`,
        Uint8Array.prototype.slice.call(bytes, offset, offset + length),
        { resource: this.#address, cause },
      )
    } finally {
      stopReading()
      if (memory !== undefined) incomingMemory.giveBack(memory)
    }
  }

  refuseIfTooLarge(length: number): void {
    if (length <= this.#maxMessageBytes) return
    throw systemError({
      errno: errnoOf.EMSGSIZE,
      syscall: 'sendmsg',
      action: 'send to',
      resource: this.#address,
      advice: `the message has ${length} bytes, and this connection takes at most ${this.#maxMessageBytes}; open both ends with a larger maxMessageBytes, or send it in parts`,
    })
  }

  #encode(value: I, target: Uint8Array, offset: number): number {
    let length: number
    try {
      length = this.#codec.encode(value, target, offset)
    } catch (cause) {
      throw this.#encodeError(`Cannot encode the value as ${this.#codec.name} for`, sayWhy(cause), cause)
    }
    if (!Number.isInteger(length) || length > target.length - offset) {
      const wrote = `the codec ${this.#codec.name} says that it wrote ${length} bytes into ${target.length - offset}`
      throw this.#encodeError('Cannot send to', wrote)
    }
    // Said here, before memory is made for what cannot be sent.
    this.refuseIfTooLarge(Math.abs(length))
    return length
  }

  #encodeError(what: string, why: string, cause?: unknown): IpcError {
    return new IpcError(`${what} ${this.#address}: ${why}`, {
      code: 'ERR_IPC_ENCODE',
      resource: this.#address,
      cause,
    })
  }
}

function sayWhy(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
