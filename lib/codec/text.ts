/** Text as strict UTF-8. */
import type { Codec } from './codec.js'
import { hexOf, wrongType } from './expected.js'
import { readUtf8, writeUtf8 } from './utf8.js'

/**
 * Sends strings as UTF-8. It is strict on both sides, so that no text changes on its way: a string with a
 * lone surrogate is refused, and so are bytes that are not UTF-8. A byte order mark is kept, NUL characters
 * are characters, and the empty string is a message of 0 bytes.
 *
 * @returns A codec; `encode` throws a `TypeError` when the value is not a well-formed string, `decode` an
 *   `Error` when the bytes are not UTF-8.
 * @example
 * ```ts
 * const lines = await Queue.open('fifo:/run/lines', { codec: text() })
 * await lines.put('grüezi')
 * ```
 */
export function text(): Codec<string> {
  return textCodec
}

const textCodec: Codec<string> = Object.freeze({
  name: 'text',
  encode(value: string, target: Uint8Array, offset: number): number {
    if (typeof value !== 'string') throw wrongType('value', 'a string', value)
    if (!value.isWellFormed()) throw wrongType('value', 'a string without lone surrogates', value)
    return writeUtf8(value, target, offset)
  },
  decode(bytes: Uint8Array, offset: number, length: number): string {
    return decodeText(bytes, offset, length)
  },
})

/** Reads UTF-8, or throws with the beginning of the bytes in the sentence. */
export function decodeText(bytes: Uint8Array, offset: number, length: number): string {
  const value = readUtf8(bytes, offset, length)
  if (value === undefined) {
    throw new Error(`The message of ${length} bytes is not UTF-8 text: ${hexOf(bytes, offset, length)}`)
  }
  return value
}
