// node examples/lock-that-survives.mjs
// A lock that nobody can die with: a System V semaphore, which the kernel gives back when its holder is killed.
import { fork } from 'node:child_process'
import { SemaphoreSet } from 'ipckit/sysv'

const key = 0x10cced

if (process.argv[2] === 'holder') {
  await SemaphoreSet.open(key).acquire()
  process.send('I have it')
  setInterval(() => {}, 1000) // works, and is killed over it
} else {
  const lock = SemaphoreSet.openOrCreate(key, { values: [1] })
  const holder = fork(process.argv[1], ['holder'])
  holder.once('message', async () => {
    console.log(`free now: ${lock.tryAcquire() !== undefined}`)
    holder.kill('SIGKILL')
    const permit = await lock.acquire()
    console.log('it is ours')
    permit.release()
    lock.unlink()
    await lock.close()
  })
}
