/** Seeing from outside, through /proc, that a process sleeps in a wait for a queue. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Kernel } from '../helpers/kernels.ts'

/** Numbers of the system calls in which a peer waits: msgsnd and msgrcv, or poll and ppoll. */
const waits: Record<string, Record<Kernel, readonly number[]>> = {
  x64: { posix: [7, 271], sysv: [69, 70] },
  arm64: { posix: [73], sysv: [189, 188] },
}

/** Whether a thread of the process sleeps until the queue has a message, or room for one. */
export function waitsFor(pid: number, address: string): boolean {
  const kernel = address.startsWith('posix:') ? 'posix' : 'sysv'
  const calls = waits[process.arch]?.[kernel] ?? []
  if (threadsOf(pid).some((thread) => calls.includes(syscallOf(thread)))) return true
  return kernel === 'posix' && isPolled(pid, address.slice('posix:'.length))
}

/** Whether all threads of the process have been stopped by SIGSTOP. One that has ended since is as quiet. */
export function isStopped(pid: number): boolean {
  return threadsOf(pid).every((thread) =>
    /\) T/.test(attempt(() => readFileSync(`${thread}/stat`, 'latin1'), ') T')),
  )
}

/** Whether the queue is in an epoll set: Node's peer has it there from its first wait on, proc_pid_fdinfo(5). */
function isPolled(pid: number, name: string): boolean {
  const descriptors = attempt(() => readdirSync(`/proc/${pid}/fd`), [])
  const links = descriptors.map((fd) => [fd, attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`), '')])
  const queues = links.filter(([, target]) => target === name).map(([fd]) => fd)
  return links
    .filter(([, target]) => target === 'anon_inode:[eventpoll]')
    .map(([fd]) => attempt(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'), ''))
    .some((polled) => queues.some((fd) => new RegExp(`^tfd: +${fd} `, 'm').test(polled)))
}

function threadsOf(pid: number): string[] {
  const folder = `/proc/${pid}/task`
  return attempt(() => readdirSync(folder), []).map((thread) => `${folder}/${thread}`)
}

/** proc_pid_syscall(5): a number, or NaN for a thread that is in none. */
function syscallOf(thread: string): number {
  return Number.parseInt(
    attempt(() => readFileSync(`${thread}/syscall`, 'latin1'), ''),
    10,
  )
}

/** What is in /proc may be gone the next moment. */
function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look()
  } catch {
    return otherwise
  }
}
