/**
 * Views of structs and arrays where they lie. What a view writes must be what the codec reads, byte by byte, and the
 * other way round; the compiler of the struct codec is checked against C elsewhere.
 */
import { describe, expect, test } from 'vitest'
import { array, bytes } from '../../lib/codec/struct/array.ts'
import { chars } from '../../lib/codec/struct/chars.ts'
import type { FieldType } from '../../lib/codec/struct/field.ts'
import { liveView, snapshot } from '../../lib/codec/struct/live.ts'
import { offsetOf } from '../../lib/codec/struct/offset-of.ts'
import { bool, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64 } from '../../lib/codec/struct/scalars.ts'
import { type StructFields, type StructOptions, struct } from '../../lib/codec/struct/struct.ts'
import { Program } from '../helpers/program.ts'

const everyKind = {
  a: i8,
  b: u8,
  c: i16,
  d: u16,
  e: i32,
  f: u32,
  g: i64,
  h: u64,
  i: f32,
  j: f64,
  k: bool,
  l: chars(7),
  m: bytes(3),
  n: array(f32, 3),
  o: struct({ x: u8, y: f64 }),
  p: array(struct({ q: i16, r: array(u8, 2) }), 2),
  s: array(array(i32, 2), 2),
  t: array(chars(4), 2),
} satisfies StructFields
const value = {
  a: -128,
  b: 255,
  c: -32768,
  d: 65535,
  e: -(2 ** 31),
  f: 2 ** 32 - 1,
  g: -(2n ** 63n),
  h: 2n ** 64n - 1n,
  i: 1.5,
  j: Math.PI,
  k: true,
  l: 'grüß',
  m: Buffer.from([1, 2, 3]),
  n: [1, 2, -0.5],
  o: { x: 9, y: -1e300 },
  p: [
    { q: 1, r: [2, 3] },
    { q: -4, r: [5, 255] },
  ],
  s: [
    [1, 2],
    [3, -4],
  ],
  t: ['ab', 'wxyz'],
}

const layouts: [string, StructOptions, number][] = [
  ['natural', {}, 0],
  ['packed', { packed: true }, 0],
  ['big endian', { endian: 'big' }, 0],
  ['packed, big endian', { packed: true, endian: 'big' }, 0],
  ['natural, at an odd place', {}, 3],
  ['natural, at a multiple of 4', {}, 4],
  ['natural, at a multiple of 8', {}, 16],
]

describe.each(layouts)('a view of a struct, %s', (_, options, offset) => {
  const type = struct(everyKind, options)
  const fresh = () => Buffer.alloc(offset + type.size + 5, 0xee)
  const encoded = () => {
    const target = fresh()
    type.encode(value, target, offset)
    return target
  }

  test('reads what the codec wrote', () => {
    const view = liveView(type, encoded(), offset, false)
    expect(snapshot(view)).toEqual(value)
    expect(view.g).toBe(-(2n ** 63n))
    expect(view.l).toBe('grüß')
    expect(view.o.y).toBe(-1e300)
    expect(view.p.get(1).r.get(1)).toBe(255)
    expect(view.s.get(1).get(1)).toBe(-4)
    expect(view.t.get(1)).toBe('wxyz')
    expect([...view.n]).toEqual([1, 2, -0.5])
    expect(view.m).toEqual(value.m)
  })

  test('writes field by field what the codec writes, and no byte beside', () => {
    const target = fresh()
    // Padding is written by nobody.
    target.fill(0, offset, offset + type.size)
    const view = liveView(type, target, offset, false) as unknown as Record<string, unknown>
    for (const [name, part] of Object.entries(value)) view[name] = part
    expect(target).toEqual(encoded())
  })

  test('writes part by part, in nested views', () => {
    const target = encoded()
    const view = liveView(type, target, offset, false)
    view.o.x = 1
    view.n.set(2, 4)
    view.n.assign([8, 9, view.n.get(2)])
    view.p.set(0, { q: 7, r: [8, 9] } as never)
    view.p.get(1).r.set(0, 77)
    view.s.get(0).assign([5, 6])
    view.t.set(0, 'z')
    expect(type.decode(target, offset, type.size)).toEqual({
      ...value,
      o: { x: 1, y: -1e300 },
      n: [8, 9, 4],
      p: [
        { q: 7, r: [8, 9] },
        { q: -4, r: [77, 255] },
      ],
      s: [
        [5, 6],
        [3, -4],
      ],
      t: ['z', 'wxyz'],
    })
  })

  test('refuses what does not fit, names the field, and leaves the memory as it was', () => {
    const target = encoded()
    const before = Buffer.from(target)
    const view = liveView(type, target, offset, false) as unknown as Record<string, unknown>
    const bad: [string, unknown, RegExp][] = [
      ['a', 128, /`a`, received 128/],
      ['b', -1, /`b`/],
      ['c', 1.5, /`c`/],
      ['d', '1', /`d`/],
      ['e', 2 ** 31, /`e`/],
      ['f', -1, /`f`/],
      ['g', 1, /`g`/],
      ['h', 2n ** 64n, /`h`/],
      ['i', 1e300, /`i`/],
      ['j', undefined, /`j`/],
      ['k', 1, /`k`/],
      ['l', 'too long', /`l`.*of 8 bytes/],
      ['m', Buffer.alloc(4), /`m`/],
      ['n', [1, 2], /`n`/],
      ['o', null, /`o`/],
      ['o', { x: 256, y: 0 }, /`o.x`, received 256/],
    ]
    for (const [name, wrong, why] of bad) {
      expect(() => {
        view[name] = wrong
      }).toThrow(why)
    }
    expect(target).toEqual(before)
  })

  test('of read-only memory reads, and refuses every write', () => {
    const target = encoded()
    const view = liveView(type, target, offset, true)
    expect(snapshot(view)).toEqual(value)
    const writes = [
      () => Object.assign(view, { e: 1 }),
      () => Object.assign(view, { o: { x: 1, y: 2 } }),
      () => Object.assign(view.o, { x: 1 }),
      () => view.n.set(0, 1),
      () => view.n.assign([1, 2, 3]),
      () => Object.assign(view.p.get(0), { q: 1 }),
      () => view.s.get(0).set(0, 1),
    ]
    for (const write of writes) expect(write).toThrow(/Cannot write `.*`: the memory was opened read-only/)
    expect(target).toEqual(encoded())
  })
})

