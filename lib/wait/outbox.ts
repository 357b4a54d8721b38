/**
 * Memory in which values are encoded on their way out: one piece for single messages, which is used again
 * for every message, and batches of many.
 */
import type { Outgoing, OutgoingBatch } from '../queue/transport.js'
import { highOf, joinLabel, lowOf } from './label.js'

/** Writes a value from `offset` on: the number of bytes, or the negative of the bytes that are needed. */
export type Write<V> = (value: V, target: Uint8Array, offset: number) => number

/** Room in front of each message of a batch: msgsnd(2) wants the type there, a FIFO the size. */
const headerBytes = 8
/** Room behind it, up to the next multiple of 8: a FIFO wants the end of a record there. */
const endBytes = 4

/** Where the next message of a batch may begin, behind one that ends here. */
const behind = (end: number) => (end + endBytes + 7) & ~7

const defaultBytes = 64 * 1024

/** Memory that a rare large message needed is not kept for the next. */
const mostKeptBytes = 4 * 1024 * 1024

let scratch: Uint8Array | undefined
let writing = false

/** Encodes one value. The bytes are only good until the next call; {@link keep} copies them. */
export function encodeOne<V>(write: Write<V>, value: V, label: number): Outgoing {
  // A getter or toJSON in the value may itself put into a queue while we write: it gets other memory.
  let target = scratch !== undefined && !writing ? scratch : new Uint8Array(defaultBytes)
  writing = true
  try {
    let length = write(value, target, 0)
    while (length < 0) {
      target = new Uint8Array(Math.max(-length, target.length * 2))
      length = write(value, target, 0)
    }
    if (target.length <= mostKeptBytes) scratch = target
    return { bytes: target, length, label }
  } finally {
    writing = false
  }
}

/** The message in memory of its own, for as long as it must wait. */
export function keep(message: Outgoing): OutgoingBatch {
  const bytes = new Uint8Array(behind(headerBytes + message.length))
  bytes.set(message.bytes.subarray(0, message.length), headerBytes)
  const index = Int32Array.of(headerBytes, message.length, lowOf(message.label), highOf(message.label))
  return { bytes, index, count: 1 }
}

/** One message of a batch. */
export function messageAt(batch: OutgoingBatch, at: number): Outgoing {
  const [offset, length, low, high] = batch.index.subarray(at * 4, at * 4 + 4) as unknown as number[]
  const start = offset as number
  return {
    bytes: batch.bytes.subarray(start, start + (length as number)),
    length: length as number,
    label: joinLabel(low as number, high as number),
  }
}

/** The bytes of one message of a batch. */
export function lengthAt(batch: OutgoingBatch, at: number): number {
  return batch.index[at * 4 + 1] as number
}

let spare: Batch | undefined

/** Many encoded messages in one piece of memory, which is used again for the next batch. */
export class Batch implements OutgoingBatch {
  /** An empty batch. One that is being filled, while user code runs, is nobody else's. */
  static take(): Batch {
    const batch = spare ?? new Batch()
    spare = undefined
    return batch
  }

  /** The batch of bytes as they are. */
  static of(all: readonly Uint8Array[], label: number): Batch {
    const batch = Batch.take()
    for (const bytes of all) batch.addBytes(bytes, label)
    return batch
  }

  private constructor() {}

  bytes = new Uint8Array(defaultBytes)
  index = new Int32Array(256 * 4)
  count = 0
  #end = 0

  add<V>(write: Write<V>, value: V, label: number): void {
    const offset = this.#end + headerBytes
    this.#reserve(offset)
    let length = write(value, this.bytes, offset)
    while (length < 0) {
      this.#reserve(offset - length)
      length = write(value, this.bytes, offset)
    }
    this.#reserve(behind(offset + length))
    this.#enter(offset, length, label)
  }

  /** Adds bytes as they are. */
  addBytes(bytes: Uint8Array, label: number): void {
    const offset = this.#end + headerBytes
    const { length } = bytes
    this.#reserve(behind(offset + length))
    this.bytes.set(bytes, offset)
    this.#enter(offset, length, label)
  }

  /** All of it is in the queue. */
  release(): void {
    this.count = 0
    this.#end = 0
    if (this.bytes.length <= mostKeptBytes) spare = this
  }

  #enter(offset: number, length: number, label: number): void {
    const at = this.count * 4
    if (at === this.index.length) {
      const larger = new Int32Array(at * 2)
      larger.set(this.index)
      this.index = larger
    }
    this.index[at] = offset
    this.index[at + 1] = length
    this.index[at + 2] = lowOf(label)
    this.index[at + 3] = highOf(label)
    this.count++
    this.#end = behind(offset + length)
  }

  #reserve(bytes: number): void {
    if (bytes <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(bytes, this.bytes.length * 2))
    larger.set(this.bytes)
    this.bytes = larger
  }
}
