// node examples/shm/worker.mjs
// Works on jobs of shm/jobs.mjs. A job belongs to the queue until it is acknowledged: kill this with SIGKILL, and
// another worker is given the job. The loop ends when jobs.mjs has shut the queue down.
import { json, Queue } from 'ipckit'

const jobs = await Queue.openOrCreate('shm:/thumbnails', {
  codec: json(),
  maxDeliveries: 3,
  deadLetters: 100,
})
for await (const lease of jobs.leases({ leaseMs: 30_000 })) {
  const { picture } = lease.value
  if (lease.redelivered) console.log(`${picture} was begun before`)
  console.log(`${picture} is done`)
  lease.ack()
}
await jobs.close()
