import { type Codec, cbor, chars, f64, i32, json, msgpack, raw, struct, text, v8 } from 'ipckit'
import { describe, expect, it } from 'vitest'
import { Random, seed } from './random.js'

const tick = struct({ id: i32, px: f64, sym: chars(8) })
const random = new Random(seed)
const plainValue = (depth = 0): unknown => {
  const kind = random.below(depth > 3 ? 6 : 8)
  if (kind === 0) return null
  if (kind === 1) return random.below(2) === 0
  if (kind === 2) return random.below(2 ** 32) - 2 ** 31
  if (kind === 3) return random.below(2 ** 32) / 13
  if (kind <= 5) return random.text(random.below(300))
  if (kind === 6) return Array.from({ length: random.below(5) }, () => plainValue(depth + 1))
  return Object.fromEntries(
    Array.from({ length: random.below(6) }, () => [random.text(9), plainValue(depth + 1)]),
  )
}

const codecs: [Codec<unknown>, values: () => unknown][] = [
  [raw() as Codec<unknown>, () => random.bytes(random.below(300))],
  [text() as Codec<unknown>, () => random.text(random.below(300))],
  [json(), plainValue],
  [v8(), plainValue],
  [msgpack(), plainValue],
  [cbor(), plainValue],
  [tick as Codec<unknown>, () => random.value(tick)],
]

describe.each(codecs.map(([codec, values]) => [codec.name, codec, values] as const))(
  '%s',
  (_name, codec, values) => {
    it(`gives back what it was given, at any place in memory (seed ${seed})`, () => {
      const memory = new Uint8Array(1 << 20)
      for (let i = 0; i < 500; i++) {
        const value = values()
        const offset = random.below(100)
        const length = codec.encode(value, memory, offset)
        expect(length).toBeGreaterThanOrEqual(0)
        expect(codec.decode(memory, offset, length)).toEqual(value)
      }
    })

    it('says how many bytes it needs when the memory is too small, and fits when it has them', () => {
      for (let i = 0; i < 100; i++) {
        const value = values()
        const needed = codec.encode(value, new Uint8Array(1 << 20), 0)
        const offset = random.below(5)
        for (const missing of [1, Math.ceil(needed / 2), needed].filter(
          (missing) => missing > 0 && missing <= needed,
        )) {
          expect(codec.encode(value, new Uint8Array(offset + needed - missing), offset)).toBe(-needed)
        }
        expect(codec.encode(value, new Uint8Array(offset + needed), offset)).toBe(needed)
      }
    })

    it('writes nothing before and behind its message', () => {
      for (let i = 0; i < 100; i++) {
        const value = values()
        const memory = new Uint8Array(1 << 20).fill(0xee)
        const length = codec.encode(value, memory, 7)
        expect(memory.subarray(0, 7).every((byte) => byte === 0xee)).toBe(true)
        expect(memory.subarray(7 + length, 7 + length + 64).every((byte) => byte === 0xee)).toBe(true)
      }
    })

    it('gives values that do not change when the memory is used again', () => {
      const memory = new Uint8Array(1 << 20)
      const value = values()
      const length = codec.encode(value, memory, 3)
      const decoded = codec.decode(memory, 3, length)
      memory.fill(0xff)
      expect(decoded).toEqual(value)
    })

    it('takes a Buffer, and memory that is shared, as well as a Uint8Array', () => {
      for (const memory of [Buffer.alloc(1 << 16), new Uint8Array(new SharedArrayBuffer(1 << 16), 8)]) {
        for (let i = 0; i < 50; i++) {
          const value = values()
          expect(codec.decode(memory, 3, codec.encode(value, memory, 3))).toEqual(value)
        }
      }
    })

    it('does not look beyond the end of the message', () => {
      const memory = new Uint8Array(1 << 20).fill(0x31)
      const value = values()
      const length = codec.encode(value, memory, 0)
      memory.fill(0x31, length)
      expect(codec.decode(memory, 0, length)).toEqual(value)
    })
  },
)

describe('a message of 0 bytes', () => {
  it('is an empty value for raw and text, and fits behind the last byte', () => {
    const memory = new Uint8Array(4)
    expect(raw().encode(new Uint8Array(0), memory, 4)).toBe(0)
    expect(text().encode('', memory, 4)).toBe(0)
    expect(raw().encode(new Uint8Array(0), new Uint8Array(0), 0)).toBe(0)
    expect(text().encode('', new Uint8Array(0), 0)).toBe(0)
    expect(raw().decode(memory, 4, 0)).toEqual(Buffer.alloc(0))
    expect(text().decode(memory, 4, 0)).toBe('')
  })

  it.each([json(), v8(), msgpack(), cbor(), tick] as Codec<unknown>[])('is an error for $name', (codec) => {
    expect(() => codec.decode(new Uint8Array(8).fill(0x31), 2, 0)).toThrow(Error)
    expect(() => codec.decode(new Uint8Array(0), 0, 0)).toThrow(Error)
  })
})

it.each([json(), v8(), msgpack(), cbor()])(
  '$name refuses undefined, which means "no message" to a queue',
  (codec) => {
    expect(() => codec.encode(undefined, new Uint8Array(64), 0)).toThrow(TypeError)
  },
)
