/** What codecs must infer, and what must not compile. The compiler runs this file; nothing else does. */

import {
  array,
  bool,
  bytes,
  type Codec,
  cbor,
  chars,
  checked,
  type Decoded,
  type FieldInput,
  type FieldOutput,
  type FieldType,
  f32,
  f64,
  type i8,
  type i16,
  i32,
  i64,
  json,
  msgpack,
  parseStruct,
  raw,
  struct,
  text,
  type u8,
  type u16,
  u32,
  u64,
  v8,
} from 'ipckit'
import * as v from 'valibot'
import { z } from 'zod'

/** True when two types are the same to the compiler; `any` is the same as nothing but itself. */
type Equal<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false
type Encoded<C> = C extends { encode(value: infer I, target: Uint8Array, offset: number): number } ? I : never
function expectTrue<_T extends true>(): void {}

const target = new Uint8Array(64)

// Plain codecs
expectTrue<Equal<Decoded<ReturnType<typeof raw>>, Buffer>>()
expectTrue<Equal<Encoded<ReturnType<typeof raw>>, Uint8Array>>()
expectTrue<Equal<ReturnType<typeof text>, Codec<string>>>()

interface Job {
  id: number
  url: string
}
const jobs = json<Job>()
const v8Jobs = v8<Job>()
const msgpackJobs = msgpack<Job>()
const cborJobs = cbor<Job>()
expectTrue<Equal<typeof jobs, Codec<Job>>>()
expectTrue<Equal<typeof v8Jobs, Codec<Job>>>()
expectTrue<Equal<typeof msgpackJobs, Codec<Job>>>()
expectTrue<Equal<typeof cborJobs, Codec<Job>>>()
expectTrue<Equal<Decoded<ReturnType<typeof json>>, unknown>>()
const untyped = json()
expectTrue<Equal<typeof untyped, Codec<unknown>>>()

jobs.encode({ id: 1, url: 'x' }, target, 0)
// @ts-expect-error a string is not a Uint8Array
raw().encode('x', target, 0)
// @ts-expect-error bytes are not a string
text().encode(new Uint8Array(1), target, 0)
// @ts-expect-error `url` is missing
jobs.encode({ id: 1 }, target, 0)
// @ts-expect-error what arrives is unknown until it is checked
json().decode(target, 0, 2).id

// Field types
expectTrue<
  Equal<FieldOutput<typeof i8 | typeof u8 | typeof i16 | typeof u16 | typeof i32 | typeof u32>, number>
>()
expectTrue<Equal<FieldOutput<typeof f32 | typeof f64>, number>>()
expectTrue<Equal<FieldOutput<typeof i64 | typeof u64>, bigint>>()
expectTrue<Equal<FieldOutput<typeof bool>, boolean>>()
const sym = chars(8)
const digest = bytes(32)
const matrix = array(array(f64, 3), 3)
expectTrue<Equal<typeof sym, FieldType<string>>>()
expectTrue<Equal<FieldOutput<typeof digest>, Buffer>>()
expectTrue<Equal<FieldInput<typeof digest>, Uint8Array>>()
expectTrue<Equal<FieldOutput<typeof matrix>, number[][]>>()
expectTrue<Equal<FieldInput<typeof matrix>, ArrayLike<ArrayLike<number>>>>()

// Structs
const tick = struct({ id: i32, px: f64, sym: chars(8) })
interface Tick {
  id: number
  px: number
  sym: string
}
expectTrue<Equal<Decoded<typeof tick>, { id: number; px: number; sym: string }>>()
expectTrue<Equal<Encoded<typeof tick>, { id: number; px: number; sym: string }>>()
const ticks: Codec<Tick> = tick
ticks.encode({ id: 1, px: 2, sym: 'x' }, target, 0)

const nested = struct(
  { at: u64, on: bool, tick, path: array(struct({ x: f32, y: f32 }), 2), raw: bytes(16) },
  { packed: true },
)
expectTrue<
  Equal<
    Decoded<typeof nested>,
    {
      at: bigint
      on: boolean
      tick: { id: number; px: number; sym: string }
      path: { x: number; y: number }[]
      raw: Buffer
    }
  >
