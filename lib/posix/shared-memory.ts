/**
 * POSIX shared memory: shm_overview(7). A block of memory under a name, which Python's
 * `multiprocessing.shared_memory` and C's shm_open(3) know as well.
 */
import { lstatSync, readdirSync } from 'node:fs'
import { errnoOf, NotFoundError, systemError } from '../errors.js'
import { type Mapped, Mapping } from '../mapping/mapping.js'
import { checkKeys, checkObject } from '../options.js'
import {
  type CreateMemoryOptions,
  type MemoryLimits,
  type MemoryStat,
  memoryLimits,
  type OpenMemoryOptions,
  type OpenOrCreateMemoryOptions,
  openMemory,
  readStat,
  setOwner,
  unlinkMemory,
} from './open-memory.js'

/** A memory as /dev/shm shows it. */
export interface SharedMemoryEntry {
  /** With its slash, as shm_open(3) takes it. */
  readonly name: string
  readonly sizeBytes: number
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/** What fchown(2) and fchmod(2) change. */
export interface MemoryChanges {
  /** The new owner; only root may give memory away. */
  uid?: number
  gid?: number
  /** Permission bits, 0 to 0o777. */
  mode?: number
}

/**
 * A POSIX shared memory, mapped: bytes that every process which opens the name sees at once.
 *
 * Its size is fixed when it is made, and all of it is reserved then: a full /dev/shm is `ENOSPC` at `create`, not a
 * signal later. It outlives its processes until someone calls `unlink`.
 *
 * @see {@link https://man7.org/linux/man-pages/man7/shm_overview.7.html | shm_overview(7)}
 * @example
 * ```ts
 * import { f64, i32, struct } from 'ipckit'
 * import { SharedMemory } from 'ipckit/posix'
 *
 * using memory = SharedMemory.openOrCreate('/quotes', { sizeBytes: 4096 })
 * const quote = memory.view(struct({ id: i32, px: f64 }))
 * quote.px = 3.5
 * ```
 */
export class SharedMemory extends Mapping {
  private constructor(mapped: Mapped) {
    super(mapped)
  }

  /**
   * Opens a memory that exists: shm_open(3).
   *
   * It never waits, follows no link, and takes nothing but memory of whoever may be trusted: what somebody else has
   * planted under the name is refused.
   *
   * @throws {@link NotFoundError} when there is none of that name; `IpcError` with `EACCES` when its mode does not
   *   allow it, with `ERR_IPC_UNSAFE` when what is there is a link, FIFO, socket or folder, or belongs to a user who is
   *   neither this one nor root nor the `owner`, with `EINVAL` when it has no size yet; `RangeError` when the name is
   *   not a slash followed by 1 to 255 bytes.
   */
  static open(name: string, options?: OpenMemoryOptions): SharedMemory {
    return new SharedMemory(openMemory(name, 'open', options))
  }

  /**
   * Makes a memory that does not exist yet, filled with zeros. Nobody sees it before it is complete.
   *
   * @throws {@link ExistsError} when there is one of that name; `IpcError` with `ENOSPC` when /dev/shm has no room for
   *   it, with `ENOMEM` when the machine or the container has not.
   */
  static create(name: string, options: CreateMemoryOptions): SharedMemory {
    return new SharedMemory(openMemory(name, 'create', options))
  }

  /**
   * Opens the memory, or makes it when there is none.
   *
   * @throws `IpcError` with `EINVAL` when there is one that is smaller than `sizeBytes`; and what {@link open} and
   *   {@link create} throw.
   */
  static openOrCreate(name: string, options: OpenOrCreateMemoryOptions): SharedMemory {
    return new SharedMemory(openMemory(name, 'openOrCreate', options))
  }

  /**
   * Removes a name: shm_unlink(3). Whoever has the memory open keeps it until they close it; who opens the name
   * afterwards gets another.
   *
   * @throws {@link NotFoundError} when there is none; `IpcError` with `EACCES` when it belongs to another user.
   */
  static unlink(name: string): void {
    unlinkMemory(name)
  }

  /**
   * Lists all memory in this /dev/shm, sorted by name. Named semaphores, which lie there too, are left out.
   *
   * @throws `IpcError` when /dev/shm cannot be read.
   */
  static list(): SharedMemoryEntry[] {
    let files: string[]
    try {
      files = readdirSync('/dev/shm').sort()
    } catch (error) {
      const errno = (error as NodeJS.ErrnoException).errno ?? -errnoOf.ENOENT
      throw systemError({ errno, syscall: 'opendir', resource: '/dev/shm', action: 'list' })
    }
    return files.map(readEntry).filter((entry) => entry !== undefined)
  }

  /** How much room /dev/shm has: tmpfs(5). */
  static limits(): MemoryLimits {
    return memoryLimits()
  }

  /** The name that it was opened by. */
  get name(): string {
    return this.resource
  }

  /** One look at the memory: fstat(2). Read from the kernel each time. */
  stat(): MemoryStat {
    return readStat(this.openHandle(), this.name)
  }

  /**
   * Changes owner or mode: fchown(2), fchmod(2).
   *
   * @throws `IpcError` with `EPERM` when this user is not the owner.
   */
  set(changes: MemoryChanges): void {
    const handle = this.openHandle()
    checkKeys('changes', checkObject('changes', changes), ['uid', 'gid', 'mode'])
    setOwner(handle, this.name, changes)
  }

  /**
   * Removes the name for everyone; see {@link SharedMemory.unlink}. This handle goes on.
   *
   * @throws {@link NotFoundError} when somebody has removed it already: the name may be another memory's by now.
   */
  unlink(): void {
    if (readStat(this.openHandle(), this.name).unlinked) {
      throw new NotFoundError(`Cannot remove the shared memory ${this.name}: it has no name any more`, {
        code: 'ENOENT',
        errno: -errnoOf.ENOENT,
        syscall: 'shm_unlink',
        resource: this.name,
      })
    }
    unlinkMemory(this.name)
  }
}

/** Undefined for what is no memory, and for what was removed since the folder was read. */
function readEntry(file: string): SharedMemoryEntry | undefined {
  // What sem_open(3) makes.
  if (file.startsWith('sem.')) return undefined
  try {
    const status = lstatSync(`/dev/shm/${file}`)
    if (!status.isFile()) return undefined
    const { size, uid, gid, mode } = status
    return { name: `/${file}`, sizeBytes: size, uid, gid, mode: mode & 0o777 }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
