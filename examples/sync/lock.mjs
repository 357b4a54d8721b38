// node examples/sync/lock.mjs
// A lock whose holder is killed: the next one gets it, and is told, so that it can repair what was left half done.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Lock } from 'ipckit/sync'

const lock = Lock.openOrCreate('/accounts')

if (process.argv[2] === 'holder') {
  await lock.acquire()
  process.send('I have it')
  setInterval(() => {}, 1000) // works, and is killed over it
} else {
  const holder = fork(process.argv[1], ['holder'])
  await once(holder, 'message')
  console.log(`free now: ${lock.tryAcquire() !== undefined}`)
  holder.kill('SIGKILL')
  const guard = await lock.acquire({ timeoutMs: 10_000 }) // `await using guard = ...` in TypeScript
  console.log(`it is ours; the last holder died: ${guard.ownerDied?.pid === holder.pid}`)
  guard.release()
  lock.unlink()
  await lock.close()
}
