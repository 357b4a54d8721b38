/** Lists the System V message queues of this IPC namespace, from /proc/sysvipc/msg, which every user may read. */
import { listObjects } from './proc.js'

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
  // Columns: key msqid perms cbytes qnum lspid lrpid uid gid cuid cgid stime rtime ctime.
  return listObjects('msg', (column) => ({
    depth: column(4),
    bytes: column(3),
    uid: column(7),
    gid: column(8),
    lastSender: column(5),
    lastReceiver: column(6),
  }))
}
