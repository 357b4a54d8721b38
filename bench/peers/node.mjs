// One end of a measured queue, in Node; twin.c is the same in C.
//
//   node node.mjs ROLE BYTES NUMBER MODE ADDRESS [ADDRESS]
//
// Each line on the standard input is a number of messages, and starts a round. Answers on the standard output,
// times in nanoseconds of CLOCK_MONOTONIC:
//
//   produce   START END   of sending; the messages carry the producer's NUMBER and count from 0
//   consume   ready, then START END of receiving; every message is checked
//   ping      P50 P99   of the round trips
//   pong      ready, then 0 0
//
// MODE is how: sync (putSync, getSync), batch (putMany, getMany), async (await put, for await), lease (putSync;
// leaseSync and ack), crowd (as sync, among several consumers).
//
// rested-ping is ping with a rest before each, in which the other end falls asleep.
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue, raw } from 'ipckit'

const [role, bytes, number, mode, ...addresses] = process.argv.slice(2)
const length = Number(bytes)
/** Messages of one putMany and the most of one getMany: what the receiver's memory holds of either size. */
const batchSize = length <= 1024 ? 256 : 31

const nextOf = new Uint32Array(16)

/**
 * A message to send again and again, and its words: numbering it costs three stores, as in C, and not three calls of
 * Buffer.
 */
function makeMessage() {
  const bytes = Buffer.alloc(length)
  return { bytes, words: new Uint32Array(bytes.buffer, bytes.byteOffset, length / 4) }
}

function numberMessage({ bytes, words }, producer, sequence) {
  words[0] = sequence
  words[1] = producer
  words[words.length - 1] = sequence
  return bytes
}

function checkMessage(message) {
  const sequence = message.readUInt32LE(0)
  const producer = message.readUInt32LE(4)
  const last = message.readUInt32LE(message.length - 4)
  if (message.length !== length || sequence !== nextOf[producer] || last !== sequence) {
    throw new Error(
      `message ${sequence} of producer ${producer}, ${message.length} bytes, is not the one that was due`,
    )
  }
  nextOf[producer]++
}

/** Among several consumers: messages of one producer come in their order, not without gaps. */
function checkShare(message) {
  const sequence = message.readUInt32LE(0)
  const producer = message.readUInt32LE(4)
  if (sequence >= nextOf[producer]) nextOf[producer] = sequence
  checkMessage(message)
}

const now = () => process.hrtime.bigint()

const producers = {
  sync(queue, producer, count) {
    const message = makeMessage()
    for (let sequence = 0; sequence < count; sequence++) {
      queue.putSync(numberMessage(message, producer, sequence))
    }
  },
  async batch(queue, producer, count) {
    const messages = Array.from({ length: batchSize }, makeMessage)
    const all = messages.map(({ bytes }) => bytes)
    for (let first = 0; first < count; first += batchSize) {
      const some = Math.min(batchSize, count - first)
      for (let at = 0; at < some; at++) numberMessage(messages[at], producer, first + at)
      await queue.putMany(some === batchSize ? all : all.slice(0, some))
    }
  },
  async async(queue, producer, count) {
    const message = makeMessage()
    for (let sequence = 0; sequence < count; sequence++) {
      await queue.put(numberMessage(message, producer, sequence))
    }
  },
}

producers.lease = producers.sync
producers.crowd = producers.sync

const consumers = {
  sync(queue, count) {
    for (let received = 0; received < count; received++) checkMessage(queue.getSync())
  },
  crowd(queue, count) {
    for (let received = 0; received < count; received++) checkShare(queue.getSync())
  },
  lease(queue, count) {
    for (let received = 0; received < count; received++) {
      const lease = queue.leaseSync()
      checkMessage(lease.value)
      lease.ack()
    }
  },
  async batch(queue, count) {
    for (let received = 0; received < count; ) {
      const messages = await queue.getMany(Math.min(batchSize, count - received))
      for (const message of messages) checkMessage(message)
      received += messages.length
    }
  },
  async async(queue, count) {
    let received = 0
    for await (const message of queue) {
      checkMessage(message)
      if (++received === count) break
    }
  },
}

/** Longer than any end polls before it sleeps. */
const restMs = 3
const still = new Int32Array(new SharedArrayBuffer(4))

const pingers = {
  sync(there, back, times, rests) {
    const message = makeMessage()
    for (let sequence = 0; sequence < times.length; sequence++) {
      const bytes = numberMessage(message, 0, sequence)
      if (rests) Atomics.wait(still, 0, 0, restMs)
      const start = performance.now()
      there.putSync(bytes)
      const answer = back.getSync()
      times[sequence] = performance.now() - start
      checkMessage(answer)
    }
  },
  async async(there, back, times, rests) {
    const message = makeMessage()
    for (let sequence = 0; sequence < times.length; sequence++) {
      const bytes = numberMessage(message, 0, sequence)
      if (rests) await sleep(restMs)
      const start = performance.now()
      await there.put(bytes)
      const answer = await back.get()
      times[sequence] = performance.now() - start
      checkMessage(answer)
    }
  },
}

const pongers = {
  sync(there, back, count) {
    for (let sequence = 0; sequence < count; sequence++) back.putSync(there.getSync())
  },
  async async(there, back, count) {
    for (let sequence = 0; sequence < count; sequence++) await back.put(await there.get())
  },
}

const answer = (...values) => process.stdout.write(`${values.join(' ')}\n`)
const nanoseconds = (milliseconds) => Math.round(milliseconds * 1e6)

async function ping(there, back, count, rests) {
  nextOf.fill(0)
  const times = new Float64Array(count)
  await pingers[mode](there, back, times, rests)
  times.sort()
  answer(nanoseconds(times[Math.trunc(count / 2)]), nanoseconds(times[Math.trunc(count / 100) * 99]))
}

const roles = {
  async produce(queue, count) {
    const start = now()
    await producers[mode](queue, Number(number), count)
    answer(start, now())
  },
  async consume(queue, count) {
    nextOf.fill(0)
    answer('ready')
    const start = now()
    await consumers[mode](queue, count)
    answer(start, now())
  },
  ping: (there, back, count) => ping(there, back, count, false),
  'rested-ping': (there, back, count) => ping(there, back, count, true),
  async pong(there, back, count) {
    answer('ready')
    await pongers[mode](there, back, count)
    answer(0, 0)
  },
}

const queues = await Promise.all(
  addresses.map((address) => Queue.open(address, { codec: raw({ view: true }) })),
)
for await (const line of createInterface({ input: process.stdin })) await roles[role](...queues, Number(line))
await Promise.all(queues.map((queue) => queue.close()))
