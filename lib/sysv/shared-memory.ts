/**
 * System V shared memory: sysvipc(7). Segments are found by key, as C's shmget(2) does.
 */
import { native } from '../binding.js'
import { errnoOf, type IpcError, type SystemFailure, systemError } from '../errors.js'
import type { How } from '../how.js'
import { type Mapped, Mapping } from '../mapping/mapping.js'
import { checkBoolean, checkInteger, checkKeys, checkMode, checkObject, checkOwnership } from '../options.js'
import { find, type Kind, type ObjectName, removeNamed } from './find.js'
import {
  listSegments,
  type MemoryLimits,
  type MemoryUsage,
  memoryLimits,
  memoryUsage,
  type SegmentEntry,
} from './segments.js'

/** Options of opening System V shared memory. */
export interface OpenMemoryOptions {
  /** Only read it: SHM_RDONLY, which needs no permission to write. Default `false`. */
  readonly?: boolean
}

/** Options of making System V shared memory. */
export interface CreateMemoryOptions {
  /** Its size, 1 to 2^53 - 1 bytes, as far as kernel.shmmax and kernel.shmall allow. */
  sizeBytes: number
  /** Permission bits, 0 to 0o777, default 0o600. System V never applies the umask. */
  mode?: number
}

/** What IPC_SET of shmctl(2) changes. */
export interface MemoryChanges {
  /** The new owner. */
  uid?: number
  gid?: number
  /** Permission bits, 0 to 0o777. */
  mode?: number
}

/** What is known of a segment: IPC_STAT. */
export interface MemoryStat {
  readonly id: number
  /** 0 for a private segment, and for one that was removed. */
  readonly key: number
  readonly sizeBytes: number
  readonly uid: number
  readonly gid: number
  readonly creatorUid: number
  readonly creatorGid: number
  readonly mode: number
  /** Whether it was removed: it goes when the last process detaches. */
  readonly unlinked: boolean
  /** Whether its pages are kept in memory: SHM_LOCK. */
  readonly locked: boolean
  /** Pid of who made it; 0 when that cannot be seen from here. */
  readonly creator: number
  /** Pid of who attached or detached last; 0 likewise. */
  readonly lastUser: number
  /** How often it is attached, in all processes. */
  readonly attached: number
  /** When somebody attached last; `undefined` when nobody did. */
  readonly lastAttachTime: Date | undefined
  readonly lastDetachTime: Date | undefined
  /** When it was made or changed with IPC_SET. */
  readonly lastChangeTime: Date
}

/**
 * A System V shared memory segment, attached.
 *
 * Its size is fixed when it is made. It outlives its processes until someone calls `unlink`; whoever is attached then
 * keeps it until they close it. While it is open here its id belongs to no other segment.
 *
 * @see {@link https://man7.org/linux/man-pages/man7/sysvipc.7.html | sysvipc(7)}
 * @example
 * ```ts
 * import { SharedMemory } from 'ipckit/sysv'
 *
 * using memory = SharedMemory.openOrCreate(0x1234, { sizeBytes: 4096 })
 * memory.write(0, Buffer.from('hello'))
 * ```
 */
export class SharedMemory extends Mapping {
  private constructor(mapped: Mapped) {
    super(mapped)
  }

  /**
   * Attaches a segment that exists, by key, by the file its key is made of, or by id: shmget(2), shmat(2).
   *
   * @throws {@link NotFoundError} when there is none; `IpcError` with `EACCES` when its mode does not allow it.
   */
  static open(name: ObjectName, options: OpenMemoryOptions = {}): SharedMemory {
    checkKeys('options', checkObject('options', options), ['readonly'])
    const readonly = options.readonly === undefined ? false : checkBoolean('readonly', options.readonly)
    return new SharedMemory(attach(name, 'open', 0, 0, readonly))
  }

