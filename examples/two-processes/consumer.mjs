// node examples/two-processes/consumer.mjs
// Works until Ctrl-C, started before the producer or after it. The queue stays: ipckit rm posix:/jobs
import { json, Queue } from 'ipckit'

const jobs = await Queue.openOrCreate('posix:/jobs', { codec: json() })
process.once('SIGINT', () => jobs.close())

for await (const { url, queuedBy } of jobs) {
  console.log(`process ${queuedBy} wants ${url}`)
}
