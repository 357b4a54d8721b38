/** Random structs and values from a seed, so that a failure can be seen again: `SEED=123 npx vitest run test/codec`. */
import { randomInt } from 'node:crypto'
import {
  array,
  bool,
  bytes,
  chars,
  type FieldType,
  f32,
  f64,
  i8,
  i16,
  i32,
  i64,
  type StructCodec,
  struct,
  u8,
  u16,
  u32,
  u64,
} from 'ipckit'

export type AnyStruct = StructCodec<Record<string, unknown>, Record<string, unknown>>

export const seed = Number(process.env.SEED ?? randomInt(2 ** 31))

const scalars: FieldType<unknown>[] = [i8, u8, i16, u16, i32, u32, i64, u64, f32, f64, bool]
const words = ['a', 'Z', '0', ' ', '~', 'é', 'ü', '→', '漢', '\ufffd', '🦊', '\u007f', '\u0001']

export class Random {
  #state: number

  constructor(from: number) {
    this.#state = from
  }

  /** An integer from 0 to `limit` - 1, from the high bits of a linear congruential generator. */
  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * limit)
  }

  pick<V>(list: readonly V[]): V {
    return list[this.below(list.length)] as V
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)))
  }

  /** Text of at most `size` bytes, often of exactly as many. */
  text(size: number): string {
    let text = ''
    for (let tries = 0; tries < size * 2; tries++) {
      const next = text + this.pick(words)
      if (Buffer.byteLength(next) <= size && this.below(12) > 0) text = next
    }
    return text
  }

  struct(depth = 0): AnyStruct {
    const fields: Record<string, FieldType<unknown>> = {}
    const count = 1 + this.below(7)
    for (let i = 0; i < count; i++) fields[`f${i}`] = this.type(depth)
    return struct(fields, { packed: this.below(4) === 0, endian: this.below(5) === 0 ? 'big' : 'little' })
  }

  type(depth: number): FieldType<unknown> {
    const kind = this.below(12)
    if (kind === 0) return chars(1 + this.below(40))
    if (kind === 1) return bytes(1 + this.below(40))
    if (kind <= 3) return array(this.type(depth), 1 + this.below(4))
    if (kind <= 5 && depth < 2) return this.struct(depth + 1)
    return this.pick(scalars)
  }

  /** A value for this type; the limits of its range are likely. */
  value({ shape, size }: FieldType<unknown>): unknown {
    if (shape.kind === 'struct') {
      return Object.fromEntries(shape.fields.map((field) => [field.name, this.value(field.type)]))
    }
    if (shape.kind === 'array') return Array.from({ length: shape.length }, () => this.value(shape.element))
    if (shape.word === 'char') return this.text(size)
    if (shape.lengths.length > 0) return this.bytes(size)
    if (shape.word === 'bool') return this.below(2) === 1
    if (shape.word === 'f32') return Math.fround(this.#float())
    if (shape.word === 'f64') return this.#float()
    const bits = 8 * size
    const raw = BigInt(`0x${this.bytes(size).toString('hex')}`)
    const edge = this.pick([
      raw,
      raw,
      0n,
      2n ** BigInt(bits - 1) - 1n,
      2n ** BigInt(bits) - 1n,
      2n ** BigInt(bits - 1),
    ])
    const value = shape.word.startsWith('i') ? BigInt.asIntN(bits, edge) : edge
    return bits === 64 ? value : Number(value)
  }

  #float(): number {
    return this.pick([0, -0, 1.5, -1 / 3, 3.4e38, 1e-40, this.below(2 ** 32) / 7, -this.below(2 ** 32)])
  }
}
