import { json, raw, text, v8 } from 'ipckit'
import { describe, expect, it } from 'vitest'

const memory = new Uint8Array(4096)

describe('raw', () => {
  it('gives a Buffer of its own memory for small and large messages', () => {
    const large = new Uint8Array(100_000)
    for (const length of [0, 1, 16, 17, 64, 4096, 4097, 100_000]) {
      large.fill(7)
      const copy = raw().decode(large, 0, length)
      large.fill(8)
      expect(Buffer.isBuffer(copy)).toBe(true)
      expect(copy.equals(Buffer.alloc(length, 7))).toBe(true)
    }
  })

  it('shows the memory that messages are received into when asked for a view', () => {
    const received = new Uint8Array([0, 1, 2, 3, 4])
    const view = raw({ view: true }).decode(received, 1, 3)
    expect(view).toEqual(Buffer.from([1, 2, 3]))
    received.fill(9)
    expect(view).toEqual(Buffer.from([9, 9, 9]))
    expect(raw({ view: true }).encode(view, new Uint8Array(3), 0)).toBe(3)
    expect(() => raw({ view: 1 as never })).toThrow('Expected true or false for `view`, received 1')
  })

  it.each(['text', 5, null, undefined, new ArrayBuffer(4), [1, 2], new Float32Array(2)])(
    'refuses %o',
    (value) => {
      expect(() => raw().encode(value as never, memory, 0)).toThrow(
        /^Expected a Uint8Array for `value`, received /,
      )
    },
  )

  it('sends a part of the very memory it writes to', () => {
    memory.set([1, 2, 3, 4], 10)
    expect(raw().encode(memory.subarray(10, 14), memory, 12)).toBe(4)
    expect(raw().decode(memory, 12, 4)).toEqual(Buffer.from([1, 2, 3, 4]))
  })
})

describe('text', () => {
  it.each([
    ['one byte beyond ASCII', [0x61, 0xff]],
    ['a lone continuation byte', [0x80]],
    ['a character that is cut', [0xe2, 0x86]],
    ['an overlong form', [0xc0, 0x80]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a number beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
    ['good text with one bad byte far behind', [...Buffer.from('x'.repeat(300)), 0xfe]],
  ])('refuses to read %s', (_what, bytes) => {
    memory.set(bytes, 5)
    expect(() => text().decode(memory, 5, bytes.length)).toThrow(/is not UTF-8 text: /)
  })

  it.each(['\ud800', 'a\udc00b', `${'x'.repeat(50)}\ud83d`])('refuses to write a lone surrogate', (value) => {
    expect(() => text().encode(value, memory, 0)).toThrow(/without lone surrogates for `value`/)
  })

  it.each([
    ['the replacement character', 'a\ufffdb'],
    ['many replacement characters', '\ufffd'.repeat(100)],
    ['a byte order mark', '\ufeffabc'],
    ['NUL characters', 'a\0b\0'],
    ['characters of 1 to 4 bytes', 'aé→🦊'],
    ['long ASCII', 'x'.repeat(1000)],
    ['long text beyond ASCII', 'ü'.repeat(1000)],
  ])('keeps %s', (_what, value) => {
    const length = text().encode(value, memory, 1)
    expect(length).toBe(Buffer.byteLength(value))
    expect(text().decode(memory, 1, length)).toBe(value)
  })

  it('fits text into exactly its bytes, however its characters are long', () => {
    for (const value of ['éé', '🦊', 'a🦊', `${'x'.repeat(30)}é`, 'é'.repeat(30)]) {
      const size = Buffer.byteLength(value)
      expect(text().encode(value, new Uint8Array(size), 0)).toBe(size)
      expect(text().encode(value, new Uint8Array(size - 1), 0)).toBe(-size)
    }
  })

  it.each([5, null, undefined, new String('boxed'), Buffer.from('x')])('refuses %o', (value) => {
    expect(() => text().encode(value as never, memory, 0)).toThrow(
      /^Expected a string for `value`, received /,
    )
  })
})

describe('json', () => {
  it.each([undefined, () => 1, Symbol('s'), { toJSON: () => undefined }])(
    'refuses %o, which is no JSON',
    (value) => {
      expect(() => json().encode(value, memory, 0)).toThrow(
        /^Expected a value that JSON can hold for `value`/,
      )
    },
  )

  it('refuses a bigint and a value that refers to itself', () => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    expect(() => json().encode({ n: 1n }, memory, 0)).toThrow(TypeError)
    expect(() => json().encode(circle, memory, 0)).toThrow(TypeError)
  })

  it('keeps lone surrogates, as JSON escapes', () => {
    const length = json().encode({ s: '\ud800' }, memory, 0)
    expect(json().decode(memory, 0, length)).toEqual({ s: '\ud800' })
    expect(Buffer.from(memory.subarray(0, length)).toString()).toBe('{"s":"\\ud800"}')
  })

  it('refuses bytes that are not UTF-8 instead of replacing characters', () => {
    const bytes = Buffer.from([0x22, 0x61, 0xff, 0x22])
    expect(() => json().decode(bytes, 0, 4)).toThrow('The message of 4 bytes is not UTF-8 text: 22 61 ff 22')
  })

  it('refuses text that is not JSON, a part of JSON, and more than one JSON', () => {
    for (const bad of ['{', 'nope', '1 2', '\ufeff1']) {
      const bytes = Buffer.from(bad)
      expect(() => json().decode(bytes, 0, bytes.length)).toThrow(SyntaxError)
    }
  })

  it('writes and reads while a value that it writes writes and reads', () => {
    const inner = new Uint8Array(64)
    const value = {
      toJSON: () => json().decode(inner, 0, json().encode({ deep: 1 }, inner, 0)),
    }
    expect(json().decode(memory, 0, json().encode({ value }, memory, 0))).toEqual({ value: { deep: 1 } })
  })
})

describe('v8', () => {
  it('keeps what a structured clone keeps', () => {
    const value = {
      map: new Map([[1, new Set(['a'])]]),
      at: new Date(5),
      big: 2n ** 70n,
      error: new RangeError('no'),
    }
    const decoded = v8<typeof value>().decode(memory, 3, v8().encode(value, memory, 3))
    expect(decoded).toEqual(value)
    expect(decoded.error).toBeInstanceOf(RangeError)
  })

  it('gives typed arrays that do not share the memory of the queue', () => {
    for (let offset = 0; offset < 8; offset++) {
      const length = v8().encode(
        { floats: new Float64Array([1, 2]), bytes: Buffer.from([3]) },
        memory,
        offset,
      )
      const decoded = v8<{ floats: Float64Array; bytes: Uint8Array }>().decode(memory, offset, length)
      memory.fill(0)
      expect([...decoded.floats, ...decoded.bytes]).toEqual([1, 2, 3])
      expect(decoded.floats.buffer).not.toBe(memory.buffer)
    }
  })

  it('refuses functions, and bytes of another format', () => {
    expect(() => v8().encode(() => 1, memory, 0)).toThrow(/could not be cloned/)
    expect(() => v8().decode(Buffer.from('{"a":1}'), 0, 7)).toThrow(Error)
  })
})
