import {
  array,
  bool,
  bytes,
  chars,
  type FieldType,
  f32,
  f64,
  i16,
  i32,
  i64,
  json,
  struct,
  u8,
  u16,
  u32,
  u64,
} from 'ipckit'
import { describe, expect, it } from 'vitest'
import { encode, memory, one } from './encoding.js'
import { type AnyStruct, Random, seed } from './random.js'

describe('the layout of a struct', () => {
  it('is that of C: fields at multiples of their alignment, the size rounded up', () => {
    const tick = struct({ id: i32, px: f64, sym: chars(8) })
    expect(tick).toMatchObject({ size: 24, align: 8, name: 'struct{id:i32,px:f64,sym:char[8]}' })
    expect(tick.fields.map(({ name, offset, size }) => [name, offset, size])).toEqual([
      ['id', 0, 4],
      ['px', 8, 8],
      ['sym', 16, 8],
    ])
    expect(struct({ px: f64, on: bool })).toMatchObject({ size: 16, align: 8 })
    expect(struct({ on: bool, name: chars(3) })).toMatchObject({ size: 4, align: 1 })
  })

  it('has no padding when it is packed', () => {
    const packed = struct({ on: bool, px: f64, id: i16 }, { packed: true })
    expect(packed).toMatchObject({ size: 11, align: 1, name: 'struct packed{on:bool,px:f64,id:i16}' })
    expect(packed.fields.map((field) => field.offset)).toEqual([0, 1, 9])
  })

  it('keeps the packing and the byte order of a nested struct', () => {
    const inner = struct({ a: u8, b: u16 }, { endian: 'big' })
    const outer = struct({ a: u8, inner, b: u16 }, { packed: true, endian: 'little' })
    expect(outer.fields.map((field) => field.offset)).toEqual([0, 1, 5])
    expect(encode(outer as AnyStruct, { a: 1, inner: { a: 2, b: 0x0304 }, b: 0x0506 }).toString('hex')).toBe(
      '01020003040605',
    )
  })

  it('is named so that equal names are equal bytes', () => {
    const corner = struct({ x: f32, y: f32 }, { packed: true })
    expect(struct({ corners: array(array(corner, 2), 3), raw: bytes(16), ids: array(i64, 2) }).name).toBe(
      'struct{corners:struct packed{x:f32,y:f32}[3][2],raw:u8[16],ids:i64[2]}',
    )
    expect(struct({ 'odd name': u8 }, { endian: 'big' }).name).toBe('struct big{"odd name":u8}')
  })
})

describe('a struct writes', () => {
  it('zeros into its padding, whatever the memory held', () => {
    const inner = struct({ a: u8, b: u32 })
    const outer = struct({ a: u8, list: array(inner, 2), text: chars(40), b: u8, c: u64, d: u8 })
    const value = {
      a: 1,
      list: [
        { a: 2, b: 3 },
        { a: 4, b: 5 },
      ],
      text: 'x',
      b: 6,
      c: 7n,
      d: 8,
    }
    memory.fill(0xff)
    const dirty = encode(outer as AnyStruct, value)
    memory.fill(0)
    expect(dirty).toEqual(encode(outer as AnyStruct, value))
  })

  it('numbers in the byte order that it was given', () => {
    const fields = { a: u16, b: i32, c: u64, d: f32, e: f64 }
    const value = { a: 0x0102, b: 0x03040506, c: 0x0708090a0b0c0d0en, d: 1.5, e: 1.5 }
    const big = struct(fields, { endian: 'big', packed: true })
    const little = struct(fields, { endian: 'little', packed: true })
    expect(encode(big as AnyStruct, value).toString('hex')).toBe(
      '0102030405060708090a0b0c0d0e3fc000003ff8000000000000',
    )
    expect(encode(little as AnyStruct, value).toString('hex')).toBe(
      '0201060504030e0d0c0b0a0908070000c03f000000000000f83f',
    )
    expect(big.decode(memory, 0, big.encode(value, memory, 0))).toEqual(value)
  })

  it('what getters and inherited properties of a value give, each read once, and no other properties', () => {
    let reads = 0
    class Tick {
      extra = 'ignored'
      get id(): number {
        return ++reads
      }
    }
    const codec = struct({ id: u8 })
    expect(encode(codec as AnyStruct, new Tick())).toEqual(Buffer.from([1]))
    expect(reads).toBe(1)
  })

  it('while a getter of its value writes another message with the same struct', () => {
    const codec = struct({ a: u32, b: u32 })
    const other = new Uint8Array(8)
    const value = {
      a: 1,
      get b() {
        codec.encode({ a: 3, b: 4 }, other, 0)
        return 2
      },
    }
    expect(codec.decode(memory, 0, codec.encode(value, memory, 0))).toEqual({ a: 1, b: 2 })
    expect(codec.decode(other, 0, 8)).toEqual({ a: 3, b: 4 })
  })

  it('the same at every offset of the memory, aligned or not', () => {
    const random = new Random(seed)
    for (let i = 0; i < 20; i++) {
      const codec = random.struct()
      const value = random.value(codec) as Record<string, unknown>
      const expected = encode(codec, value)
      for (let offset = 0; offset < 16; offset++) {
        for (const target of [memory, memory.subarray(3), Buffer.from(memory.buffer, 5)]) {
          expect(codec.encode(value, target, offset)).toBe(codec.size)
          expect(Buffer.from(target.subarray(offset, offset + codec.size)).equals(expected)).toBe(true)
          expect(codec.decode(target, offset, codec.size)).toEqual(value)
        }
      }
    }
  })
})

