// node examples/shm/dead-letters.mjs
// A message that nobody can work on is given up after its third delivery, and kept.
import { Queue, text } from 'ipckit'

const orders = await Queue.create('shm:/orders', { codec: text(), maxDeliveries: 3, deadLetters: 10 })
await orders.putMany(['a chair', 'a unicorn'])
orders.shutdown() // no more orders; the loop below ends behind the last one

for await (const lease of orders.leases()) {
  try {
    if (lease.value === 'a unicorn') throw new Error('out of stock')
    lease.ack()
  } catch (error) {
    console.log(`${lease.value}: ${error.message}, delivery ${lease.deliveryCount}`)
    lease.nack({ delayMs: 10 * lease.deliveryCount })
  }
}
console.log(`given up: ${orders.tryGetDeadLetter()}`)
await orders.unlink()
await orders.close()
