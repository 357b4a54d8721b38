// node examples/existing-daemon/ask.mjs
// Asks daemon.c, which runs already. A request has type 1, its answer the pid of who asked. Two queues with
// codecs of their own are two views of the same one.
import { chars, i32, Queue, struct, text } from 'ipckit'

const address = 'sysv:/etc/passwd?proj=1' // the key is ftok("/etc/passwd", 1)
const requests = await Queue.open(address, { codec: struct({ pid: i32, name: chars(32) }) })
const answers = await Queue.open(address, { codec: text() })

for (const name of ['root', 'nobody-of-that-name']) {
  await requests.put({ pid: process.pid, name }, { type: 1 })
  console.log(await answers.get({ type: process.pid, timeoutMs: 10_000 }))
}
await requests.close()
await answers.close()
