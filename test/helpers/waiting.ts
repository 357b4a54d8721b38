/** Waiting for conditions, and seeing that something waits. */
import { readdirSync, readFileSync } from 'node:fs'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'

/** Resolves when the condition holds; the watchdog of the test ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(1)
}

/** Whether a promise is still pending after everything that is ready has run. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true
  const settled = () => {
    pending = false
  }
  promise.then(settled, settled)
  for (let turns = 0; turns < 20; turns++) await nextTurn()
  return pending
}

/** Numbers of the system calls in which a thread may be seen asleep, by architecture. */
const numbers = {
  x64: { msgsnd: 69, msgrcv: 70, mq_timedreceive: 243, ppoll: 271 },
  arm64: { msgsnd: 189, msgrcv: 188, mq_timedreceive: 183, ppoll: 73 },
}
type Syscall = keyof (typeof numbers)['x64']

/** How many threads of a process sleep in a system call now. */
export function sleepersIn(syscall: Syscall, pid: number | string = 'self'): number {
  const number = numbers[process.arch as keyof typeof numbers]?.[syscall]
  const folder = `/proc/${pid}/task`
  return readdirSync(folder).filter((thread) => {
    try {
      return readFileSync(`${folder}/${thread}/syscall`, 'utf8').split(' ')[0] === String(number)
    } catch {
      // It has ended since.
      return false
    }
  }).length
}
