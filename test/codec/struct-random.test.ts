import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseStruct } from 'ipckit'
import { expect, it } from 'vitest'
import { interpret } from '../../lib/codec/struct/interpret.js'
import { Random, seed } from './random.js'

it(`random structs give back random values, and the interpreter writes and reads the same (seed ${seed})`, () => {
  const random = new Random(seed)
  for (let i = 0; i < 400; i++) {
    const codec = random.struct()
    const interpreted = interpret(codec.shape as Parameters<typeof interpret>[0])
    for (let j = 0; j < 5; j++) {
      const value = random.value(codec) as Record<string, unknown>
      const compiledBytes = new Uint8Array(codec.size).fill(0xaa)
      const interpretedBytes = new Uint8Array(codec.size).fill(0x55)
      expect(codec.encode(value, compiledBytes, 0)).toBe(codec.size)
      interpreted.write(new DataView(interpretedBytes.buffer), interpretedBytes, 0, value)
      expect(interpretedBytes).toEqual(compiledBytes)
      expect(codec.decode(compiledBytes, 0, codec.size)).toEqual(value)
      expect(interpreted.read(new DataView(compiledBytes.buffer), compiledBytes, 0)).toEqual(value)
    }
  }
})

it(`any bytes decode to a value that encodes again, or are refused, both ways alike (seed ${seed})`, () => {
  const random = new Random(seed)
  const outcome = (action: () => unknown) => {
    try {
      return { value: action() }
    } catch (error) {
      return { message: (error as Error).message }
    }
  }
  for (let i = 0; i < 400; i++) {
    const codec = random.struct()
    const bytes = random.bytes(codec.size)
    const interpreted = interpret(codec.shape as Parameters<typeof interpret>[0])
    const first = outcome(() => codec.decode(bytes, 0, codec.size))
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    expect(outcome(() => interpreted.read(view, bytes, 0))).toEqual(first)
    if (first.value === undefined) continue
    const again = new Uint8Array(codec.size)
    codec.encode(first.value as Record<string, unknown>, again, 0)
    expect(codec.decode(again, 0, codec.size)).toEqual(first.value)
  }
})

it(`the name of a struct is a description of it (seed ${seed})`, () => {
  const random = new Random(seed)
  for (let i = 0; i < 400; i++) {
    const codec = random.struct()
    const parsed = parseStruct(codec.name)
    expect(parsed).toMatchObject({ name: codec.name, size: codec.size, align: codec.align })
    expect(parsed.fields.map((field) => field.offset)).toEqual(codec.fields.map((field) => field.offset))
  }
})

it('structs work where Node may not generate code from strings', async () => {
  const program = `
    import { array, chars, i32, struct } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}
    const codec = struct({ ['__proto__']: i32, list: array(struct({ name: chars(4) }), 2) })
    const memory = new Uint8Array(64)
    const value = codec.decode(memory, 1, codec.encode({ ['__proto__']: 5, list: [{ name: 'a' }, { name: 'b' }] }, memory, 1))
    let refusal
    try { codec.encode({ ['__proto__']: 5, list: [{ name: 'a' }, { name: 5 }] }, memory, 0) } catch (error) { refusal = error.message }
    let generated = true
    try { new Function('') } catch { generated = false }
    console.log(JSON.stringify([generated, Object.entries(value), refusal]))`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--disallow-code-generation-from-strings', '--input-type=module', '-e', program],
    { cwd: fileURLToPath(new URL('.', import.meta.url)) },
  )
  expect(JSON.parse(stdout)).toEqual([
    false,
    [
      ['__proto__', 5],
      ['list', [{ name: 'a' }, { name: 'b' }]],
    ],
    'Expected text of at most 4 bytes in UTF-8 for `list[1].name`, received 5',
  ])
})