describe('a struct reads', () => {
  it('nothing but messages of its size', () => {
    const codec = struct({ a: u32, b: u8 })
    for (const length of [0, 1, 5, 7, 9]) {
      expect(() => codec.decode(memory, 0, length)).toThrow(
        `Expected a message of 8 bytes for struct{a:u32,b:u8}, received ${length} bytes`,
      )
    }
  })

  it('every byte but 0 as true', () => {
    expect([0, 1, 2, 255].map((byte) => one(bool).decode(Buffer.from([byte]), 0, 1))).toEqual(
      [false, true, true, true].map((x) => ({ x })),
    )
  })

  it('bytes into memory of their own', () => {
    const codec = struct({ raw: bytes(100) })
    memory.fill(7)
    const { raw } = codec.decode(memory, 0, 100)
    memory.fill(8)
    expect(Buffer.isBuffer(raw)).toBe(true)
    expect(raw.every((byte) => byte === 7)).toBe(true)
  })
})

describe('names of fields', () => {
  it.each([
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'length',
    'value',
    'at',
    'view',
    'bytes',
    'v0',
    'class',
    'with space',
    'quote"\'`',
    'back\\slash',
    '$' + '{process.exit(1)}',
    '`+process.exit(1)+`',
    '"];process.exit(1);["',
    'line\nbreak\r\u2028\u2029',
    '\ud800',
    '*/',
    '//',
    '漢',
    ' ',
    '-1',
    '1.5',
  ])('may be %j', (name) => {
    const codec = struct({ [name]: i32, nested: struct({ [name]: array(u8, 1) }) } as Record<
      string,
      FieldType<unknown>
    >)
    const value = { [name]: 5, nested: { [name]: [6] } }
    const back = codec.decode(memory, 0, codec.encode(value, memory, 0))
    expect(Object.keys(back)).toEqual([name, 'nested'])
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect(Object.getOwnPropertyDescriptor(back, name)?.value).toBe(5)
    expect(Object.getOwnPropertyDescriptor(back.nested, name)?.value).toEqual([6])
    expect(() => codec.encode({ ...value, nested: { [name]: [-1] } }, memory, 0)).toThrow(
      /^Expected an integer from 0 to 255/,
    )
    expect(() => codec.encode({ nested: value.nested }, memory, 0)).toThrow(/^Expected an integer/)
  })

  it.each(['0', '7', '4294967294', ''])('may not be %j, whose place in the order would be lost', (name) => {
    expect(() => struct({ a: u8, [name]: u8 })).toThrow(
      /^Expected names that are not numbers or empty for `fields`/,
    )
  })

  it('are not lost when __proto__ is written as a literal', () => {
    expect(() => struct({ a: u8, __proto__: u8 } as never)).toThrow(/\['__proto__'\]/)
  })
})

describe('struct refuses', () => {
  it('no fields at all', () => {
    expect(() => struct({})).toThrow(/^Expected at least one field for `fields`/)
  })

  it.each([[undefined], [null], [5], [[i32]], ['i32'], [new Map()]])('%o for its fields', (fields) => {
    expect(() => struct(fields as never)).toThrow(TypeError)
  })

  it('what is not a type', () => {
    for (const type of [undefined, null, 'i32', i32.name, json(), chars, { size: 4 }]) {
      expect(() => struct({ a: type as never })).toThrow(
        /^Expected a field type such as i32 or chars\(8\) for `fields.a`/,
      )
      expect(() => array(type as never, 2)).toThrow(
        /^Expected a field type such as i32 or chars\(8\) for `type`/,
      )
    }
  })

  it('options that it does not know', () => {
    expect(() => struct({ a: u8 }, { pack: true } as never)).toThrow(
      /^Expected only the options packed, endian/,
    )
    expect(() => struct({ a: u8 }, { packed: 1 } as never)).toThrow(/^Expected a boolean for `packed`/)
    expect(() => struct({ a: u8 }, { endian: 'BE' } as never)).toThrow(
      /^Expected 'little' or 'big' for `endian`/,
    )
    expect(() => struct({ a: u8 }, null as never)).toThrow(/^Expected an object for `options`/)
    expect(struct({ a: u16 }, { packed: undefined, endian: undefined }).align).toBe(2)
  })

  it.each([0, -1, 1.5, NaN, 2 ** 30 + 1, '8', undefined])('a length of %o', (length) => {
    for (const make of [chars, bytes, (n: number) => array(u8, n)]) {
      expect(() => make(length as number)).toThrow(
        /^Expected an integer from 1 to 1073741824 for `(size|length)`/,
      )
    }
  })

  it('more than 1 GiB', () => {
    expect(() => struct({ a: array(bytes(2 ** 30), 2 ** 30) })).toThrow(
      /^Expected fields of at most 1073741824 bytes/,
    )
  })
})
