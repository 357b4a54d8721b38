/**
 * Values to messages and back, on the way into and out of one queue: where a codec meets a transport, and what goes
 * wrong between them is told.
 */
import type { Codec } from '../codec/codec.js'
import { DecodeError } from '../errors.js'
import { brokenCodec, cannotDecode, cannotEncode, encodeInto } from '../wait/coding.js'
import { type Inbox, inbox, startReading, stopReading } from '../wait/inbox.js'
import { Batch, encodeOne, type Write } from '../wait/outbox.js'
import type { Outgoing, Transport } from './transport.js'

/** Larger messages of a batch cost less in calls of their own than in copies. bench/one-to-one, 2026-11. */
const worthCopying = 1024

export class Packing<T, I> {
  readonly codec: Codec<T, I>
  readonly #transport: Transport
  readonly #write: Write<I> = (value, target, offset) => this.#encode(value, target, offset)

  constructor(codec: Codec<T, I>, transport: Transport) {
    this.codec = codec
    this.#transport = transport
  }

  /** The message of a value, which is only good until the next one is made. */
  one(value: I, label: number): Outgoing {
    if (this.codec.bytesOf === undefined) return encodeOne(this.#write, value, label)
    const bytes = this.#bytesOf(value)
    return { bytes, length: bytes.length, label }
  }

  /**
   * The messages of many values: a batch, into which they are written; or, where they are bytes already and the first
   * is large, those bytes where they lie.
   */
  many(values: Iterable<I>, label: number): Batch | Uint8Array[] {
    const batch = Batch.take()
    if (this.codec.bytesOf === undefined) {
      for (const value of values) batch.add(this.#write, value, label)
      return batch
    }
    const large: Uint8Array[] = []
    const copies = this.#transport.sendsTogether === true
    for (const value of values) {
      const bytes = this.#bytesOf(value)
      const stays = large.length > 0 || (batch.count === 0 && !copies && bytes.length >= worthCopying)
      if (stays) large.push(bytes)
      else batch.addBytes(bytes, label)
    }
    if (large.length === 0) return batch
    batch.release()
    return large
  }

  #encode(value: I, target: Uint8Array, offset: number): number {
    const length = encodeInto(this.codec, value, target, offset, this.#transport.address)
    // Said here, before memory is made for what cannot be sent.
    if (Math.abs(length) > this.#transport.maxMessageBytes) this.#refuseIfTooLarge(Math.abs(length))
    return length
  }

  #bytesOf(value: I): Uint8Array {
    let bytes: Uint8Array | undefined
    try {
      bytes = this.codec.bytesOf?.(value)
    } catch (cause) {
      throw cannotEncode(this.codec, this.#transport.address, cause)
    }
    if (!(bytes instanceof Uint8Array)) {
      const what = 'has a bytesOf that does not give a Uint8Array'
      throw brokenCodec(this.codec, this.#transport.address, what)
    }
    if (bytes.length > this.#transport.maxMessageBytes) this.#refuseIfTooLarge(bytes.length)
    return bytes
  }

  #refuseIfTooLarge(length: number): void {
    // Someone may have made the queue larger since it was looked at.
    this.#transport.stat()
    if (length > this.#transport.maxMessageBytes) throw this.#transport.tooLarge(length)
  }

  /** The value of a message in the inbox. */
  decode(box: Inbox, at: number): T {
    const offset = box.offset(at)
    const length = box.length(at)
    const damage = this.#transport.damage?.(box.label(at))
    if (damage !== undefined) {
      throw new DecodeError(
        `Cannot decode ${length} bytes from ${this.#transport.address}: ${damage}; the bytes are on the error`,
        box.bytes.slice(offset, offset + length),
        { resource: this.#transport.address },
      )
    }
    try {
      return this.codec.decode(box.bytes, offset, length)
    } catch (cause) {
      const bytes = box.bytes.slice(offset, offset + length)
      const { address } = this.#transport
      throw cannotDecode(this.codec, address, bytes, cause, this.#transport.facts(box.label(at)))
    }
  }

  /** The value of the message that was laid into the inbox just now, alone. */
  decodeOnly(): T {
    const box = inbox()
    startReading()
    try {
      return this.decode(box, 0)
    } finally {
      stopReading()
    }
  }

  /** The values of some, or the error of the first that is none, with all of them on it. */
  decodeMany(box: Inbox, first: number, count: number): T[] {
    const values: T[] = []
    const failures: DecodeError[] = []
    for (let at = first; at < first + count; at++) {
      try {
        values.push(this.decode(box, at))
      } catch (error) {
        failures.push(error as DecodeError)
      }
    }
    const [failure] = failures
    if (failure === undefined) return values
    failure.batch = { values, failures }
    throw failure
  }
}
