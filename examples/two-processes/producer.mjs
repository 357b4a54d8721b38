// node examples/two-processes/producer.mjs
// Queues three jobs. While the queue is full it waits.
import { json, Queue } from 'ipckit'

const jobs = await Queue.openOrCreate('posix:/jobs', { codec: json() })

for (const url of ['https://example.org', 'https://example.com', 'https://example.net']) {
  await jobs.put({ url, queuedBy: process.pid })
}
await jobs.close()
