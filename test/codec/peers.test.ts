import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Codec, cbor, msgpack } from 'ipckit'
import { describe, expect, it } from 'vitest'

const memory = new Uint8Array(1 << 22)
const hex = (codec: Codec<unknown>, value: unknown): string =>
  Buffer.from(memory.subarray(0, codec.encode(value, memory, 0))).toString('hex')
const unhex = (codec: Codec<unknown>, text: string): unknown => {
  const bytes = Buffer.from(text, 'hex')
  return codec.decode(bytes, 0, bytes.length)
}

describe('msgpack', () => {
  // By hand from the specification, https://github.com/msgpack/msgpack/blob/master/spec.md
  it.each([
    ['a small object', { a: 1, b: 'x' }, '82a16101a162a178'],
    ['the same object again, without records', { a: 1, b: 'x' }, '82a16101a162a178'],
    ['nil for undefined inside', { a: undefined }, '81a161c0'],
    [
      'integers of each size',
      [127, 128, 65535, 65536, -32, -33, -129, -40000],
      '987fcc80cdffffce00010000e0d0dfd1ff7fd2ffff63c0',
    ],
    ['doubles', [1.5, 2 ** 40], '92cb3ff8000000000000cb4270000000000000'],
    ['a bigint in 64 bits', 5n, 'd30000000000000005'],
    ['bytes as bin', new Uint8Array([1, 2]), 'c4020102'],
    ['a Map as a map', new Map([['k', 1]]), '81a16b01'],
    ['a Set as an array', new Set([1, 2]), '920102'],
    ['booleans and null', [true, false, null], '93c3c2c0'],
    ['a time as the standard timestamp', new Date(1000), 'd6ff00000001'],
  ])('writes %s as the specification has it', (_what, value, expected) => {
    expect(hex(msgpack(), value)).toBe(expected)
  })

  it('reads what other languages write', () => {
    expect(unhex(msgpack(), 'cf00000000000000ff')).toBe(255n)
    expect(unhex(msgpack(), 'd30000010000000000')).toBe(1099511627776n)
    expect(unhex(msgpack(), 'ca3fc00000')).toBe(1.5)
    expect(unhex(msgpack(), 'de0001d90161 01'.replace(' ', ''))).toEqual({ a: 1 })
  })

  it('refuses a bigint beyond 64 bits', () => {
    expect(() => hex(msgpack(), 2n ** 64n)).toThrow(RangeError)
  })
})

describe('cbor', () => {
  // By hand from RFC 8949, appendix A where it has the value.
  it.each([
    ['a small object', { a: 1, b: 'x' }, 'a261610161626178'],
    ['the same object again, without records', { a: 1, b: 'x' }, 'a261610161626178'],
    [
      'integers of each size',
      [23, 24, 1000, 1000000, -1, -100, -1000],
      '871718181903e81a000f4240203863 3903e7'.replace(' ', ''),
    ],
    ['doubles', 1.1, 'fb3ff199999999999a'],
    ['a bigint in 64 bits', 5n, '1b0000000000000005'],
    ['a large bigint as tag 2', 18446744073709551616n, 'c249010000000000000000'],
    ['bytes as a byte string without a tag', new Uint8Array([1, 2]), '420102'],
    ['a Buffer likewise', Buffer.from([1, 2]), '420102'],
    ['a Map as a map', new Map([['k', 1]]), 'a1616b01'],
    ['booleans and null', [true, false, null], '83f5f4f6'],
  ])('writes %s as the specification has it', (_what, value, expected) => {
    expect(hex(cbor(), value)).toBe(expected)
  })

  it('reads what other languages write', () => {
    expect(unhex(cbor(), '1b000000e8d4a51000')).toBe(1000000000000n)
    expect(unhex(cbor(), 'f93e00')).toBe(1.5)
    expect(unhex(cbor(), 'bf61610161629f0203ffff')).toEqual({ a: 1, b: [2, 3] })
  })
})

describe.each([msgpack(), cbor()] as Codec<unknown>[])('$name', (codec) => {
  it('gives bytes that do not share the memory of the queue', () => {
    const length = codec.encode({ bytes: new Uint8Array([1, 2, 3]) }, memory, 5)
    const { bytes } = codec.decode(memory, 5, length) as { bytes: Uint8Array }
    memory.fill(0)
    expect([...bytes]).toEqual([1, 2, 3])
  })

  it('writes objects of more than 65,535 members', () => {
    const value = Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i]))
    expect(codec.decode(memory, 0, codec.encode(value, memory, 0))).toEqual(value)
  })

  it('refuses messages that are cut, and messages with something behind', () => {
    const length = codec.encode({ a: 'some text', b: [1, 2, 3] }, memory, 0)
    memory.fill(0, length)
    for (let cut = 0; cut < length; cut++) expect(() => codec.decode(memory, 0, cut)).toThrow(Error)
    expect(() => codec.decode(memory, 0, length + 1)).toThrow(Error)
  })

  it('refuses to encode inside of an encode, and works on afterwards', () => {
    const value = { toJSON: () => codec.encode(1, new Uint8Array(8), 0) }
    class Other {
      toJSON = value.toJSON
    }
    expect(() => codec.encode(new Other(), memory, 0)).toThrow(/while a value's own code runs/)
    expect(codec.decode(memory, 0, codec.encode([1, 'two'], memory, 0))).toEqual([1, 'two'])
  })
})

it('a missing package is named, with the command that installs it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ipckit-codec-'))
  try {
    for (const part of ['dist', 'build/Release/ipckit.node', 'package.json']) {
      await cp(fileURLToPath(new URL(`../../${part}`, import.meta.url)), join(directory, part), {
        recursive: true,
      })
    }
    await writeFile(
      join(directory, 'main.js'),
      `import { cbor, json, msgpack } from 'ipckit'
      const tries = [msgpack, cbor].map((make) => { try { make() } catch ({ code, message }) { return { code, message } } })
      console.log(JSON.stringify([...tries, json().name]))`,
    )
    const { stdout } = await promisify(execFile)(process.execPath, [join(directory, 'main.js')])
    const missing = (name: string, of: string) => ({
      code: 'ERR_MODULE_NOT_FOUND',
      message: `${name}() needs the package ${of}, which is not installed: npm install ${of}`,
    })
    expect(JSON.parse(stdout)).toEqual([missing('msgpack', 'msgpackr'), missing('cbor', 'cbor-x'), 'json'])
  } finally {
    await rm(directory, { recursive: true })
  }
})

it('msgpack refuses views that its package would fill with old memory', () => {
  for (const value of [
    new Float64Array(1),
    new BigInt64Array(1),
    { deep: [new DataView(new ArrayBuffer(4))] },
  ]) {
    expect(() => hex(msgpack(), value)).toThrow(/^MessagePack has no type for /)
  }
  expect(hex(msgpack(), new Int8Array([-1]))).toBe('c401ff')
})

it("the program's own extensions of a package do not change the codec, and the reverse", () => {
  const program = createRequire(import.meta.url)('msgpackr') as typeof import('msgpackr')
  class Celsius {}
  program.addExtension({ Class: Celsius, type: 1, pack: () => Buffer.from([9]), unpack: () => new Celsius() })
  expect(hex(msgpack(), new Celsius())).toBe('80')
  expect(program.pack(new Celsius()).toString('hex')).toBe('d40109')
})
