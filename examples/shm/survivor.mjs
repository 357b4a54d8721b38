// node examples/shm/survivor.mjs
// A process is killed with a message in its hands, and the next one gets it, marked.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Queue, text } from 'ipckit'

const letters = await Queue.openOrCreate('shm:/survivor', { codec: text() })
if (process.argv[2] === 'victim') {
  const lease = await letters.lease()
  console.log(`${lease.value}, delivery ${lease.deliveryCount}, and then this:`)
  process.kill(process.pid, 'SIGKILL')
}

await letters.put('a letter')
const victim = spawn(process.execPath, [fileURLToPath(import.meta.url), 'victim'], { stdio: 'inherit' })
const [, signal] = await once(victim, 'exit')
console.log(signal)

const lease = await letters.lease({ timeoutMs: 10_000 })
console.log(`${lease.value}, delivery ${lease.deliveryCount}, redelivered: ${lease.redelivered}`)
lease.ack()
await letters.unlink()
await letters.close()
