/** Values into the bytes of a message and back, with errors that say on which connection. */
import type { Codec } from '../codec/codec.js'
import { errnoOf, systemError } from '../errors.js'
import { cannotDecode, encodeInto } from '../wait/coding.js'
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
      const message = Uint8Array.prototype.slice.call(bytes, offset, offset + length)
      throw cannotDecode(this.#codec, this.#address, message, cause)
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
    const length = encodeInto(this.#codec, value, target, offset, this.#address)
    // Said here, before memory is made for what cannot be sent.
    this.refuseIfTooLarge(Math.abs(length))
    return length
  }
}
