/** Values of one type that lie one after the other in shared memory: read, written, and changed in one step. */
import { type FieldType, isFieldType, type Lane } from '../codec/struct/field.js'
import { u32, u64 } from '../codec/struct/scalars.js'
import { type StructCodec, struct } from '../codec/struct/struct.js'
import { type AtomicType, kindOf } from '../mapping/atomic.js'
import { Mapping } from '../mapping/mapping.js'
import { wrongType } from '../options.js'

/** The bytes of a value in shared memory. */
export class ValueMemory extends Mapping {
  constructor(resource: string, handle: number) {
    super({ resource, handle, readonly: false })
  }
}

export const typedArrays = {
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  f32: Float32Array,
  f64: Float64Array,
} as const

export type TypedArray = InstanceType<(typeof typedArrays)[keyof typeof typedArrays]>

export function checkType<F extends FieldType<unknown>>(type: F): F {
  if (isFieldType(type)) return type
  throw wrongType('type', 'a type such as i32, chars(8) or struct({...})', type)
}

/** How a type is written and read anywhere: as the only field of a struct, which has its size. */
type Cell<T, I> = StructCodec<{ value: T }, { value: I }>

export function cellOf<T, I>(type: FieldType<T, I>): Cell<T, I> {
  return struct({ value: type }) as unknown as Cell<T, I>
}

/** The bytes of a value. */
export function encode<T, I>(type: FieldType<T, I>, value: I): Uint8Array {
  const bytes = Buffer.alloc(type.size)
  cellOf(type).encode({ value }, bytes, 0)
  return bytes
}

export class Cells<T, I> {
  readonly #memory: Mapping
  readonly #type: FieldType<T, I>
  readonly #cell: Cell<T, I>

  constructor(memory: Mapping, type: FieldType<T, I>) {
    this.#memory = memory
    this.#type = type
    this.#cell = cellOf(type)
  }

  read(index: number): T {
    return this.#memory.readStruct(this.#cell, index * this.#type.size).value
  }

  write(index: number, value: I): void {
    this.#memory.writeStruct(this.#cell, { value }, index * this.#type.size)
  }

  add(index: number, amount: T): T {
    const word = this.#word(index)
    if (word !== undefined) return word.add(amount as never) as T
    const lane = this.#lane('amount', amount)
    return this.#change(index, lane, (before) => before + (amount as number))
  }

  compareExchange(index: number, expected: T, replacement: T): T {
    const word = this.#word(index)
    if (word !== undefined) return word.compareExchange(expected as never, replacement as never) as T
    this.#lane('expected', expected)
    const lane = this.#lane('replacement', replacement)
    return this.#change(index, lane, (before) =>
      // NaN is what it is, here.
      before === expected || (Number.isNaN(before) && Number.isNaN(expected))
        ? (replacement as number)
        : undefined,
    )
  }

  /** Where the machine changes such a number in one step. */
  #word(index: number) {
    if (kindOf(this.#type) === undefined) return undefined
    return this.#memory.atomic(this.#type as unknown as AtomicType<number | bigint>, index * this.#type.size)
  }

  #lane(name: string, value: unknown): Lane {
    const { shape } = this.#type
    const lane = shape.kind === 'leaf' ? shape.lane : undefined
    if (lane === undefined || shape.kind !== 'leaf')
      throw wrongType('type', 'a type of numbers, such as i32 or f64', this.#type.name)
    if (!lane.accepts(value)) throw shape.refusal(name, value)
    return lane
  }

  /**
   * Changes a number within the word that holds it, again until nobody else has changed that word meanwhile. Sums wrap
   * around, as in C; `change` returns undefined to leave it.
   *
   * @returns What was there before.
   */
  #change(index: number, lane: Lane, change: (before: number) => number | undefined): T {
    const { size } = this.#type
    const at = index * size
    const wordBytes = size === 8 ? 8 : 4
    const from = at - (at % wordBytes)
    const word = size === 8 ? this.#memory.atomic(u64, from) : this.#memory.atomic(u32, from)
    const scratch = new ArrayBuffer(8)
    const whole = size === 8 ? new BigUint64Array(scratch) : new Uint32Array(scratch)
    const numbers = new typedArrays[lane.array](scratch) as unknown as number[]
    const place = (at - from) / size
    for (;;) {
      const seen = word.load()
      whole[0] = seen as never
      const before = numbers[place] as number
      const after = change(before)
      if (after === undefined) return before as T
      numbers[place] = after
      if (word.compareExchange(seen as never, whole[0] as never) === seen) return before as T
    }
  }
}
