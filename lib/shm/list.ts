/** Lists the queues in shared memory of this mount namespace: files of /dev/shm. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { fileOf, namesOfFiles } from '../shared/directory.js'

/** A queue as its file shows it. */
export interface ShmQueueEntry {
  /** With its slash, as an address has it. */
  readonly name: string
  readonly address: string
  readonly uid: number
  readonly gid: number
  readonly mode: number
  /** Bytes of /dev/shm that it takes. */
  readonly sizeBytes: number
}

/** IPCKIT_LAYOUT_MAGIC of include/ipckit/layout.h; what begins otherwise is something else. */
const magic = Buffer.from('0a0d6970636b7471', 'hex')

/**
 * Lists all queues in shared memory, sorted by name. Those that this user may not read are left out, as is every file
 * that is no queue.
 *
 * @example
 * ```ts
 * import { list } from 'ipckit/shm'
 * for (const { name, sizeBytes } of list()) console.log(name, sizeBytes)
 * ```
 */
export function list(): ShmQueueEntry[] {
  return namesOfFiles().flatMap((name) => entryOf(name) ?? [])
}

/** Undefined for what is no queue, or is gone since the folder was read. */
function entryOf(name: string): ShmQueueEntry | undefined {
  let descriptor: number
  try {
    // O_NONBLOCK, or a FIFO of that name would keep us for ever.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    descriptor = openSync(fileOf(name), flags)
  } catch {
    return undefined
  }
  try {
    const stat = fstatSync(descriptor)
    const start = Buffer.alloc(magic.length)
    if (!stat.isFile() || readSync(descriptor, start, 0, start.length, 0) < start.length) return undefined
    if (!start.equals(magic)) return undefined
    const { uid, gid, mode, size } = stat
    return { name, address: `shm:${name}`, uid, gid, mode: mode & 0o777, sizeBytes: size }
  } finally {
    closeSync(descriptor)
  }
}
