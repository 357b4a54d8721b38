/**
 * What the type of a struct's field is: its size and alignment as the C compiler has them, and how it is
 * written, read and spelled. Everything that works on structs (layout, compiler, interpreter, generators)
 * works on this one description.
 */
import { endianness } from 'node:os'
import { outOfRange, wrongType } from '../expected.js'

/**
 * The type of a struct's field: `i32`, `chars(8)`, `array(f64, 3)`, or another struct. Made by those
 * functions; a program only passes it on.
 *
 * @typeParam T - what reading gives.
 * @typeParam I - what writing takes.
 * @example
 * ```ts
 * const price: FieldType<number> = f64
 * const quote = struct({ bid: price, ask: price })
 * ```
 */
export interface FieldType<T, I = T> {
  /** As {@link parseStruct} reads it: `i32`, `char[8]`, `struct{x:f32,y:f32}[2]`. */
  readonly name: string
  /** Bytes, as C's `sizeof`. */
  readonly size: number
  /** Bytes, as C's `alignof`: 1, 2, 4 or 8. */
  readonly align: number
  /** How it is made, for ipckit's own use; may change in any version. */
  readonly shape: Shape
  /** Carries the types; there is never a value. */
  readonly '~types'?: { readonly output: T; readonly input: I } | undefined
}

/**
 * What reading a field of this type gives.
 *
 * @example
 * ```ts
 * type Price = FieldOutput<typeof f64> // number
 * ```
 */
export type FieldOutput<F> = F extends FieldType<infer T, unknown> ? T : never

/**
 * What writing a field of this type takes.
 *
 * @example
 * ```ts
 * const payload = bytes(16)
 * type Payload = FieldInput<typeof payload> // Uint8Array
 * ```
 */
export type FieldInput<F> = F extends FieldType<unknown, infer I> ? I : never

export type Shape = Leaf | ArrayShape | StructShape

/** A type that is written and read by functions of its own. */
export interface Leaf {
  readonly kind: 'leaf'
  /** Our word, C's and Python's (in ctypes) for one element. */
  readonly word: string
  readonly c: string
  readonly python: string
  /** How many elements, when C sees an array: `[8]` for `char sym[8]`. */
  readonly lengths: readonly number[]
  /**
   * Writes `value` at index `at` of `bytes`, over which `view` lies too.
   *
   * @returns Whether it could; when not, nothing that matters was written.
   */
  write(view: DataView, bytes: Uint8Array, at: number, value: unknown, little: boolean): boolean
  /** @returns The value; undefined when the bytes are not one. */
  read(view: DataView, bytes: Uint8Array, at: number, little: boolean): unknown
  /** Says what is wrong with a value that could not be written. */
  refusal(path: string, value: unknown): Error
  /** Of a number that a typed array holds as well, in the machine's order of bytes and on a multiple of its size. */
  readonly lane?: Lane
}

/** A typed array by our word for its elements, and what may be written into it. */
export interface Lane {
  readonly array: 'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'i64' | 'u64' | 'f32' | 'f64'
  accepts(value: unknown): boolean
}

export interface ArrayShape {
  readonly kind: 'array'
  readonly element: FieldType<unknown>
  readonly length: number
}

export interface StructShape {
  readonly kind: 'struct'
  readonly fields: readonly PlacedField[]
  readonly size: number
  readonly packed: boolean
  readonly little: boolean
}

export interface PlacedField {
  readonly name: string
  /** Bytes from the beginning of the struct. */
  readonly offset: number
  readonly type: FieldType<unknown>
}

/** Whether this machine is little-endian, as all are that most people meet. */
export const nativeLittle = endianness() === 'LE'

/** Makes a leaf type; `expected` completes "Expected X for `name`". */
export function leafType<T, I = T>(
  description: Omit<Leaf, 'kind' | 'lengths' | 'refusal'> & {
    size: number
    align: number
    /** What `typeof` says of a value of this type. */
    type: 'number' | 'bigint' | 'boolean' | 'string' | 'object'
    expected: string
    lengths?: readonly number[]
    refusal?: Leaf['refusal']
  },
): FieldType<T, I> {
  const { word, c, python, size, align, type, expected, lengths = [], write, read } = description
  const refusal = (path: string, value: unknown): Error =>
    typeof value === type ? outOfRange(path, expected, value) : wrongType(path, expected, value)
  const shape: Leaf = Object.freeze({
    kind: 'leaf',
    word,
    c,
    python,
    lengths,
    write,
    read,
    refusal: description.refusal ?? refusal,
    ...(description.lane && { lane: description.lane }),
  })
  return Object.freeze({ name: word + dimensions(lengths), size, align, shape })
}

export function isFieldType(value: unknown): value is FieldType<unknown> {
  const kind = (value as { shape?: { kind?: unknown } } | null | undefined)?.shape?.kind
  return kind === 'leaf' || kind === 'array' || kind === 'struct'
}

/** Takes arrays apart, C's way: what one element is, and how many there are in each dimension. */
export function unwrap(type: FieldType<unknown>): {
  core: FieldType<unknown>
  shape: Leaf | StructShape
  lengths: number[]
} {
  const lengths: number[] = []
  let core = type
  while (core.shape.kind === 'array') {
    lengths.push(core.shape.length)
    core = core.shape.element
  }
  if (core.shape.kind === 'leaf') lengths.push(...core.shape.lengths)
  return { core, shape: core.shape, lengths }
}

/** `[3][8]` */
export function dimensions(lengths: readonly number[]): string {
  return lengths.map((length) => `[${length}]`).join('')
}

/** The path of a member in error sentences: `.x`, or `["odd name"]`. */
export function memberPath(name: string): string {
  return isIdentifier(name) ? `.${name}` : `[${JSON.stringify(name)}]`
}

/** Whether C, Python and our own one-line descriptions can say this name as it is. */
export function isIdentifier(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
}

/** A path as sentences say it: `pos[1].x`, and `value` for the message itself. */
export function spokenPath(path: string): string {
  return path === '' ? 'value' : path.replace(/^\./, '')
}

/** The longest array, and the largest field: 1 GiB, so that sizes stay in 32 bits. */
const maxLength = 0x40000000

export function checkLength(name: string, length: unknown): void {
  const expected = `an integer from 1 to ${maxLength}`
  if (typeof length !== 'number') throw wrongType(name, expected, length)
  if (!Number.isInteger(length) || length < 1 || length > maxLength) throw outOfRange(name, expected, length)
}