describe('views', () => {
  test.each([-1, 3, 1.5, Number.NaN, 2 ** 32])('of an array have no element %d', (index) => {
    const view = liveView(array(i32, 3), Buffer.alloc(12), 0, false)
    expect(() => view.get(index)).toThrow(/Expected an integer from 0 to 2 for `index`/)
    expect(() => view.set(index, 1)).toThrow(RangeError)
  })

  test('of an array tell their length, and are iterable', () => {
    const view = liveView(array(struct({ x: i32 }), 3), Buffer.alloc(12), 0, false)
    for (const [at, each] of [...view].entries()) each.x = at
    expect(view.length).toBe(3)
    expect(snapshot(view)).toEqual([{ x: 0 }, { x: 1 }, { x: 2 }])
  })

  test('are shown, listed and turned into JSON as plain values', () => {
    const view = liveView(struct({ x: i32, y: array(u8, 2) }), Buffer.alloc(8), 0, false)
    expect(JSON.stringify(view)).toBe('{"x":0,"y":[0,0]}')
    const listed = []
    for (const name in view) listed.push(name)
    expect(listed).toEqual(['x', 'y'])
  })

  test('take other views as values, also those that overlap', () => {
    const memory = Buffer.alloc(16)
    const grid = liveView(array(struct({ x: u32 }), 4), memory, 0, false)
    for (let at = 0; at < 4; at++) grid.get(at).x = at
    const shifted = liveView(array(struct({ x: u32 }), 3), memory, 4, false)
    shifted.assign(liveView(array(struct({ x: u32 }), 3), memory, 0, false) as never)
    expect(snapshot(grid)).toEqual([{ x: 0 }, { x: 0 }, { x: 1 }, { x: 2 }])
  })

  test('have fields of any name', () => {
    const names = ['constructor', '__proto__', 'toJSON', 'get', 'odd name', '`$x`', 'length']
    const fields = Object.fromEntries(names.map((name) => [name, i32]))
    Object.defineProperty(fields, '__proto__', { value: i32, enumerable: true })
    const type = struct(fields)
    const memory = Buffer.alloc(type.size)
    const view = liveView(type, memory, 0, false) as unknown as Record<string, number>
    for (const [at, name] of names.entries()) view[name] = at + 1
    for (const [at, name] of names.entries()) expect(view[name]).toBe(at + 1)
    expect(memory.readInt32LE(offsetOf(type, '["odd name"]'))).toBe(5)
  })

  test('say where bytes are no text, without losing the other fields', () => {
    const view = liveView(
      struct({ x: i32, s: chars(4) }),
      Buffer.from([1, 0, 0, 0, 0xff, 0xfe, 0, 0]),
      0,
      false,
    )
    expect(() => view.s).toThrow(/The bytes of `s` are not UTF-8/)
    expect(view.x).toBe(1)
    expect(() => snapshot(view)).toThrow(/not UTF-8/)
  })

  test('are made of structs and arrays alone', () => {
    expect(() => liveView(i32 as FieldType<unknown>, Buffer.alloc(4), 0, false)).toThrow(
      /Expected a struct or an array for `type`, received 'i32'/,
    )
  })

  test('are what snapshot takes, and nothing else', () => {
    for (const other of [undefined, null, {}, [], 1])
      expect(() => snapshot(other)).toThrow(/a view of memory/)
  })

  test('work where Node generates no code from strings', async (context) => {
    const program = new Program(
      context,
      'interpreted-view.mjs',
      {},
      {
        node: ['--disallow-code-generation-from-strings'],
      },
    )
    expect(await program.ended).toEqual({ code: 0, signal: null, errors: '', rest: ['as it is compiled'] })
  })
})

describe('offsetOf', () => {
  const type = struct({
    a: u8,
    b: struct({ c: i16, d: array(struct({ e: u8, f: f64 }), 3) }),
    'odd name': u8,
  })

  test.each([
    ['a', 0],
    ['b', 8],
    ['b.d', 16],
    ['b.d[2]', 48],
    ['b.d[2].f', 56],
    ['["odd name"]', 64],
  ])('finds %s', (path, offset) => {
    expect(offsetOf(type, path)).toBe(offset)
  })

  test.each(['', 'x', 'a.b', 'b.d[3]', 'b.d[-1]', 'b[0]', 'a ', 'b.d[2].f.g', '["odd'])(
    'has no %j',
    (path) => {
      expect(() => offsetOf(type, path)).toThrow(/Expected a field of struct/)
    },
  )
})
