/** Words of shared memory that several processes change at the same time. */
import type { FieldType } from '../codec/struct/field.js'
import { outOfRange, wrongType } from '../options.js'

/** The type of a word: `i32`, `u32`, `i64` or `u64`. */
export type AtomicType<T extends number | bigint> = FieldType<T>

/** How one kind of word is said to the addon, which knows words without sign alone. */
export interface AtomicKind {
  readonly bits: 32 | 64
  readonly expected: string
  /** Whether the value is one of this kind. */
  accepts(value: never): boolean
  unsigned(value: never): number | bigint
  /** Back from the word without sign. */
  signed(word: never): number | bigint
}

const kinds: Record<string, AtomicKind> = {
  i32: {
    bits: 32,
    expected: 'an integer from -2147483648 to 2147483647',
    accepts: (value: number) => value === (value | 0),
    unsigned: (value: number) => value >>> 0,
    signed: (word: number) => word | 0,
  },
  u32: {
    bits: 32,
    expected: 'an integer from 0 to 4294967295',
    accepts: (value: number) => value === value >>> 0,
    unsigned: (value: number) => value,
    signed: (word: number) => word,
  },
  i64: {
    bits: 64,
    expected: 'a bigint from -9223372036854775808n to 9223372036854775807n',
    accepts: (value: bigint) => value === BigInt.asIntN(64, value),
    unsigned: (value: bigint) => BigInt.asUintN(64, value),
    signed: (word: bigint) => BigInt.asIntN(64, word),
  },
  u64: {
    bits: 64,
    expected: 'a bigint from 0n to 18446744073709551615n',
    accepts: (value: bigint) => value === BigInt.asUintN(64, value),
    unsigned: (value: bigint) => value,
    signed: (word: bigint) => word,
  },
}

/** Undefined when the type is none that the machine changes in one step. */
export function kindOf(type: FieldType<unknown>): AtomicKind | undefined {
  const name = (type as FieldType<unknown> | null | undefined)?.name
  return typeof name === 'string' && Object.hasOwn(kinds, name) ? kinds[name] : undefined
}

/** In the order of native/sys/shared_atomic.h. */
const operations = { load: 0, store: 1, add: 2, exchange: 3, compareExchange: 4 } as const

/** Does one operation; words without sign in and out. */
export type Operate = (
  operation: number,
  operand: number | bigint,
  expected: number | bigint,
) => number | bigint

/**
 * A word of shared memory; made by `memory.atomic()`. Each operation is one step that no other process, thread or CPU
 * sees half done, and all of them see all steps in one order (sequentially consistent, as C's default).
 *
 * Values outside of the word's range are a `RangeError`; sums wrap around, as in C. After `close()` of the memory each
 * operation throws a {@link ClosedError}.
 *
 * @typeParam T - `number` for 32 bits, `bigint` for 64.
 * @example
 * ```ts
 * const next = memory.atomic(u32, 0)
 * const ticket = next.add(1)
 * ```
 */
export class Atomic<T extends number | bigint> {
  readonly #kind: AtomicKind
  readonly #operate: Operate

  /** @internal */
  constructor(kind: AtomicKind, operate: Operate) {
    this.#kind = kind
    this.#operate = operate
  }

  /** The value now. */
  load(): T {
    return this.#run(operations.load)
  }

  /** Writes a value. */
  store(value: T): void {
    this.#run(operations.store, value)
  }

  /**
   * Adds.
   *
   * @returns The value before.
   */
  add(value: T): T {
    return this.#run(operations.add, value)
  }

  /**
   * Subtracts.
   *
   * @returns The value before.
   */
  subtract(value: T): T {
    const word = this.#check('value', value)
    // The complement, without sign: the machine adds it and wraps around.
    const complement = typeof word === 'bigint' ? BigInt.asUintN(64, -word) : -word >>> 0
    return this.#kind.signed(
      this.#operate(operations.add, complement, typeof word === 'bigint' ? 0n : 0) as never,
    ) as T
  }

  /**
   * Writes a value.
   *
   * @returns The value before.
   */
  exchange(value: T): T {
    return this.#run(operations.exchange, value)
  }

  /**
   * Writes `replacement` if the value is `expected`.
   *
   * @returns The value before: `expected` when it was replaced.
   */
  compareExchange(expected: T, replacement: T): T {
    return this.#run(operations.compareExchange, replacement, expected, 'replacement')
  }

  #run(operation: number, operand?: T, expected?: T, name = 'value'): T {
    const kind = this.#kind
    const zero = kind.bits === 64 ? 0n : 0
    const word = operand === undefined && operation === operations.load ? zero : this.#check(name, operand)
    const compared = operation === operations.compareExchange ? this.#check('expected', expected) : zero
    return kind.signed(this.#operate(operation, word, compared) as never) as T
  }

  #check(name: string, value: unknown): number | bigint {
    const kind = this.#kind
    if (typeof value !== (kind.bits === 64 ? 'bigint' : 'number')) throw wrongType(name, kind.expected, value)
    if (!kind.accepts(value as never)) throw outOfRange(name, kind.expected, value)
    return kind.unsigned(value as never)
  }
}
