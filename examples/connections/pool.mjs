// node examples/connections/pool.mjs
// Starts a Python program that has the other end of a connection, and talks with it: no name, no port, no file.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { socketPair } from 'ipckit/pipe'

const [worker, theirs] = socketPair()
const program = join(import.meta.dirname, 'worker.py')
const child = spawn('python3', [program], { stdio: ['inherit', 'inherit', 'inherit', theirs.fd] })
await theirs.close() // The child has its own now. With ours open too, its death would go unnoticed here.

for (const numbers of [[1, 2, 3], [0.5, 0.25], []]) {
  await worker.send({ numbers })
  const { sum } = await worker.recv({ timeoutMs: 5000 })
  console.log(`${numbers.join(' + ')} = ${sum}`)
}

await worker.close() // The worker finds the end of the stream, and ends.
child.on('exit', (code) => console.log(`the worker ended with ${code}`))
