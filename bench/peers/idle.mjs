// Opens the queues that are named, begins so many gets on each, and then does nothing. Answers on the standard
// output: ready, and, after all the messages have been put into the queues, the number of gets that gave the
// message that was due. Without arguments it is bare Node that waits.
//
//   node idle.mjs GETS ADDRESS...
import { once } from 'node:events'

const [gets, ...addresses] = process.argv.slice(2)

async function waitOn(address) {
  const { Queue, text } = await import('ipckit')
  const queue = await Queue.open(address, { codec: text() })
  return { queue, pending: Array.from({ length: Number(gets) }, () => queue.get()) }
}

const waits = await Promise.all(addresses.map(waitOn))
console.log('ready')
await once(process.stdin, 'data')
let served = 0
for (const { queue, pending } of waits) {
  const values = await Promise.all(pending)
  served += values.filter((value, at) => value === String(at)).length
  await queue.close()
}
console.log(served)
process.stdin.unref()
