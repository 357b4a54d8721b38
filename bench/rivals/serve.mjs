// What the programs in this folder have in common: each is one end of something that a Node program can use instead of
// ipckit. The lines on standard input and output are those of ../peers/node.mjs: a number of messages starts a
// round, and START END in nanoseconds ends it.
import { createInterface } from 'node:readline'

export const bytes = 64

/** The clock that all processes share. */
export const now = () => process.hrtime.bigint()

const answer = (...values) => process.stdout.write(`${values.join(' ')}\n`)

/** A message to send again and again: a number in its first and in its last word. */
export function makeMessage() {
  const message = Buffer.alloc(bytes)
  const words = new Uint32Array(message.buffer, message.byteOffset, bytes / 4)
  return (sequence) => {
    words[0] = sequence
    words[words.length - 1] = sequence
    return message
  }
}

/** An object of about 100 B, which is 125 B of JSON. */
export function makeRecord() {
  const record = { id: 0, px: 101.25, qty: 3000, symbol: 'EURUSD-SPOT-LDN', note: 'abcdefghij'.repeat(5) }
  return (sequence) => {
    record.id = sequence
    return record
  }
}

export function check(sequence, last, due) {
  if (sequence !== due || last !== due)
    throw new Error(`message ${sequence} is not number ${due}, which is due`)
}

export function checkBytes(message, offset, due) {
  check(message.readUInt32LE(offset), message.readUInt32LE(offset + bytes - 4), due)
}

export function checkRecord(record, due) {
  check(record.id, record.note.length === 50 ? due : -1, due)
}

/** Runs `produce(count)` in every round. */
export async function serveProducer(produce) {
  for await (const line of createInterface({ input: process.stdin })) {
    const start = now()
    await produce(Number(line))
    answer(start, now())
  }
}

/** Says that a producer may come, and runs `consume(count)` in every round; it may give the START that a producer of its own has told it. */
export async function serveConsumer(consume) {
  answer('open')
  for await (const line of createInterface({ input: process.stdin })) {
    answer('ready')
    const start = now()
    const told = await consume(Number(line))
    answer(told ?? start, now())
  }
}
