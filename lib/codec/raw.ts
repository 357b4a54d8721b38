/** Bytes as they are. */
import type { Codec } from './codec.js'
import { wrongType } from './expected.js'

/**
 * Sends bytes as they are, and receives them as a Buffer of its own memory, which stays valid for ever.
 * Messages are 0 bytes and more.
 *
 * @param options - `view: true` receives without copying: the Buffer shows the memory into which messages are
 *   received, and is good only until this thread receives again, from any queue. For loops that are done with a
 *   message before they ask for the next, one at a time; a tenth to a half faster from 8 KiB on.
 * @returns A codec; `encode` throws a `TypeError` when the value is not a `Uint8Array` (a `Buffer` is one).
 * @example
 * ```ts
 * const frames = await Queue.open('posix:/frames', { codec: raw() })
 * await frames.put(Buffer.from([1, 2, 3]))
 * ```
 */
export function raw(options: { view?: boolean } = {}): Codec<Buffer, Uint8Array> {
  const { view = false } = options
  if (typeof view !== 'boolean') throw wrongType('view', 'true or false', view)
  return view ? viewCodec : copyCodec
}

function checkBytes(value: Uint8Array): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrongType('value', 'a Uint8Array', value)
  return value
}

const copyCodec: Codec<Buffer, Uint8Array> = Object.freeze({
  name: 'raw',
  bytesOf: checkBytes,
  encode(value: Uint8Array, target: Uint8Array, offset: number): number {
    checkBytes(value)
    if (value.length > target.length - offset) return -value.length
    target.set(value, offset)
    return value.length
  },
  decode(bytes: Uint8Array, offset: number, length: number): Buffer {
    return copyBytes(bytes, offset, length)
  },
})

const viewCodec: Codec<Buffer, Uint8Array> = Object.freeze({
  ...copyCodec,
  decode: viewBytes,
})

/** More than any one call brings. */
const mostViews = 512

let viewed: Uint8Array | undefined
const views = new Map<number, Buffer>()

/** A view of a part of `bytes`. Messages come to lie in the same places again and again: one Buffer serves for all. */
function viewBytes(bytes: Uint8Array, offset: number, length: number): Buffer {
  if (bytes !== viewed || views.size > mostViews) {
    viewed = bytes
    views.clear()
  }
  let view = views.get(offset)
  if (view === undefined || view.length !== length) {
    view = Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset + offset, length)
    views.set(offset, view)
  }
  return view
}

/** Copies a part of `bytes`. Up to 4 KiB comes out of Node's pool: 90 ns for 64 bytes, a fresh ArrayBuffer 600. */
export function copyBytes(bytes: Uint8Array, offset: number, length: number): Buffer {
  const copy = Buffer.allocUnsafe(length)
  if (length <= 16) for (let i = 0; i < length; i++) copy[i] = bytes[offset + i] as number
  else copy.set(bytes.subarray(offset, offset + length))
  return copy
}
