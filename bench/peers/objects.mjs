// One end of a queue of objects, in batches; the lines on the standard input and output are those of node.mjs.
//
//   node objects.mjs ROLE CODEC ADDRESS
//
// CODEC is json or struct, of five fields with two strings, about 100 B; or numbers, a struct of five numbers. The role
// alone, without a queue, is what JSON.stringify and JSON.parse cost one after the other.
import { createInterface } from 'node:readline'
import { chars, f64, i32, json, Queue, struct, u16, u32 } from 'ipckit'

const [role, kind, address] = process.argv.slice(2)
const batchSize = 256

const record = (id) => ({
  id,
  px: 101.25,
  qty: 3000,
  symbol: 'EURUSD-SPOT-LDN',
  note: 'abcdefghij'.repeat(5),
})
const numbers = (id) => ({ id, b: 7, c: 1.5, d: -2.25, e: 99 })
const isRecord = ({ note }) => note.length === 50

const kinds = {
  json: { codec: json, make: record, isWhole: isRecord },
  struct: {
    codec: () => struct({ id: i32, px: f64, qty: u32, symbol: chars(16), note: chars(64) }),
    make: record,
    isWhole: isRecord,
  },
  numbers: {
    codec: () => struct({ id: i32, b: u32, c: f64, d: f64, e: u16 }),
    make: numbers,
    isWhole: ({ d }) => d === -2.25,
  },
}
const { codec, make, isWhole } = kinds[kind]

async function produce(queue, count) {
  const objects = Array.from({ length: batchSize }, (_, at) => make(at))
  for (let first = 0; first < count; first += batchSize) {
    const some = Math.min(batchSize, count - first)
    for (let at = 0; at < some; at++) objects[at].id = first + at
    await queue.putMany(some === batchSize ? objects : objects.slice(0, some))
  }
}

async function consume(queue, count) {
  for (let due = 0; due < count; ) {
    for (const object of await queue.getMany(Math.min(batchSize, count - due))) {
      if (object.id !== due || !isWhole(object))
        throw new Error(`object ${object.id} is not number ${due}, which is due`)
      due++
    }
  }
}

function alone(count) {
  const object = make(0)
  for (let id = 0; id < count; id++) {
    object.id = id
    if (JSON.parse(JSON.stringify(object)).id !== id) throw new Error(`object ${id} came out as another`)
  }
}

const rounds = { produce, consume, alone: (_, count) => alone(count) }
const now = () => process.hrtime.bigint()
const answer = (...values) => process.stdout.write(`${values.join(' ')}\n`)

const queue = role === 'alone' ? undefined : await Queue.open(address, { codec: codec() })
for await (const line of createInterface({ input: process.stdin })) {
  if (role === 'consume') answer('ready')
  const start = now()
  await rounds[role](queue, Number(line))
  answer(start, now())
}
await queue?.close()
