/**
 * Lists the POSIX message queues of this IPC namespace. The kernel shows them as files of the mqueue file
 * system, mounted at /dev/mqueue by most distributions and container runtimes, but not needed to use queues.
 */
import { closeSync, constants, readdirSync, readFileSync, statSync } from 'node:fs'
import { native } from '../binding.js'
import { type SystemFailure, systemError } from '../errors.js'
import type { PosixQueueStat } from './transport.js'

/** A queue as the mqueue file system shows it. */
export interface PosixQueueEntry {
  /** With its slash, as mq_open(3) takes it. */
  readonly name: string
  readonly address: string
  /**
   * Only of a name that is no UTF-8, as other programs may give: its bytes, with the slash. `name` and `address` have
   * `\xNN` there for each byte above 127, and do not lead to the queue.
   */
  readonly nameBytes?: Buffer
  /** What mq_getattr(3) tells of a queue whose name is no UTF-8; absent when this user may neither read nor write it. */
  readonly attributes?: Pick<PosixQueueStat, 'depth' | 'capacity' | 'maxMessageBytes'>
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
  for (const file of readdirSync(folder, { encoding: 'buffer' })) {
    const entry = readEntry(folder, file)
    if (entry !== undefined) entries.push(entry)
  }
  return entries.sort((one, other) => (one.name < other.name ? -1 : 1))
}

/** Undefined when the queue was removed since the folder was read. */
function readEntry(folder: string, file: Buffer): PosixQueueEntry | undefined {
  const text = file.toString()
  const isText = Buffer.from(text).equals(file)
  const path = isText ? `${folder}/${text}` : Buffer.concat([Buffer.from(`${folder}/`), file])
  try {
    const { uid, gid, mode } = statSync(path)
    const facts = { uid, gid, mode: mode & 0o777, ...readState(path) }
    if (isText) return { name: `/${text}`, address: `posix:/${text}`, ...facts }
    const name = `/${escaped(file)}`
    return { name, address: `posix:${name}`, ...bytesAndAttributes(file), ...facts }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function escaped(file: Buffer): string {
  return file.toString('latin1').replace(/[\x80-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`)
}

/** Whoever cannot open the queue by its address sees its size here. */
function bytesAndAttributes(file: Buffer): Pick<PosixQueueEntry, 'nameBytes' | 'attributes'> {
  const nameBytes = Buffer.concat([Buffer.from('/'), file])
  for (const access of [constants.O_RDONLY, constants.O_WRONLY]) {
    try {
      const handle = native.mqOpen(nameBytes, access, 0, 0, 0)
      try {
        const out = new Float64Array(8)
        native.mqStatus(handle, out)
        const [capacity, maxMessageBytes, depth] = out as unknown as [number, number, number]
        return { nameBytes, attributes: { depth, capacity, maxMessageBytes } }
      } finally {
        native.mqClose(handle, 0)
      }
    } catch {
      // Another access, or none.
    }
  }
  return { nameBytes }
}

/** The file reads `QSIZE:129 NOTIFY:2 SIGNO:0 NOTIFY_PID:8260`. */
function readState(path: string | Buffer): { bytes: number; notifyPid: number } | undefined {
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
