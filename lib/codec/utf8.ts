/**
 * Strict UTF-8, into and out of memory that is there already. Everything in this folder that holds text
 * goes through here.
 *
 * `utf8Write` and `utf8Slice` are Buffer's own workers: they take any Uint8Array, where the documented
 * `write` and `toString` would need a Buffer made around it, and `TextEncoder.encodeInto` a subarray.
 */
/// <reference lib="es2024.string" />
import { isUtf8 } from 'node:buffer'

interface BufferWorkers {
  utf8Write(this: Uint8Array, text: string, offset: number, length: number): number
  utf8Slice(this: Uint8Array, start: number, end: number): string
  latin1Slice(this: Uint8Array, start: number, end: number): string
}
const { utf8Write, utf8Slice, latin1Slice } = Buffer.prototype as unknown as BufferWorkers

// Loops in JavaScript beat the call into Buffer, of 75 ns or more, up to these lengths (bench/codec.mjs, Node 20).
const shortWrite = 20
const shortRead = 8
const shortAscii = 16

/** Writes short text whose characters are all from U+0001 to U+007F; gives the bytes written, or -1. */
function writeShort(text: string, target: Uint8Array, offset: number): number {
  const length = text.length
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0 || code > 127) return -1
    target[offset + i] = code
  }
  return length
}

/**
 * Writes well-formed `text`; the caller has seen to that.
 *
 * @returns The bytes written, or the negative of the bytes needed when `target` is too small.
 */
export function writeUtf8(text: string, target: Uint8Array, offset: number): number {
  const room = target.length - offset
  if (text.length <= shortWrite && text.length <= room) {
    const written = writeShort(text, target, offset)
    if (written >= 0) return written
  }
  if (text.length * 3 > room) {
    const needed = Buffer.byteLength(text)
    if (needed > room) return -needed
  }
  return utf8Write.call(target, text, offset, room)
}

/**
 * Writes `text` into a field of `size` bytes, as C strings are: without NUL characters, well-formed.
 *
 * @returns The bytes written, or -1 when the text is not such or takes more than `size` bytes.
 */
export function writeField(text: string, target: Uint8Array, offset: number, size: number): number {
  if (text.length > size) return -1
  if (text.length <= shortWrite) {
    const written = writeShort(text, target, offset)
    if (written >= 0) return written
  }
  if (text.includes('\0')) return -1
  const written = utf8Write.call(target, text, offset, size)
  // utf8Write stops before the first character that does not fit, and none takes more than 4 bytes.
  if (written > size - 4 && Buffer.byteLength(text) !== written) return -1
  // As many bytes as characters are ASCII; lone surrogates are no UTF-8.
  return written === text.length || text.isWellFormed() ? written : -1
}

/** Reads UTF-8; gives undefined when the bytes are not. */
export function readUtf8(bytes: Uint8Array, offset: number, length: number): string | undefined {
  const end = offset + length
  if (length <= shortRead) {
    let text = ''
    let i = offset
    for (; i < end; i++) {
      const byte = bytes[i] as number
      if (byte > 127) break
      text += String.fromCharCode(byte)
    }
    if (i === end) return text
  }
  const text = utf8Slice.call(bytes, offset, end)
  // Malformed bytes come out as U+FFFD. A text that has one is rare enough to be looked at twice.
  if (text.includes('\ufffd') && !isUtf8(bytes.subarray(offset, end))) return undefined
  return text
}

/** Reads a field of `size` bytes, over which `view` lies too, as C does: up to the first NUL. */
export function readField(view: DataView, bytes: Uint8Array, at: number, size: number): string | undefined {
  const limit = at + size
  let end = at
  let bits = 0
  for (; end + 4 <= limit; end += 4) {
    const word = view.getInt32(end, true)
    // True when one of the four bytes is 0 (Lamport's test; Warren, Hacker's Delight, 6-1).
    if (((word - 0x01010101) & ~word & 0x80808080) !== 0) break
    bits |= word
  }
  bits &= 0x80808080
  for (; end < limit; end++) {
    const byte = bytes[end] as number
    if (byte === 0) break
    bits |= byte & 0x80
  }
  if (bits !== 0) return readUtf8(bytes, at, end - at)
  // All ASCII: nothing left to check.
  return end - at <= shortAscii ? readShort(bytes, at, end) : latin1Slice.call(bytes, at, end)
}

function readShort(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  let i = start
  for (; i + 4 <= end; i += 4) {
    text += String.fromCharCode(
      bytes[i] as number,
      bytes[i + 1] as number,
      bytes[i + 2] as number,
      bytes[i + 3] as number,
    )
  }
  for (; i < end; i++) text += String.fromCharCode(bytes[i] as number)
  return text
}
