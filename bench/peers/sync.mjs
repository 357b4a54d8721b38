// The other process of bench/sync.mjs.
//
//   node sync.mjs pong|contend sync|async NAME...   a line on standard input says how often, for each round
import { createInterface } from 'node:readline'
import { Lock, Semaphore } from 'ipckit/sync'

const [role, way, ...names] = process.argv.slice(2)

/** Takes what the other end gives, and gives back. */
async function pong(times) {
  const [mine, theirs] = ends
  for (let round = 0; round < times; round++) {
    if (way === 'sync') mine.acquireSync()
    else await mine.acquire()
    theirs.release()
  }
}

/** About half a microsecond of work under the lock, as a lock without any is hardly ever contended. */
let sum = 0
function work() {
  for (let step = 0; step < 500; step++) sum = (sum + step) | 0
}

async function contend(times) {
  const [lock] = ends
  for (let round = 0; round < times; round++) {
    const guard = way === 'sync' ? lock.acquireSync() : await lock.acquire()
    work()
    guard.release()
  }
}

const ends = names.map((name) => (role === 'pong' ? Semaphore : Lock).open(name))
const run = { pong, contend }[role]
console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  await run(Number(line))
  console.log('done')
}
