// One end of a measured pipe, in Node: streams of 64 KiB chunks; pipe.c is the same in C.
//
//   node pipe.mjs ROLE PATH
//
// Each line on the standard input is a number of chunks, and starts a round. Answers on the standard output, times in
// nanoseconds of CLOCK_MONOTONIC:
//
//   produce   START END   of writing
//   consume   ready, then START END of reading
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Fifo } from 'ipckit/pipe'

const [role, path] = process.argv.slice(2)
const chunk = Buffer.alloc(65_536)
const fifo = Fifo.open(path)
const now = () => process.hrtime.bigint()
const answer = (...values) => process.stdout.write(`${values.join(' ')}\n`)

const writable = role === 'produce' ? fifo.writable() : undefined
// As the twin does, whose chunks all lie in one buffer.
const readable = role === 'consume' ? fifo.readable({ reuseMemory: true }).pause() : undefined

async function produce(count) {
  for (let sent = 0; sent < count; sent++) {
    if (!writable.write(chunk)) await once(writable, 'drain')
  }
}

function consume(count) {
  let left = count * chunk.length
  return new Promise((resolve) => {
    const take = ({ length }) => {
      left -= length
      if (left > 0) return
      readable.off('data', take).pause()
      resolve()
    }
    readable.on('data', take).resume()
  })
}

for await (const line of createInterface({ input: process.stdin })) {
  if (role === 'consume') answer('ready')
  const start = now()
  await (role === 'produce' ? produce : consume)(Number(line))
  answer(start, now())
}
await fifo.close()
