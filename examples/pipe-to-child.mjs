// node examples/pipe-to-child.mjs
// A pipe into a child and one out of it: sort(1) between two ends that are Node streams here.
import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { pipe } from 'ipckit/pipe'

const words = pipe()
const sorted = pipe()
const input = words.reader.handOver()
const output = sorted.writer.handOver()
spawn('sort', { stdio: [input, output, 'inherit'] })
// The child has its own copies. As long as ours are open, nobody sees the end of either pipe.
closeSync(input)
closeSync(output)

words.writer.writable().end('pear\napple\nplum\n')
for await (const chunk of sorted.reader) process.stdout.write(chunk)
