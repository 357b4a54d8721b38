/** Structs of C: where the fields lie, and the codec over them. */
import type { Codec } from '../codec.js'
import { outOfRange, wrongType } from '../expected.js'
import { compile } from './compile.js'
import {
  type FieldInput,
  type FieldOutput,
  type FieldType,
  isFieldType,
  isIdentifier,
  nativeLittle,
  type StructShape,
} from './field.js'
import { viewOf } from './view.js'

/**
 * The fields of a struct by name, in their order.
 *
 * @example
 * ```ts
 * const fields: StructFields = { id: i32, price: f64 }
 * ```
 */
export interface StructFields {
  readonly [name: string]: FieldType<unknown>
}

/**
 * What a struct of these fields is read as.
 *
 * @example
 * ```ts
 * type Tick = StructOutput<{ id: typeof i32 }> // { id: number }
 * ```
 */
export type StructOutput<F> = { -readonly [K in keyof F]: FieldOutput<F[K]> }

/**
 * What a struct of these fields is written from.
 *
 * @example
 * ```ts
 * type Tick = StructInput<{ id: typeof i32 }> // { id: number }
 * ```
 */
export type StructInput<F> = { -readonly [K in keyof F]: FieldInput<F[K]> }

/**
 * How a {@link struct} lies in memory.
 *
 * @example
 * ```ts
 * const header = struct({ kind: u8, length: u32 }, { packed: true, endian: 'big' })
 * header.size // 5
 * ```
 */
export interface StructOptions {
  /** No padding: the fields follow each other, as with GCC's `__attribute__((packed))`. Default `false`. */
  packed?: boolean | undefined
  /** The order of the bytes in a number. Default: this machine's, which is `'little'` on x86-64 and ARM. */
  endian?: 'little' | 'big' | undefined
}

/**
 * Where a field of a struct lies.
 *
 * @example
 * ```ts
 * for (const { name, offset, size } of tick.fields) console.log(name, offset, size)
 * ```
 */
export interface StructField {
  readonly name: string
  /** Bytes from the beginning of the struct, as C's `offsetof`. */
  readonly offset: number
  /** Bytes, as C's `sizeof`. */
  readonly size: number
  readonly type: FieldType<unknown>
}

/**
 * A codec that is laid out like a struct of C; made by {@link struct} and {@link parseStruct}. It can be the
 * type of a field or of an array's elements.
 *
 * @typeParam T - what reading gives.
 * @typeParam I - what writing takes.
 * @example
 * ```ts
 * const point: StructCodec<{ x: number; y: number }> = struct({ x: f32, y: f32 })
 * ```
 */
export interface StructCodec<T, I = T> extends Codec<T, I>, FieldType<T, I> {
  /** The layout in one line: `struct{id:i32,px:f64}`; {@link parseStruct} reads it. */
  readonly name: string
  /** The fields in their order. */
  readonly fields: readonly StructField[]
}

/**
 * A struct of C as a codec: the same bytes that the C compiler lays out for these fields in this order, on
 * any 64-bit Linux. Every message is exactly `size` bytes. It is also the fastest codec there is: it is
 * compiled for its fields.
 *
 * Fields are aligned as C aligns them and the size is rounded up as `sizeof` is; the padding is written as
 * zeros. A nested struct keeps the packing and the byte order that it was made with. Pointers mean nothing in
 * another process and have no type here. Properties of a value that are not fields are ignored.
 *
 * @param fields - at least one; a name that looks like an array index is refused, since JavaScript would
 *   move it to the front.
 * @returns A codec; `encode` throws a `TypeError` or `RangeError` that names the field when the value does not
 *   fit its type. `decode` throws an `Error` when a message has another size or a `chars` field is not UTF-8.
 * @throws TypeError or RangeError when the fields or the options are not such, or the struct would be larger
 *   than 1 GiB.
 * @example
 * ```ts
 * // struct { int id; double px; char sym[8]; }
 * const tick = struct({ id: i32, px: f64, sym: chars(8) })
 * tick.size // 24
 * const ticks = await Queue.open('sysv:0x1234', { codec: tick })
 * await ticks.put({ id: 7, px: 101.25, sym: 'ACME' })
 * ```
 */
