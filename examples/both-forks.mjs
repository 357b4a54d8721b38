// node examples/both-forks.mjs
// Several semaphores of a set, all or none: what would be a deadlock with one lock after the other.
import { SemaphoreSet } from 'ipckit/sysv'

const forks = SemaphoreSet.create('private', { values: [1, 1, 1] })

async function eat(name, left, right) {
  const change = (by) => [left, right].map((semaphore) => ({ semaphore, by, undo: true }))
  await forks.operate(change(-1), { timeoutMs: 1000 })
  console.log(`${name} eats`)
  await forks.operate(change(1))
}

await Promise.all([eat('Ada', 0, 1), eat('Grace', 1, 2), eat('Barbara', 2, 0)])
console.log(forks.values())
forks.unlink()
await forks.close()
