// node examples/with-python/jobs.mjs
// Queues jobs for worker.py, waits for its answers, and removes both queues.
import { json, Queue } from 'ipckit'

const jobs = await Queue.openOrCreate('posix:/numbers', { codec: json() })
const answers = await Queue.openOrCreate('posix:/sums', { codec: json() })

await jobs.putMany([{ numbers: [1, 2, 3] }, { numbers: [0.5, 0.25] }, null])
console.log(await answers.get(), await answers.get())

await Promise.all([jobs.unlink(), answers.unlink()])
