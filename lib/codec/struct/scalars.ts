/**
 * The types of C that hold one number: integers, floats and bool.
 *
 * Every `write` compares types first, so that no value's own code (valueOf) runs, and then tells by one
 * operation whether the number is in range. They are small functions because the compiled structs inline
 * them: 8 ns for five numbers (bench/codec.mjs).
 */
import { type FieldType, leafType } from './field.js'

const integers = (min: number, max: number): string => `an integer from ${min} to ${max}`
const bigints = (min: bigint, max: bigint): string => `a bigint from ${min}n to ${max}n`

const isI8 = (value: unknown): value is number => typeof value === 'number' && value === (value << 24) >> 24
const isU8 = (value: unknown): value is number => typeof value === 'number' && value === (value & 0xff)
const isI16 = (value: unknown): value is number => typeof value === 'number' && value === (value << 16) >> 16
const isU16 = (value: unknown): value is number => typeof value === 'number' && value === (value & 0xffff)
const isI32 = (value: unknown): value is number => typeof value === 'number' && value === (value | 0)
const isU32 = (value: unknown): value is number => typeof value === 'number' && value === value >>> 0
const isI64 = (value: unknown): value is bigint =>
  typeof value === 'bigint' && value === BigInt.asIntN(64, value)
const isU64 = (value: unknown): value is bigint =>
  typeof value === 'bigint' && value === BigInt.asUintN(64, value)

function isF32(value: unknown): value is number {
  if (typeof value !== 'number') return false
  // Infinity minus itself is NaN, so the first half says that the rounded number is not finite.
  return !(Math.fround(value) - Math.fround(value) !== 0 && value - value === 0)
}
const isF64 = (value: unknown): value is number => typeof value === 'number'

/**
 * C's `int8_t` (`signed char`): an integer from -128 to 127.
 * Writing another value throws a `TypeError` or `RangeError` that names the field.
 *
 * @example
 * ```ts
 * struct({ celsius: i8 })
 * ```
 */
export const i8: FieldType<number> = leafType({
  word: 'i8',
  c: 'int8_t',
  python: 'c_int8',
  size: 1,
  align: 1,
  type: 'number',
  expected: integers(-0x80, 0x7f),
  write(view, _bytes, at, value) {
    if (!isI8(value)) return false
    view.setInt8(at, value)
    return true
  },
  read: (view, _bytes, at) => view.getInt8(at),
  lane: { array: 'i8', accepts: isI8 },
})

/**
 * C's `uint8_t` (`unsigned char`): an integer from 0 to 255. Many of them are better {@link bytes}.
 * Writing another value throws a `TypeError` or `RangeError` that names the field.
 *
 * @example
 * ```ts
 * struct({ level: u8 })
 * ```
 */
export const u8: FieldType<number> = leafType({
  word: 'u8',
  c: 'uint8_t',
  python: 'c_uint8',
  size: 1,
  align: 1,
  type: 'number',
  expected: integers(0, 0xff),
  write(view, _bytes, at, value) {
    if (!isU8(value)) return false
    view.setUint8(at, value)
    return true
  },
  read: (view, _bytes, at) => view.getUint8(at),
  lane: { array: 'u8', accepts: isU8 },
})

/**
 * C's `int16_t` (`short`): an integer from -32768 to 32767.
 * Writing another value throws a `TypeError` or `RangeError` that names the field.
 *
 * @example
 * ```ts
 * struct({ sample: i16 })
 * ```
 */
export const i16: FieldType<number> = leafType({
  word: 'i16',
  c: 'int16_t',
  python: 'c_int16',
  size: 2,
  align: 2,
  type: 'number',
  expected: integers(-0x8000, 0x7fff),
  write(view, _bytes, at, value, little) {
    if (!isI16(value)) return false
    view.setInt16(at, value, little)
    return true
  },
  read: (view, _bytes, at, little) => view.getInt16(at, little),
  lane: { array: 'i16', accepts: isI16 },
})

/**
 * C's `uint16_t` (`unsigned short`): an integer from 0 to 65535.
 * Writing another value throws a `TypeError` or `RangeError` that names the field.
 *
 * @example
 * ```ts
 * struct({ port: u16 })
 * ```
 */
export const u16: FieldType<number> = leafType({
  word: 'u16',
  c: 'uint16_t',
  python: 'c_uint16',
  size: 2,
  align: 2,
  type: 'number',
  expected: integers(0, 0xffff),
  write(view, _bytes, at, value, little) {
    if (!isU16(value)) return false
    view.setUint16(at, value, little)
    return true
  },
  read: (view, _bytes, at, little) => view.getUint16(at, little),
  lane: { array: 'u16', accepts: isU16 },
})

/**
 * C's `int32_t` (`int`, `pid_t`): an integer from -2147483648 to 2147483647.
 * Writing another value throws a `TypeError` or `RangeError` that names the field.
 *
 * @example
 * ```ts
 * struct({ id: i32 })
 * ```
 */
