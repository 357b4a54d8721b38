// Kills a process with SIGKILL while it waits for a message, and not while it has one in its hands: then it would
// be an honest loss, of one. The process is stopped first; what it was doing can be read, and cannot change.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** The numbers of the system calls in which a worker waits, by architecture. */
const waits = {
  x64: { poll: [7, 271, 232, 281, 441], msgrcv: 70 },
  arm64: { poll: [73, 22, 441], msgrcv: 188 },
}[process.arch]

/** True when it was killed; false when it was busy, and goes on. */
export async function killWaiting(pid, whileStopped) {
  process.kill(pid, 'SIGSTOP')
  for (let state = stateOf(pid); state !== 'T'; state = stateOf(pid)) {
    if (state === 'Z') throw new Error(`worker ${pid} has died by itself`)
    await sleep(1)
  }
  if (!isWaiting(pid)) {
    process.kill(pid, 'SIGCONT')
    return false
  }
  await whileStopped()
  process.kill(pid, 'SIGKILL')
  return true
}

function stateOf(pid) {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '')[0]
}

/** proc_pid_syscall(5): the number of the system call and its arguments, or a word when there is none. */
function isWaiting(pid) {
  const [number, , , size] = readFileSync(`/proc/${pid}/syscall`, 'utf8').split(' ')
  if (waits.poll.includes(Number(number))) return true
  // A msgrcv of size 0 waits and takes nothing; one of another size takes a message.
  return Number(number) === waits.msgrcv && Number(size) === 0
}
