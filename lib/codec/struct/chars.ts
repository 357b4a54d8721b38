/** Text in a field of fixed size, as C keeps it. */
import { outOfRange, wrongType } from '../expected.js'
import { readField, writeField } from '../utf8.js'
import { checkLength, type FieldType, leafType } from './field.js'

/**
 * Text in C's `char name[size]`: UTF-8, padded with NUL bytes.
 *
 * Text may fill all bytes; then there is no NUL at the end, which C calls legal for an array and which
 * `strlen` must not be given (`strnlen(name, size)` is right). A program in C that wants a NUL always takes
 * one byte more. Reading ends at the first NUL and takes no notice of what lies behind it. Bytes that are not
 * UTF-8 are an error when they are read: use {@link bytes} for other encodings, and for text that the C side
 * cuts in the middle of a character.
 *
 * @param size - bytes, from 1 to 1,073,741,824; a character takes 1 to 4.
 * @returns A field type; writing throws a `TypeError` when the value is not a string, and a `RangeError`
 *   when it is too long, has a NUL character or a lone surrogate.
 * @throws TypeError or RangeError when `size` is not an integer in this range.
 * @example
 * ```ts
 * const tick = struct({ symbol: chars(8), price: f64 })
 * ```
 */
export function chars(size: number): FieldType<string> {
  checkLength('size', size)
  return leafType({
    word: 'char',
    c: 'char',
    python: 'c_char',
    lengths: [size],
    size,
    align: 1,
    type: 'string',
    expected: '',
    write(_view, bytes, at, value) {
      if (typeof value !== 'string') return false
      let end = writeField(value, bytes, at, size)
      if (end < 0) return false
      if (size - end > 32) bytes.fill(0, at + end, at + size)
      else for (; end < size; end++) bytes[at + end] = 0
      return true
    },
    read: (view, bytes, at) => readField(view, bytes, at, size),
    refusal(path, value) {
      const expected = `text of at most ${size} bytes in UTF-8`
      if (typeof value !== 'string') return wrongType(path, expected, value)
      if (!value.isWellFormed()) return outOfRange(path, 'text without lone surrogates', value)
      if (value.includes('\0')) return outOfRange(path, 'text without NUL characters', value)
      const error = outOfRange(path, expected, value)
      error.message += ` of ${Buffer.byteLength(value)} bytes`
      return error
    },
  })
}
