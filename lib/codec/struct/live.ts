/**
 * Views of structs and arrays where they lie: reading a property reads the memory, and setting it writes. What the bytes
 * mean is told by `field.ts`; the classes of views are made by `live-class.ts`.
 */
import { wrongType } from '../expected.js'
import { type FieldOutput, type FieldType, nativeLittle } from './field.js'
import { lanesOver } from './lanes.js'
import { classOf, copyOf, Live, typedAlign } from './live-class.js'

/**
 * A struct where it lies: each field is a property that reads and writes the memory. Fields that are structs or arrays
 * are views too; numbers, text and `bytes` are values, copied out and in. {@link snapshot} copies the whole.
 *
 * @example
 * ```ts
 * const quote: StructView<{ bid: number; ask: number }> = memory.view(struct({ bid: f64, ask: f64 }))
 * quote.bid = 3.5
 * ```
 */
export type StructView<T> = { [K in keyof T]: MemoryView<T[K]> }

/**
 * An array where it lies.
 *
 * @example
 * ```ts
 * const samples: ArrayView<number> = memory.view(array(f64, 1000))
 * for (let i = 0; i < samples.length; i++) samples.set(i, samples.get(i) * 2)
 * ```
 */
export interface ArrayView<T> extends Iterable<MemoryView<T>> {
  /** Elements. */
  readonly length: number
  /**
   * The element at `index`, from 0 to `length - 1`: a value, or a view when elements are structs or arrays.
   *
   * @throws RangeError when there is no such element.
   */
  get(index: number): MemoryView<T>
  /**
   * Writes the element at `index`.
   *
   * @throws TypeError or RangeError when there is no such element, or the value does not fit.
   */
  set(index: number, value: T): void
  /** Writes all elements; `values` has exactly `length`. */
  assign(values: ArrayLike<T>): void
}

/**
 * What a value of this kind is in memory: a view of structs and arrays, and of all else the value itself.
 *
 * @example
 * ```ts
 * type Position = MemoryView<{ x: number; y: number }> // StructView<{ x: number; y: number }>
 * ```
 */
export type MemoryView<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer E)[]
    ? ArrayView<E>
    : T extends object
      ? StructView<T>
      : T

/**
 * A view of a struct or array at `offset` of `bytes`, which has room for it.
 *
 * @param readonly - whether setting properties throws a `TypeError`.
 */
export function liveView<F extends FieldType<unknown>>(
  type: F,
  bytes: Uint8Array,
  offset: number,
  readonly: boolean,
): MemoryView<FieldOutput<F>> {
  const { shape, size } = type
  if (shape.kind === 'leaf') throw wrongType('type', 'a struct or an array', type.name)
  const little = shape.kind === 'struct' ? shape.little : nativeLittle
  // Typed arrays are indexed by `>>>`, which has 32 bits; the alignment of the memory itself is a page's.
  const align = typedAlign(shape, little)
  const typed =
    align !== 0 &&
    (bytes.byteOffset + offset) % align === 0 &&
    bytes.byteOffset === 0 &&
    offset + size < 2 ** 32
  const made = classOf(shape, size, { little, readonly, typed })
  return new made(lanesOver(bytes), offset) as unknown as MemoryView<FieldOutput<F>>
}

/**
 * Copies what a view shows: plain objects, arrays, numbers, text. The memory may change while it is copied, when
 * another process writes meanwhile.
 *
 * @param view - made by `memory.view()`, or a part of such a view.
 * @returns The value that the struct's `decode` gives.
 * @throws TypeError when `view` is none; `Error` when a `chars` field is not UTF-8.
 * @example
 * ```ts
 * const { bid, ask } = snapshot(memory.view(quote))
 * ```
 */
export function snapshot<T>(view: StructView<T>): T
export function snapshot<T>(view: ArrayView<T>): T[]
export function snapshot(view: unknown): unknown
export function snapshot(view: unknown): unknown {
  if (!(view instanceof Live)) throw wrongType('view', 'a view of memory', view)
  return copyOf(view)
}
