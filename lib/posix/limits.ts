/**
 * The limits of POSIX message queues, as this process meets them: mq_overview(7).
 */
import { readFileSync } from 'node:fs'

/**
 * The deepest queue that any kernel makes, whatever fs.mqueue.msg_max and the rights of the process: HARD_MSGMAX of
 * include/linux/ipc_namespace.h.
 */
export const maxCapacity = 65_536

/** The largest message size that any kernel makes a queue with, likewise: HARD_MSGSIZEMAX. */
export const maxMessageBytes = 16 * 1024 * 1024

export interface PosixQueueLimits {
  /** Deepest queue that may be made: fs.mqueue.msg_max. */
  readonly capacity: number
  /** Largest message size that a queue may be made with, bytes: fs.mqueue.msgsize_max. */
  readonly messageBytes: number
  /** Message size of a queue that is made without one, bytes: fs.mqueue.msgsize_default. */
  readonly defaultMessageBytes: number
  /** Queues in this namespace: fs.mqueue.queues_max. */
  readonly queues: number
  /** Bytes that all queues of one user may take together: RLIMIT_MSGQUEUE; Infinity when unlimited. */
  readonly userBytes: number
}

/** Where the kernel shows its limits; absent only where /proc is not mounted. */
const folder = '/proc/sys/fs/mqueue'

function readLimit(name: string, fallback: number): number {
  try {
    return Number(readFileSync(`${folder}/${name}`, 'utf8'))
  } catch {
    return fallback
  }
}

/** RLIMIT_MSGQUEUE of this process: Infinity when unlimited. */
export function readUserBytes(): { soft: number; hard: number } {
  let limits: string
  try {
    limits = readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return { soft: 819_200, hard: 819_200 }
  }
  const [, soft, hard] = /^Max msgqueue size\s+(\S+)\s+(\S+)/m.exec(limits) ?? []
  const bytes = (text = 'unlimited') => (text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text))
  return { soft: bytes(soft), hard: bytes(hard) }
}

/**
 * Reads the limits that apply to POSIX message queues made by this process.
 *
 * @see {@link https://man7.org/linux/man-pages/man7/mq_overview.7.html | mq_overview(7)}
 * @example
 * ```ts
 * import { limits } from 'ipckit/posix'
 * console.log(`a queue holds at most ${limits().capacity} messages`)
 * ```
 */
export function limits(): PosixQueueLimits {
  return {
    capacity: readLimit('msg_max', 10),
    messageBytes: readLimit('msgsize_max', 8192),
    defaultMessageBytes: readLimit('msgsize_default', 8192),
    queues: readLimit('queues_max', 256),
    userBytes: readUserBytes().soft,
  }
}

/** What the kernel counts for a message beside its bytes: its header and a node of the tree (ipc/mqueue.c). */
const overheadBytes = 48 + 48

/** What a queue counts against {@link PosixQueueLimits.userBytes}. */
export function accountedBytes(capacity: number, messageBytes: number): number {
  return capacity * (messageBytes + overheadBytes)
}

/** So many queues of default depth must fit into what a user may take. */
const fairShare = 8

/** How deep a queue is made when nobody said: as deep as the limits allow, leaving room for others. */
export function defaultCapacity(messageBytes: number, now: PosixQueueLimits): number {
  const affordable = Math.floor(now.userBytes / fairShare / accountedBytes(1, messageBytes))
  return Math.max(1, Math.min(now.capacity, affordable))
}