export const i32: FieldType<number> = leafType({
  word: 'i32',
  c: 'int32_t',
  python: 'c_int32',
  size: 4,
  align: 4,
  type: 'number',
  expected: integers(-0x80000000, 0x7fffffff),
  write(view, _bytes, at, value, little) {
    if (!isI32(value)) return false
    view.setInt32(at, value, little)
    return true
  },
  read: (view, _bytes, at, little) => view.getInt32(at, little),
  lane: { array: 'i32', accepts: isI32 },
})

/**
 * C's `uint32_t` (`unsigned int`, `uid_t`): an integer from 0 to 4294967295.
 * Writing another value throws a `TypeError` or `RangeError` that names the field.
 *
 * @example
 * ```ts
 * struct({ sequence: u32 })
 * ```
 */
export const u32: FieldType<number> = leafType({
  word: 'u32',
  c: 'uint32_t',
  python: 'c_uint32',
  size: 4,
  align: 4,
  type: 'number',
  expected: integers(0, 0xffffffff),
  write(view, _bytes, at, value, little) {
    if (!isU32(value)) return false
    view.setUint32(at, value, little)
    return true
  },
  read: (view, _bytes, at, little) => view.getUint32(at, little),
  lane: { array: 'u32', accepts: isU32 },
})

/**
 * C's `int64_t` (`long`, `ssize_t` and `time_t` on 64-bit Linux): a bigint of -(2n ** 63n) to 2n ** 63n - 1n.
 * Writing another value throws a `TypeError` or `RangeError` that names the field.
 *
 * @example
 * ```ts
 * struct({ at: i64 }) // { at: bigint }
 * ```
 */
export const i64: FieldType<bigint> = leafType({
  word: 'i64',
  c: 'int64_t',
  python: 'c_int64',
  size: 8,
  align: 8,
  type: 'bigint',
  expected: bigints(-(2n ** 63n), 2n ** 63n - 1n),
  write(view, _bytes, at, value, little) {
    if (!isI64(value)) return false
    view.setBigInt64(at, value, little)
    return true
  },
  read: (view, _bytes, at, little) => view.getBigInt64(at, little),
  lane: { array: 'i64', accepts: isI64 },
})

/**
 * C's `uint64_t` (`unsigned long` and `size_t` on 64-bit Linux): a bigint from 0n to 2n ** 64n - 1n.
 * Writing another value throws a `TypeError` or `RangeError` that names the field.
 *
 * @example
 * ```ts
 * struct({ bytesSent: u64 }) // { bytesSent: bigint }
 * ```
 */
export const u64: FieldType<bigint> = leafType({
  word: 'u64',
  c: 'uint64_t',
  python: 'c_uint64',
  size: 8,
  align: 8,
  type: 'bigint',
  expected: bigints(0n, 2n ** 64n - 1n),
  write(view, _bytes, at, value, little) {
    if (!isU64(value)) return false
    view.setBigUint64(at, value, little)
    return true
  },
  read: (view, _bytes, at, little) => view.getBigUint64(at, little),
  lane: { array: 'u64', accepts: isU64 },
})

/**
 * C's `float`: a number, rounded to the nearest float (about 7 digits). NaN and the infinities are numbers;
 * a finite number that would round to an infinity, from 3.4028236e38 on, is refused.
 * Writing another value throws a `TypeError` or `RangeError` that names the field.
 *
 * @example
 * ```ts
 * struct({ volts: f32 })
 * ```
 */
export const f32: FieldType<number> = leafType({
  word: 'f32',
  c: 'float',
  python: 'c_float',
  size: 4,
  align: 4,
  type: 'number',
  expected: 'a number within the range of a 32-bit float',
  write(view, _bytes, at, value, little) {
    if (!isF32(value)) return false
    view.setFloat32(at, value, little)
    return true
  },
  read: (view, _bytes, at, little) => view.getFloat32(at, little),
  lane: { array: 'f32', accepts: isF32 },
})

/**
 * C's `double`: any number; NaN and the infinities are numbers.
 * Writing another value throws a `TypeError` or `RangeError` that names the field.
 *
 * @example
 * ```ts
 * struct({ price: f64 })
 * ```
 */
export const f64: FieldType<number> = leafType({
  word: 'f64',
  c: 'double',
  python: 'c_double',
  size: 8,
  align: 8,
  type: 'number',
  expected: 'a number',
  write(view, _bytes, at, value, little) {
    if (!isF64(value)) return false
    view.setFloat64(at, value, little)
    return true
  },
  read: (view, _bytes, at, little) => view.getFloat64(at, little),
  lane: { array: 'f64', accepts: isF64 },
})

/**
 * C's `bool`: one byte, written as 0 or 1; every byte but 0 reads as true.
 * Writing another value throws a `TypeError` or `RangeError` that names the field.
 *
 * @example
 * ```ts
 * struct({ open: bool })
 * ```
 */
export const bool: FieldType<boolean> = leafType({
  word: 'bool',
  c: 'bool',
  python: 'c_bool',
  size: 1,
  align: 1,
  type: 'boolean',
  expected: 'a boolean',
  write(view, _bytes, at, value) {
    if (typeof value !== 'boolean') return false
    view.setUint8(at, value ? 1 : 0)
    return true
  },
  read: (view, _bytes, at) => view.getUint8(at) !== 0,
})
