/** Fields of many elements: arrays of any type, and bytes as they are. */
import { wrongType } from '../expected.js'
import { copyBytes } from '../raw.js'
import { checkLength, dimensions, type FieldType, isFieldType, leafType, unwrap } from './field.js'

/**
 * C's `type name[length]`. Elements may be of any type: numbers, text, structs, arrays.
 *
 * @param type - what one element is.
 * @param length - elements, from 1 to 1,073,741,824; values have exactly this many.
 * @returns A field type that gives an Array, and takes anything with `length` and indexes, such as an Array or
 *   a Float64Array. Writing throws a `TypeError` when the value has another length, or whatever the
 *   element's type throws.
 * @throws TypeError or RangeError when `type` is not a field type or `length` not an integer in this range.
 * @example
 * ```ts
 * const box = struct({ corners: array(struct({ x: f32, y: f32 }), 4) })
 * ```
 */
export function array<T, I>(type: FieldType<T, I>, length: number): FieldType<T[], ArrayLike<I>> {
  if (!isFieldType(type)) throw wrongType('type', 'a field type such as i32 or chars(8)', type)
  checkLength('length', length)
  const inner = unwrap(type)
  const word = inner.shape.kind === 'leaf' ? inner.shape.word : inner.core.name
  return Object.freeze({
    name: word + dimensions([length, ...inner.lengths]),
    size: type.size * length,
    align: type.align,
    shape: Object.freeze({ kind: 'array', element: type, length }),
  })
}

/**
 * Bytes as they are: C's `uint8_t name[size]`. They are written from any Uint8Array of exactly this size, and
 * read as a Buffer of its own memory.
 *
 * @param size - bytes, from 1 to 1,073,741,824.
 * @returns A field type; writing throws a `TypeError` or `RangeError` when the value is not a Uint8Array of
 *   this size.
 * @throws TypeError or RangeError when `size` is not an integer in this range.
 * @example
 * ```ts
 * const packet = struct({ from: u32, digest: bytes(32) })
 * ```
 */
export function bytes(size: number): FieldType<Buffer, Uint8Array> {
  checkLength('size', size)
  return leafType({
    word: 'u8',
    c: 'uint8_t',
    python: 'c_uint8',
    lengths: [size],
    size,
    align: 1,
    type: 'object',
    expected: `a Uint8Array of ${size} bytes`,
    write(_view, target, at, value) {
      if (!(value instanceof Uint8Array) || value.length !== size) return false
      target.set(value, at)
      return true
    },
    read: (_view, source, at) => copyBytes(source, at, size),
  })
}
