/**
 * Lists the POSIX message queues of this IPC namespace. The kernel shows them as files of the mqueue file
 * system, mounted at /dev/mqueue by most distributions and container runtimes, but not needed to use queues.
 */
import { closeSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { native } from '../binding.js'
import { type SystemFailure, systemError } from '../errors.js'

/** A queue as the mqueue file system shows it. */
export interface PosixQueueEntry {
  /** With its slash, as mq_open(3) takes it. */
  readonly name: string
  readonly address: string
  /** Bytes of all messages in the queue; absent when this user may not read the queue. */
  readonly bytes?: number
  /** Pid of who asked for a notice (mq_notify(3)), 0 when nobody did; absent likewise. */
  readonly notifyPid?: number
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/**
 * Lists all queues of this IPC namespace, sorted by name.
 *
 * @throws `IpcError` when the mqueue file system is not mounted anywhere and this process may not mount it
 *   for itself; the message has the command.
 * @see {@link https://man7.org/linux/man-pages/man7/mq_overview.7.html | mq_overview(7)}
 * @example
 * ```ts
 * import { list } from 'ipckit/posix'
 * for (const { name, bytes } of list()) console.log(name, bytes)
 * ```
 */
export function list(): PosixQueueEntry[] {
  // A mount that this namespace inherited shows the queues of another: a mount of our own is always right.
  const directory = openDirectory()
  if (typeof directory === 'number') {
    try {
      return read(`/proc/self/fd/${directory}`)
    } finally {
      closeSync(directory)
    }
  }
  const mounted = mountPoint()
  if (mounted === undefined) throw directory
  return read(mounted)
}

function openDirectory(): number | Error {
  try {
    return native.mqDirectory()
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    return systemError({
      errno,
      syscall,
      resource: 'the POSIX message queues',
      action: 'list',
      advice:
        'the mqueue file system is not mounted; mount it with: mkdir -p /dev/mqueue && mount -t mqueue none /dev/mqueue',
    })
  }
}

function mountPoint(): string | undefined {
  for (const mount of readFileSync('/proc/self/mountinfo', 'utf8').split('\n').reverse()) {
    const [before, after] = mount.split(' - ')
    if (after?.startsWith('mqueue ')) return before?.split(' ')[4]?.replaceAll('\\040', ' ')
  }
  return undefined
}

function read(folder: string): PosixQueueEntry[] {
  const entries: PosixQueueEntry[] = []
  for (const file of readdirSync(folder).sort()) {
    const entry = readEntry(`${folder}/${file}`, file)
    if (entry !== undefined) entries.push(entry)
  }
  return entries
}

/** Undefined when the queue was removed since the folder was read. */
function readEntry(path: string, file: string): PosixQueueEntry | undefined {
  try {
    const { uid, gid, mode } = statSync(path)
    return { name: `/${file}`, address: `posix:/${file}`, uid, gid, mode: mode & 0o777, ...readState(path) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The file reads `QSIZE:129 NOTIFY:2 SIGNO:0 NOTIFY_PID:8260`. */
function readState(path: string): { bytes: number; notifyPid: number } | undefined {
  let state: string
  try {
    state = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return undefined
    throw error
  }
  return {
    bytes: Number(/QSIZE:(\d+)/.exec(state)?.[1] ?? 0),
    notifyPid: Number(/NOTIFY_PID:(\d+)/.exec(state)?.[1] ?? 0),
  }
}
