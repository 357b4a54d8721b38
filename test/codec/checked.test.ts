import type { StandardSchemaV1 } from '@standard-schema/spec'
import { array, chars, checked, f64, i32, json, parseStruct, SchemaError, struct, text } from 'ipckit'
import * as v from 'valibot'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'

const memory = new Uint8Array(4096)
const sent = (length: number): unknown => JSON.parse(Buffer.from(memory.subarray(0, length)).toString())

const zodJob = z.object({
  id: z.number().int(),
  due: z.iso.datetime().transform((due) => new Date(due)),
  tries: z.number().default(3),
})
const valibotJob = v.object({
  id: v.pipe(v.number(), v.integer()),
  due: v.pipe(
    v.string(),
    v.isoTimestamp(),
    v.transform((due) => new Date(due)),
  ),
  tries: v.optional(v.number(), 3),
})

describe.each([
  ['zod', zodJob],
  ['valibot', valibotJob],
] as const)('checked with %s', (_name, schema) => {
  const codec = checked(schema as typeof zodJob, json())

  it('sends the value as it was given, and transforms once, where it is received', () => {
    const job = { id: 7, due: '2026-12-01T12:00:00Z' }
    const length = codec.encode(job, memory, 0)
    expect(sent(length)).toEqual(job)
    expect(codec.decode(memory, 0, length)).toEqual({ id: 7, due: new Date(job.due), tries: 3 })
  })

  it('refuses to send what does not fit, and lists the issues with their paths', () => {
    const bad = { id: 1.5, due: 'tomorrow' }
    let error: unknown
    try {
      codec.encode(bad as never, memory, 0)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(SchemaError)
    const { message, issues, name } = error as SchemaError
    expect(name).toBe('SchemaError')
    expect(message).toMatch(/^The value does not fit the schema: `id`: .+; `due`: .+/)
    expect(issues.map((issue) => issue.path?.length)).toEqual([1, 1])
  })

  it('refuses to receive what does not fit', () => {
    const length = json().encode({ id: 'seven', due: '2026-12-01T12:00:00Z' }, memory, 0)
    expect(() => codec.decode(memory, 0, length)).toThrow(/^The value does not fit the schema: `id`: /)
  })

  it('says what the inner codec says', () => {
    expect(() => codec.decode(Buffer.from('{'), 0, 1)).toThrow(SyntaxError)
    const job = { id: 7, due: '2026-12-01T12:00:00Z' }
    const needed = JSON.stringify(job).length
    expect(codec.encode(job, new Uint8Array(needed - 1), 0)).toBe(-needed)
    expect(codec.name).toBe('json')
  })
})

describe('checked', () => {
  it.each([
    ['zod', z.string().refine(async () => true)],
    [
      'valibot',
      v.pipeAsync(
        v.string(),
        v.checkAsync(async () => true),
      ),
    ],
  ])('refuses a schema of %s that validates asynchronously', (vendor, schema) => {
    const codec = checked(schema as StandardSchemaV1<string>, text())
    const refusal = new RegExp(
      `^The ${vendor} schema validates asynchronously, and messages cannot wait for it`,
    )
    expect(() => codec.encode('x', memory, 0)).toThrow(refusal)
    expect(() => codec.decode(Buffer.from('x'), 0, 1)).toThrow(TypeError)
  })

  it('refuses what is no schema, and what is no codec', () => {
    const schemas = {
      undefined,
      null: null,
      5: 5,
      '{}': {},
      "{ '~standard': [Object] }": { '~standard': { version: 2 } },
    }
    for (const [received, bad] of Object.entries(schemas)) {
      expect(() => checked(bad as never, text() as never)).toThrow(
        new TypeError(
          'Expected a Standard Schema of version 1, as zod, valibot and arktype make them, for `schema`, ' +
            `received ${received}`,
        ),
      )
    }
    const codecs = { undefined, null: null, '[Function: text]': text, "{ name: 'x' }": { name: 'x' } }
    for (const [received, bad] of Object.entries(codecs)) {
      expect(() => checked(z.string(), bad as never)).toThrow(
        new TypeError(`Expected a codec such as json() for \`codec\`, received ${received}`),
      )
    }
  })

  it('leaves no rejection behind when the promise of such a schema fails', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const schema: StandardSchemaV1<string> = {
      '~standard': { version: 1, vendor: 'test', validate: () => Promise.reject(new Error('late')) },
    }
    expect(() => checked(schema, text()).encode('x', memory, 0)).toThrow(/^The test schema validates async/)
    await new Promise((resolve) => setTimeout(resolve, 10))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })

  it('writes paths as JavaScript does, and counts what it leaves out', () => {
    const issues = [
      { message: 'one', path: ['pos', 1, { key: 'x' }, 'odd name', Symbol('s')] },
      { message: 'two' },
      { message: 'three', path: [] },
      ...Array.from({ length: 10 }, (_, i) => ({ message: `more ${i}` })),
    ]
    const schema: StandardSchemaV1<string> = {
      '~standard': { version: 1, vendor: 'test', validate: () => ({ issues }) },
    }
    let error: unknown
    try {
      checked(schema, text()).encode('x', memory, 0)
    } catch (thrown) {
      error = thrown
    }
    const { message } = error as SchemaError
    expect(message).toMatch(/schema: `pos\[1\]\.x\["odd name"\]\[Symbol\(s\)\]`: one; two; three; more 0; /)
    expect(message).toMatch(/more 6; and 3 more$/)
    expect((error as SchemaError).issues).toBe(issues)
  })

  it('works over a struct, and over a struct that was parsed', () => {
    const Tick = z.object({
      id: z.number(),
      px: z.number().positive(),
      sym: z.string().transform((sym) => sym.toLowerCase()),
    })
    for (const inner of [
      struct({ id: i32, px: f64, sym: chars(8) }),
      parseStruct('id:i32,px:f64,sym:char[8]'),
    ]) {
      const codec = checked(Tick, inner as never)
      const length = codec.encode({ id: 1, px: 2, sym: 'ACME' }, memory, 0)
      expect(codec.decode(memory, 0, length)).toEqual({ id: 1, px: 2, sym: 'acme' })
      expect(() => codec.encode({ id: 1, px: -2, sym: 'ACME' }, memory, 0)).toThrow(SchemaError)
    }
    const list = checked(z.object({ list: z.array(z.number()) }), struct({ list: array(i32, 2) }))
    expect(list.decode(memory, 0, list.encode({ list: [1, 2] }, memory, 0))).toEqual({ list: [1, 2] })
  })

  it.each([undefined, null, {}, { '~standard': {} }, { '~standard': { version: 2, validate() {} } }, 5])(
    'refuses %o, which is no Standard Schema',
    (schema) => {
      expect(() => checked(schema as never, json() as never)).toThrow(
        /^Expected a Standard Schema of version 1, /,
      )
    },
  )
})
