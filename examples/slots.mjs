// node examples/slots.mjs
// At most two jobs at a time, however many processes start this program: a named POSIX semaphore.
import { setTimeout as work } from 'node:timers/promises'
import { Semaphore } from 'ipckit/posix'

const slots = Semaphore.openOrCreate('/slots', { value: 2 })

async function job(number) {
  const permit = await slots.acquire({ timeoutMs: 10_000 }) // `using permit = ...` in TypeScript
  try {
    console.log(`job ${number} begins`)
    await work(50)
  } finally {
    permit.release()
  }
}

await Promise.all([job(1), job(2), job(3)])
console.log(`${slots.value} slots are free`)
slots.unlink()
await slots.close()
