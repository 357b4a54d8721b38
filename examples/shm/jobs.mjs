// node examples/shm/jobs.mjs
// Puts jobs for the workers of shm/worker.mjs, waits until all are done, and sends the workers home.
import { json, Queue } from 'ipckit'

const jobs = await Queue.openOrCreate('shm:/thumbnails', {
  codec: json(),
  maxDeliveries: 3,
  deadLetters: 100,
})
await jobs.putMany(['cat', 'dog', 'cow'].map((name) => ({ picture: `${name}.jpg` })))
await jobs.join()

const { totals, deadLetters } = jobs.stat()
console.log(`${totals.done} done, ${totals.redelivered} of them again, ${deadLetters} given up`)
jobs.shutdown()
await jobs.unlink()
await jobs.close()
