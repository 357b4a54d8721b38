// node examples/fifo.mjs
// A FIFO as a queue of jobs, and one as plain bytes from a shell, whose writers come and go.
import { spawn } from 'node:child_process'
import { json, Queue } from 'ipckit'
import { Fifo } from 'ipckit/pipe'

const jobs = await Queue.openOrCreate('fifo:/tmp/ipckit-example-jobs', { codec: json(), maxBytes: 1 << 17 })
await jobs.put({ id: 1, what: 'sweep' })
await jobs.put({ id: 2, what: 'mop' })
console.log(await jobs.getMany(10))
await jobs.unlink()
await jobs.close()

const lines = Fifo.openOrCreate('/tmp/ipckit-example-lines', { access: 'read' })
for (const word of ['first', 'second']) {
  spawn('sh', ['-c', `echo ${word} > ${lines.path}`])
  for (let chunk = await lines.read(); chunk !== null; chunk = await lines.read()) process.stdout.write(chunk)
  console.log('that writer has left')
}
lines.unlink()
await lines.close()