export function struct<F extends StructFields>(
  fields: F,
  options: StructOptions = {},
): StructCodec<StructOutput<F>, StructInput<F>> {
  const shape = layOut(checkFields(fields), checkOptions(options))
  const { size } = shape
  const { write, read } = compile(shape)
  const name = nameOf(shape)
  return Object.freeze({
    name,
    size,
    align: shape.align,
    shape,
    fields: shape.fields,
    encode(value: StructInput<F>, target: Uint8Array, offset: number): number {
      if (target.length - offset < size) return -size
      write(viewOf(target), target, offset, value)
      return size
    },
    decode(bytes: Uint8Array, offset: number, length: number): StructOutput<F> {
      if (length !== size)
        throw new Error(`Expected a message of ${size} bytes for ${name}, received ${length} bytes`)
      return read(viewOf(bytes), bytes, offset) as StructOutput<F>
    },
  })
}

interface Layout extends StructShape {
  readonly fields: readonly StructField[]
  readonly align: number
}

/** The rule of every System V ABI: each field at the next multiple of its alignment, the whole likewise. */
function layOut(types: [string, FieldType<unknown>][], { packed, endian }: Required<StructOptions>): Layout {
  const fields: StructField[] = []
  let end = 0
  let align = 1
  for (const [name, type] of types) {
    const fieldAlign = packed === true ? 1 : type.align
    const offset = roundUp(end, fieldAlign)
    fields.push(Object.freeze({ name, offset, size: type.size, type }))
    end = offset + type.size
    align = Math.max(align, fieldAlign)
  }
  const size = roundUp(end, align)
  if (size > maxSize) throw outOfRange('fields', `fields of at most ${maxSize} bytes`, size)
  return Object.freeze({
    kind: 'struct',
    fields: Object.freeze(fields),
    size,
    align,
    packed: packed === true,
    little: endian === 'little',
  })
}

const maxSize = 0x40000000
const nativeEndian = nativeLittle ? 'little' : 'big'

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple
}

/** Names everything that decides about the bytes; the byte order only where it is not the machine's. */
function nameOf({ fields, packed, little }: Layout): string {
  const endian = little ? 'little' : 'big'
  const words = `struct${packed ? ' packed' : ''}${endian === nativeEndian ? '' : ` ${endian}`}`
  const list = fields.map(
    ({ name, type }) => `${isIdentifier(name) ? name : JSON.stringify(name)}:${type.name}`,
  )
  return `${words}{${list.join(',')}}`
}

function checkFields(fields: unknown): [string, FieldType<unknown>][] {
  if (typeof fields !== 'object' || fields === null)
    throw wrongType('fields', 'an object of field types', fields)
  const prototype: unknown = Object.getPrototypeOf(fields)
  if (prototype !== Object.prototype && prototype !== null) {
    // `{ __proto__: i32 }` sets the prototype and would lose the field.
    throw wrongType('fields', "a plain object (a field called __proto__ is written ['__proto__'])", fields)
  }
  const entries = Object.entries(fields)
  if (entries.length === 0) throw wrongType('fields', 'at least one field', fields)
  for (const [name, type] of entries) {
    if (name === '' || /^\d+$/.test(name))
      throw wrongType('fields', 'names that are not numbers or empty', name)
    if (!isFieldType(type)) throw wrongType(`fields.${name}`, 'a field type such as i32 or chars(8)', type)
  }
  return entries
}

function checkOptions(options: StructOptions): Required<StructOptions> {
  if (typeof options !== 'object' || options === null) throw wrongType('options', 'an object', options)
  for (const key of Object.keys(options)) {
    if (key !== 'packed' && key !== 'endian')
      throw wrongType('options', 'only the options packed, endian', { [key]: undefined })
  }
  const { packed = false, endian = nativeEndian } = options
  if (typeof packed !== 'boolean') throw wrongType('packed', 'a boolean', packed)
  if (endian !== 'little' && endian !== 'big') throw wrongType('endian', "'little' or 'big'", endian)
  return { packed, endian }
}
