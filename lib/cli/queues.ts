/** The queues of this machine, one description for both kinds. */
import { type Codec, IpcError, NotFoundError, Queue, raw } from '../index.js'
import * as posix from '../posix/index.js'
import * as sysv from '../sysv/index.js'
import { checkAddress, checkPriorities } from './arguments.js'
import { type Format, type FormatOptions, formatOf } from './decode.js'
import { closeAfter, ifPossible } from './look.js'
import { whose } from './owner.js'
import { checkShmOptions, isShm, openTyped, type ShmOptions } from './shm-open.js'

/** What is known of a queue; null is what is not known, or what this kind of queue does not have. */
export interface QueueFacts {
  object: 'queue'
  address: string
  kind: 'posix' | 'sysv'
  /** Messages in the queue. */
  depth: number | null
  /** Messages that fit: POSIX. */
  capacity: number | null
  /** Bytes of the messages in the queue. */
  bytes: number | null
  /** Bytes that fit: System V. */
  maxBytes: number | null
  maxMessageBytes: number | null
  owner: string
  uid: number
  gid: number
  /** As chmod(1) has it: `0600`. */
  mode: string
  /** Pids, 0 when there was none or it is not visible from here: System V. */
  lastSender: number | null
  lastReceiver: number | null
  /** Pid of who asked for a notice, 0 when nobody did: POSIX. */
  notifyPid: number | null
}

/** Whether an address is one of a POSIX object. */
export function isPosix(address: string): boolean {
  return address.startsWith('posix:')
}

/** Opens a queue to receive its messages, and tells how to show them. */
export async function openToReceive(
  address: string,
  options: FormatOptions & ShmOptions & { priorities?: boolean },
): Promise<{ queue: Queue<Buffer>; format: Format }> {
  checkShmOptions(address, options)
  checkPriorities(address, options)
  if (isShm(address)) return openTyped(address, options)
  const format = formatOf(options)
  if (!options.priorities) return { queue: await openToRead(address, raw()), format }
  const queue = await Queue.open(address as `sysv:${string}`, { codec: raw(), priorities: true })
  return { queue: queue as Queue<Buffer>, format }
}

/**
 * Opens a queue to receive from it, or just to look at it. Of a POSIX queue that this user may only write to, the
 * state can be seen all the same, with `anyAccess`.
 */
export async function openToRead<T>(
  address: string,
  codec: Codec<T, never>,
  anyAccess = false,
): Promise<Queue<T>> {
  checkAddress(address)
  const open = (access: object) =>
    Queue.open(address, { codec: codec as Codec<unknown>, ...access }) as Promise<Queue<T>>
  if (!isPosix(address)) return open({})
  try {
    return await open({ access: 'read' })
  } catch (error) {
    if (!anyAccess || !IpcError.is(error) || error.code !== 'EACCES') throw error
    return open({ access: 'write' })
  }
}

/** A queue's own handle on System V messages, which knows types where a peek of `Queue` gives values alone. */
export async function openToPeek(address: string): Promise<sysv.MessageQueue> {
  return closeAfter(await openToRead(address, raw()), (queue) => {
    // Refuses where the transport cannot.
    if (!queue.capabilities.peek) queue.peek()
    const { id } = queue.stat() as sysv.SysvQueueStat
    return sysv.MessageQueue.open({ id })
  })
}

/** @throws `Error` when the POSIX queues of this namespace cannot be listed here. */
export async function posixQueues(): Promise<QueueFacts[]> {
  const queues: QueueFacts[] = []
  const missing: string[] = []
  // One after the other: each look takes a descriptor.
  for (const entry of posix.list()) {
    const queue = await describePosix(entry)
    if (queue === undefined) missing.push(entry.name)
    else queues.push(queue)
  }
  // What is listed and cannot be found was removed just now, or belongs to another namespace.
  if (missing.length > 0 && posix.list().some(({ name }) => missing.includes(name))) {
    throw new Error(
      'the mqueue file system that is mounted here shows those of another IPC namespace; mount that of this one with: mount -t mqueue none /dev/mqueue',
    )
  }
  return queues
}

async function describePosix(entry: posix.PosixQueueEntry): Promise<QueueFacts | undefined> {
  // Its address leads nowhere, or to another.
  if (entry.nameBytes !== undefined) return posixFacts(entry, entry.attributes)
  let state: posix.PosixQueueStat | undefined
  try {
    const queue = await openToRead(entry.address, raw(), true)
    state = await closeAfter(queue, () => queue.stat() as posix.PosixQueueStat)
  } catch (error) {
    // Removed since it was listed.
    if (error instanceof NotFoundError) return undefined
    if (!IpcError.is(error)) throw error
  }
  return posixFacts(entry, state)
}

/** What a listing and a look at a POSIX queue tell together; either may be missing. */
export function posixFacts(
  entry: Omit<posix.PosixQueueEntry, 'name'>,
  state: posix.PosixQueueEntry['attributes'],
): QueueFacts {
  return {
    object: 'queue',
    address: entry.address,
    kind: 'posix',
    depth: state?.depth ?? null,
    capacity: state?.capacity ?? null,
    bytes: entry.bytes ?? null,
    maxBytes: null,
    maxMessageBytes: state?.maxMessageBytes ?? null,
    ...whose(entry),
    lastSender: null,
    lastReceiver: null,
    notifyPid: entry.notifyPid ?? null,
  }
}

/** @throws When the kernel has no System V queues. */
export async function sysvQueues(): Promise<QueueFacts[]> {
  const stateOf = (id: number) =>
    ifPossible(() => closeAfter(sysv.MessageQueue.open({ id }), (queue) => queue.stat()))
  return Promise.all(sysv.list().map(async (entry) => sysvFacts(entry, await stateOf(entry.id))))
}

/** What a listing and a look at a System V queue tell together. */
export function sysvFacts(
  entry: Omit<sysv.SysvQueueEntry, 'id' | 'key'>,
  state: sysv.SysvQueueStat | undefined,
): QueueFacts {
  return {
    object: 'queue',
    address: entry.address,
    kind: 'sysv',
    depth: entry.depth,
    capacity: null,
    bytes: entry.bytes,
    maxBytes: state?.maxBytes ?? null,
    maxMessageBytes: state?.maxMessageBytes ?? null,
    ...whose(entry),
    lastSender: entry.lastSender,
    lastReceiver: entry.lastReceiver,
    notifyPid: null,
  }
}
