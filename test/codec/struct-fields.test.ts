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
  struct,
  u8,
  u16,
  u32,
  u64,
} from 'ipckit'
import { describe, expect, it } from 'vitest'
import { encode, memory, one } from './encoding.js'
import type { AnyStruct } from './random.js'

describe('a field refuses what its type cannot hold, by name:', () => {
  const integer = (min: number, max: number) => `an integer from ${min} to ${max}`
  const bigint = (min: bigint, max: bigint) => `a bigint from ${min}n to ${max}n`
  const types: [FieldType<unknown>, expected: string, good: unknown[], outside: unknown[]][] = [
    [i8, integer(-128, 127), [-128, 127, 0], [-129, 128, 1.5]],
    [u8, integer(0, 255), [0, 255], [-1, 256, 0.1]],
    [i16, integer(-32768, 32767), [-32768, 32767], [-32769, 32768]],
    [u16, integer(0, 65535), [0, 65535], [-1, 65536]],
    [i32, integer(-2147483648, 2147483647), [-2147483648, 2147483647], [-2147483649, 2147483648, 1.5]],
    [u32, integer(0, 4294967295), [0, 4294967295], [-1, 4294967296]],
    [
      i64,
      bigint(-(2n ** 63n), 2n ** 63n - 1n),
      [-(2n ** 63n), 2n ** 63n - 1n],
      [-(2n ** 63n) - 1n, 2n ** 63n],
    ],
    [u64, bigint(0n, 2n ** 64n - 1n), [0n, 2n ** 64n - 1n], [-1n, 2n ** 64n]],
    [
      f32,
      'a number within the range of a 32-bit float',
      [0, -1.5, Infinity, -Infinity, NaN, 3.4028234e38],
      [3.4028236e38, -1e39],
    ],
    [f64, 'a number', [0, 1e308, Infinity, NaN, -0], []],
    [bool, 'a boolean', [true, false], []],
    [
      bytes(2),
      'a Uint8Array of 2 bytes',
      [Buffer.from([1, 2])],
      [new Uint8Array(1), new Uint8Array(3), [1, 2]],
    ],
  ]
  const strangers: unknown[] = [
    undefined,
    null,
    'x',
    '5',
    {},
    [],
    () => 5,
    Symbol('5'),
    { valueOf: () => 5 },
    new Number(5),
  ]

  it.each(types)('$name', (type, expected, good, outside) => {
    const codec = one(type)
    for (const x of good) {
      const { x: back } = codec.decode(memory, 0, codec.encode({ x }, memory, 0))
      expect(back).toEqual(type === f32 ? Math.fround(x as number) : x)
    }
    for (const x of outside) {
      expect(() => encode(codec, { x })).toThrow(RangeError)
      expect(() => encode(codec, { x })).toThrow(`Expected ${expected} for \`x\`, received `)
    }
    const others = [
      ...strangers,
      ...(typeof good[0] === 'bigint' ? [5] : [5n]),
      ...(type === bool ? [0, 1] : [true]),
    ]
    for (const x of others) {
      expect(() => encode(codec, { x })).toThrow(`Expected ${expected} for \`x\`, received `)
      if (typeof x !== 'object') expect(() => encode(codec, { x })).toThrow(TypeError)
    }
  })

  it('integers that are NaN or infinite', () => {
    for (const type of [i8, u8, i16, u16, i32, u32]) {
      for (const x of [NaN, Infinity, -Infinity]) expect(() => encode(one(type), { x })).toThrow(RangeError)
    }
  })

  it('says what it received', () => {
    const codec = struct({ tick: struct({ id: i32, legs: array(struct({ 'odd name': array(u8, 2) }), 2) }) })
    const legs = [{ 'odd name': [1, 2] }, { 'odd name': [3, 4] }]
    expect(() => encode(codec as AnyStruct, { tick: { id: 1.5, legs } })).toThrow(
      new RangeError('Expected an integer from -2147483648 to 2147483647 for `tick.id`, received 1.5'),
    )
    expect(() =>
      encode(codec as AnyStruct, { tick: { id: 1, legs: [legs[0], { 'odd name': [3, 'x'] }] } }),
    ).toThrow(
      new TypeError('Expected an integer from 0 to 255 for `tick.legs[1]["odd name"][1]`, received \'x\''),
    )
    expect(() => encode(codec as AnyStruct, { tick: { id: 1, legs: [legs[0]] } })).toThrow(
      /^Expected an array of 2 elements for `tick.legs`, received \[ .*Object/,
    )
    expect(() => encode(codec as AnyStruct, { tick: 5 })).toThrow(
      new TypeError('Expected an object with the fields id, legs for `tick`, received 5'),
    )
    expect(() => encode(codec as AnyStruct, null)).toThrow(
      new TypeError('Expected an object with the fields tick for `value`, received null'),
    )
  })

  it('arrays of another length, and what is no array', () => {
    const codec = one(array(u8, 2))
    for (const x of [[1], [1, 2, 3], '12', 5, null, undefined, {}, new Set([1, 2])]) {
      expect(() => encode(codec, { x })).toThrow(/^Expected an array of 2 elements for `x`, received /)
    }
    expect(encode(codec, { x: new Float64Array([1, 2]) })).toEqual(Buffer.from([1, 2]))
    expect(encode(codec, { x: { length: 2, 0: 3, 1: 4 } })).toEqual(Buffer.from([3, 4]))
  })
})

describe('chars', () => {
  const codec = struct({ before: u8, sym: chars(8), after: u8 })
  const put = (sym: unknown): Buffer => encode(codec as AnyStruct, { before: 0xaa, sym, after: 0xbb })
  const get = (text: string | number[]): string => {
    memory.set([0xaa, ...Buffer.from(text as string), 0xbb])
    return codec.decode(memory, 0, 10).sym
  }

  it.each(['', 'a', 'ACME', 'ÄÖ', '漢字', '🦊🦊', '12345678', 'é123456'])(
    'keeps %j and fills up with NUL',
    (text) => {
      memory.fill(0xee)
      const written = put(text)
      expect(written.length).toBe(10)
      expect(written.subarray(1, 9)).toEqual(
        Buffer.concat([Buffer.from(text), Buffer.alloc(8)]).subarray(0, 8),
      )
      expect([written[0], written[9]]).toEqual([0xaa, 0xbb])
      expect(codec.decode(written, 0, 10).sym).toBe(text)
    },
  )

  it('refuses text of more bytes, and says how many it has', () => {
    expect(() => put('123456789')).toThrow(
      new RangeError("Expected text of at most 8 bytes in UTF-8 for `sym`, received '123456789' of 9 bytes"),
    )
    for (const text of ['漢字漢', '🦊🦊x', 'ééééa', 'é1234567', 'x'.repeat(5000)])
      expect(() => put(text)).toThrow(/^Expected text of at most 8 bytes/)
  })

  it('refuses, also in long fields, NUL characters, lone surrogates and what is no text', () => {
    for (const size of [8, 100]) {
      const long = one(chars(size))
      const filler = 'x'.repeat(size / 2)
      expect(() => encode(long, { x: `${filler}\0` })).toThrow(
        /^Expected text without NUL characters for `x`/,
      )
      expect(() => encode(long, { x: `${filler}\ud800` })).toThrow(
        /^Expected text without lone surrogates for `x`/,
      )
      for (const x of [5, null, undefined, new String('x')])
        expect(() => encode(long, { x })).toThrow(TypeError)
    }
  })

  it('never cuts a character, at any length of text and field', () => {
    for (let size = 1; size <= 70; size++) {
      const field = one(chars(size))
      for (const unit of ['a', 'é', '漢', '🦊', 'aé', 'a🦊']) {
        for (let count = 0; count <= size + 1; count++) {
          const x = unit.repeat(count)
          if (Buffer.byteLength(x) > size) expect(() => encode(field, { x })).toThrow(RangeError)
          else expect(field.decode(encode(field, { x }), 0, size)).toEqual({ x })
        }
      }
    }
  })

  it('reads up to the first NUL, and all bytes when there is none', () => {
    expect(get('12345678')).toBe('12345678')
    expect(get([0x61, 0x62, 0, 0xff, 0xfe, 0x80, 0x63, 0])).toBe('ab')
    expect(get([0, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67])).toBe('')
    for (let length = 0; length <= 8; length++) {
      expect(get([...Array<number>(length).fill(0x7f), ...Array<number>(8 - length).fill(0)])).toBe(
        '\x7f'.repeat(length),
      )
      expect(get([...Array<number>(length).fill(1), 0, ...Array<number>(7).fill(0x80)].slice(0, 8))).toBe(
        '\x01'.repeat(length),
      )
    }
  })

  it('refuses to read bytes that are not UTF-8, and names the field', () => {
    expect(() => get([0x61, 0xff, 0, 0, 0, 0, 0, 0])).toThrow(
      'The bytes of `sym` are not UTF-8 text: 61 ff 00',
    )
    expect(() => get([0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0xc3])).toThrow(/`sym`/)
    const deep = struct({ list: array(struct({ name: chars(2) }), 2) })
    expect(() => deep.decode(Buffer.from([0x61, 0, 0xff, 0]), 0, 4)).toThrow(
      /^The bytes of `list\[1\].name` are not UTF-8/,
    )
  })
})
