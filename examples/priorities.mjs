// node examples/priorities.mjs
// The highest priority is taken first. System V queues have none: there `priorities` makes them of types.
import { Queue, text } from 'ipckit'

const queues = [
  await Queue.openOrCreate('posix:/calls', { codec: text() }),
  await Queue.openOrCreate('sysv:0xca11', { codec: text(), priorities: true }),
]
for (const queue of queues) {
  await queue.put('tidy up')
  await queue.put('make tea', { priority: 1 })
  await queue.put('fire!', { priority: 100 })

  for (let count = 0; count < 3; count++) {
    const { value, priority } = await queue.receive()
    console.log(`${queue.address}: ${value} (${priority})`)
  }
  await queue.unlink()
  await queue.close()
}
