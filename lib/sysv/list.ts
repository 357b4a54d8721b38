/** Lists the System V message queues of this IPC namespace, from /proc/sysvipc/msg, which every user may read. */
import { readFileSync } from 'node:fs'
import { formatKey, privateKey } from './key.js'

/** A queue as the kernel lists it. */
export interface SysvQueueEntry {
  readonly id: number
  /** 0 for a private queue. */
  readonly key: number
  /** `sysv:0x00001234`, or `sysv:id=5` for a private queue. */
  readonly address: string
  /** Messages in the queue. */
  readonly depth: number
  /** Bytes of all messages in the queue. */
  readonly bytes: number
  readonly uid: number
  readonly gid: number
  readonly mode: number
  /** Pid of the last sender, 0 when there was none or it is not visible from here. */
  readonly lastSender: number
  readonly lastReceiver: number
}

/**
 * Lists all queues of this IPC namespace, sorted by id.
 *
 * @see {@link https://man7.org/linux/man-pages/man5/proc_sysvipc.5.html | proc_sysvipc(5)}
 * @example
 * ```ts
 * import { list } from 'ipckit/sysv'
 * for (const { address, depth } of list()) console.log(address, depth)
 * ```
 */
export function list(): SysvQueueEntry[] {
  const [, ...lines] = readFileSync('/proc/sysvipc/msg', 'utf8').trimEnd().split('\n')
  return lines.map(readLine).sort((one, other) => one.id - other.id)
}

/** Columns: key msqid perms cbytes qnum lspid lrpid uid gid cuid cgid stime rtime ctime. */
function readLine(line: string): SysvQueueEntry {
  const fields = line.trim().split(/\s+/)
  const number = (at: number) => Number(fields[at])
  const key = number(0) >>> 0
  const id = number(1)
  return {
    id,
    key,
    address: key === privateKey ? `sysv:id=${id}` : `sysv:${formatKey(key)}`,
    depth: number(4),
    bytes: number(3),
    uid: number(7),
    gid: number(8),
    // Shown in octal, with the kernel's own bits above.
    mode: Number.parseInt(fields[2] as string, 8) & 0o777,
    lastSender: number(5),
    lastReceiver: number(6),
  }
}