  /**
   * Makes a segment that does not exist yet, filled with zeros. `'private'` makes one that only its id leads to.
   *
   * @throws {@link ExistsError} when there is one of that key; `IpcError` with `EINVAL`, `ENOSPC` or `ENOMEM` when a
   *   limit is in the way: the message names it.
   */
  static create(name: ObjectName, options: CreateMemoryOptions): SharedMemory {
    return new SharedMemory(make(name, 'create', options))
  }

  /**
   * Attaches the segment, or makes it when there is none.
   *
   * @throws `IpcError` with `EINVAL` when there is one that is smaller than `sizeBytes`; and what {@link open} and
   *   {@link create} throw.
   */
  static openOrCreate(name: ObjectName, options: CreateMemoryOptions): SharedMemory {
    return new SharedMemory(make(name, 'openOrCreate', options))
  }

  /**
   * Removes a segment for everyone, without attaching it: IPC_RMID. Whoever is attached keeps it until they close it.
   *
   * @throws {@link NotFoundError} when there is none; `IpcError` with `EPERM` when this user is neither owner nor creator.
   *   The mode does not matter.
   */
  static unlink(name: ObjectName): void {
    removeNamed(name, kindOf(0, false))
  }

  /** Lists all segments of this IPC namespace, sorted by id, from /proc/sysvipc/shm, which every user may read. */
  static list(): SegmentEntry[] {
    return listSegments()
  }

  /** The limits of this IPC namespace: IPC_INFO. */
  static limits(): MemoryLimits {
    return memoryLimits()
  }

  /** What all segments of this IPC namespace take: SHM_INFO. */
  static usage(): MemoryUsage {
    return memoryUsage()
  }

  /** The segment's address, `sysv:0x00001234` or `sysv:id=5`. */
  get address(): string {
    return this.resource
  }

  /** One look at the segment: IPC_STAT. Read from the kernel each time. */
  stat(): MemoryStat {
    const out = new Float64Array(14)
    this.#call('look at', (handle) => native.segmentStatus(handle, out))
    const [id = 0, key = 0, sizeBytes = 0, uid = 0, gid = 0, creatorUid = 0, creatorGid = 0] = out
    const [mode = 0, creator = 0, lastUser = 0, attached = 0, attach = 0, detach = 0, change = 0] =
      out.subarray(7)
    return {
      id,
      key,
      sizeBytes,
      uid,
      gid,
      creatorUid,
      creatorGid,
      mode: mode & 0o777,
      unlinked: (mode & destroyed) !== 0,
      locked: (mode & locked) !== 0,
      creator,
      lastUser,
      attached,
      lastAttachTime: timeOf(attach),
      lastDetachTime: timeOf(detach),
      lastChangeTime: new Date(change * 1000),
    }
  }

  /**
   * Changes owner or mode: IPC_SET.
   *
   * @throws `IpcError` with `EPERM` when this user is neither owner nor creator.
   */
  set(changes: MemoryChanges): void {
    this.openHandle()
    checkKeys('changes', checkObject('changes', changes), ['uid', 'gid', 'mode'])
    const now = this.stat()
    const { uid = now.uid, gid = now.gid, mode = now.mode } = changes
    checkOwnership({ uid, gid, mode })
    this.#call('change', (handle) => native.segmentSet(handle, uid, gid, mode))
  }

  /**
   * Keeps the segment's pages in memory, out of swap: SHM_LOCK.
   *
   * @throws `IpcError` with `EPERM` or `ENOMEM` when RLIMIT_MEMLOCK is in the way, or the segment is another user's.
   */
  lock(): void {
    this.#call('lock', (handle) => native.segmentLock(handle, 1))
  }

  /** Lets the segment's pages be swapped again: SHM_UNLOCK. */
  unlock(): void {
    this.#call('unlock', (handle) => native.segmentLock(handle, 0))
  }

  /**
   * Removes the segment for everyone: IPC_RMID. Its key leads nowhere from now on; who is attached, as this handle is,
   * keeps it until they close it.
   *
   * @throws `IpcError` with `EPERM` when this user is neither owner nor creator.
   */
  unlink(): void {
    const { id } = this.stat()
    this.#call('remove', () => native.shmRemove(id))
  }