>()
nested.encode(
  {
    at: 1n,
    on: true,
    tick: { id: 1, px: 2, sym: 'x' },
    path: [
      { x: 1, y: 2 },
      { x: 3, y: 4 },
    ],
    raw: new Uint8Array(16),
  },
  target,
  0,
)
struct({ list: array(f32, 2) }).encode({ list: new Float32Array(2) }, target, 0)
expectTrue<Equal<typeof tick.size, number>>()
expectTrue<Equal<(typeof tick.fields)[number]['offset'], number>>()

// @ts-expect-error `px` is missing
tick.encode({ id: 1, sym: 'x' }, target, 0)
// @ts-expect-error `id` is no string
tick.encode({ id: '1', px: 2, sym: 'x' }, target, 0)
// @ts-expect-error 64 bits are a bigint
struct({ at: u64 }).encode({ at: 1 }, target, 0)
// @ts-expect-error 32 bits are a number
struct({ at: u32 }).encode({ at: 1n }, target, 0)
// @ts-expect-error there is no field `volume`
tick.decode(target, 0, 24).volume
// @ts-expect-error a codec that is no struct is no field type
struct({ job: json() })
// @ts-expect-error nor is the name of a type
struct({ id: 'i32' })
// @ts-expect-error nor is a function that makes one
struct({ sym: chars })
// @ts-expect-error a length is needed
array(i32)
// @ts-expect-error a byte order has a name
struct({ id: i32 }, { endian: 'BE' })
// @ts-expect-error there is no such option
struct({ id: i32 }, { align: 4 })
// @ts-expect-error the layout is as it is
tick.size = 5

const parsed = parseStruct('id:i32')
expectTrue<Equal<Decoded<typeof parsed>, Record<string, unknown>>>()
// @ts-expect-error the type of a parsed field is not known
parsed.decode(target, 0, 4).id satisfies number

// checked: the schema's types, both ways
const ZodJob = z.object({
  id: z.number(),
  due: z.string().transform((due) => new Date(due)),
  tries: z.number().default(3),
})
const zodJobs = checked(ZodJob, json())
expectTrue<Equal<Decoded<typeof zodJobs>, { id: number; due: Date; tries: number }>>()
expectTrue<Equal<Encoded<typeof zodJobs>, { id: number; due: string; tries?: number | undefined }>>()

const ValibotJob = v.object({
  id: v.number(),
  due: v.pipe(
    v.string(),
    v.transform((due) => new Date(due)),
  ),
})
const valibotJobs = checked(ValibotJob, msgpack())
expectTrue<Equal<Decoded<typeof valibotJobs>, { id: number; due: Date }>>()
expectTrue<Equal<Encoded<typeof valibotJobs>, { id: number; due: string }>>()

checked(z.string(), text()) satisfies Codec<string>
checked(z.string().transform(Number), text()) satisfies Codec<number, string>
checked(z.object({ id: z.number(), px: z.number(), sym: z.string() }), tick)
checked(z.object({ id: z.number(), px: z.number() }), parseStruct('id:i32,px:f64'))
checked(z.object({ list: z.array(z.number()) }), struct({ list: array(i32, 2) }))
checked(z.object({ id: z.number(), url: z.string() }), json<Job>())
checked(z.instanceof(Uint8Array), raw())

// @ts-expect-error text carries no numbers
checked(z.number(), text())
// @ts-expect-error nor sometimes numbers
checked(z.union([z.string(), z.number()]), text())
// @ts-expect-error what may be anything does not fit into text
checked(z.unknown(), text())
// @ts-expect-error the struct wants `sym`
checked(z.object({ id: z.number(), px: z.number() }), tick)
// @ts-expect-error the struct wants a number
checked(z.object({ id: z.string() }), struct({ id: i32 }))
// @ts-expect-error 64 bits are a bigint
checked(z.object({ id: z.number() }), struct({ id: i64 }))
// @ts-expect-error what may be missing cannot be in a struct
checked(z.object({ id: z.number().optional() }), struct({ id: i32 }))
// @ts-expect-error a schema comes first
checked(json(), z.string())
// @ts-expect-error the writer gives what the schema takes, not what it makes of it
zodJobs.encode({ id: 1, due: new Date() }, target, 0)

// A codec of a wider value stands for one of a narrower: it writes all of them.
const anything: Codec<unknown> = json()
anything.encode(5, target, 0)