  #call(action: string, run: (handle: number) => void): void {
    const handle = this.openHandle()
    try {
      run(handle)
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      const advice = adviseUse(errno, action)
      const { resource } = this
      throw systemError({ errno, syscall, resource, action: `${action} the shared memory`, advice })
    }
  }
}

/** The kernel's own bits of the mode: SHM_DEST and SHM_LOCKED. */
const destroyed = 0o1000
const locked = 0o2000

function make(name: ObjectName, how: How, options: CreateMemoryOptions): Mapped {
  checkKeys('options', checkObject('options', options), ['sizeBytes', 'mode'])
  const sizeBytes = checkInteger('sizeBytes', options.sizeBytes, 1, Number.MAX_SAFE_INTEGER)
  const mode = options.mode === undefined ? 0o600 : checkMode(options.mode)
  return attach(name, how, sizeBytes, mode, false)
}

function attach(name: ObjectName, how: How, sizeBytes: number, mode: number, readonly: boolean): Mapped {
  for (;;) {
    try {
      const { handle, address } = find(name, how, mode, kindOf(sizeBytes, readonly))
      return { handle, resource: address, readonly }
    } catch (error) {
      // It was removed between shmget(2) and shmat(2).
      const gone = (error as IpcError).code === 'ENOENT' && (error as IpcError).syscall === 'shmat'
      if (how !== 'openOrCreate' || !gone) throw error
    }
  }
}

function kindOf(sizeBytes: number, readonly: boolean): Kind {
  return {
    what: 'segment',
    object: ' the shared memory',
    advise: (errno) => adviseOpening(errno, sizeBytes),
    get: (key, flags) => native.shmGet(key, sizeBytes, flags),
    attach: (id) => native.shmAttach(id, readonly ? 0 : 1),
    remove: native.shmRemove,
    // shmat(2) checks the mode, of its owner too: there is nothing to open where it allows nothing.
    permissions: [readonly ? 0o400 : 0o600],
  }
}

function adviseOpening(errno: number, sizeBytes: number): string | undefined {
  switch (-errno) {
    case errnoOf.ENOENT:
      return 'there is no such segment; create it first, or use openOrCreate'
    case errnoOf.EEXIST:
      return 'there is a segment of that key already; open it, or unlink it first'
    case errnoOf.EACCES:
      return "the segment's mode does not allow this user that; open it with `readonly`, or have its owner widen the mode"
    case errnoOf.EINVAL: {
      const { segmentBytes } = memoryLimits()
      return sizeBytes > segmentBytes
        ? `${sizeBytes} bytes are over the limit of ${segmentBytes} in /proc/sys/kernel/shmmax; raise it with: sysctl -w kernel.shmmax=${sizeBytes}`
        : `there is a segment of that key, with fewer bytes than ${sizeBytes}; ask for less, or unlink it`
    }
    case errnoOf.ENOSPC: {
      const { segments, totalBytes } = memoryLimits()
      const used = memoryUsage()
      return `there are ${used.segments} segments of ${used.bytes} bytes; the limits are ${segments} (/proc/sys/kernel/shmmni) and ${totalBytes} bytes (/proc/sys/kernel/shmall, in pages); remove some (ipckit ls), or raise them with: sysctl -w`
    }
    case errnoOf.ENOMEM:
      return `the kernel does not promise ${sizeBytes} bytes more (vm.overcommit_memory), or this process has no room for them in its address space`
    case errnoOf.ENOSYS:
      return 'this kernel has no System V shared memory; use ipckit/posix'
    default:
      return undefined
  }
}

function adviseUse(errno: number, action: string): string | undefined {
  if (-errno !== errnoOf.EPERM && -errno !== errnoOf.ENOMEM) return undefined
  return action === 'lock'
    ? 'it is more than RLIMIT_MEMLOCK allows (ulimit -l), or the segment belongs to another user'
    : 'only its owner, its creator and root may'
}

function timeOf(seconds: number): Date | undefined {
  return seconds === 0 ? undefined : new Date(seconds * 1000)
}
