/**
 * Memory without a name: memfd_create(2). It is handed to other processes as a descriptor, and can be sealed against
 * them.
 */
import { native } from '../binding.js'
import { errnoOf, IpcError, type SystemFailure, systemError } from '../errors.js'
import { type Mapped, Mapping } from '../mapping/mapping.js'
import {
  checkBoolean,
  checkInteger,
  checkKeys,
  checkObject,
  checkText,
  outOfRange,
  wrongType,
} from '../options.js'
import {
  adviseDescriptors,
  checkRoom,
  checkSize,
  type MemoryStat,
  map,
  orClose,
  readStat,
  readStatus,
} from './open-memory.js'

/**
 * What can be forbidden for ever, to everybody: to shrink the memory, to grow it, to write to it (only while it is
 * mapped for writing nowhere), to map it for writing from now on (Linux 5.1), or to seal it further.
 */
export type Seal = 'shrink' | 'grow' | 'write' | 'future-write' | 'seal'

/** F_SEAL_* of fcntl(2). */
const flags: Record<Seal, number> = { seal: 1, shrink: 2, grow: 4, write: 8, 'future-write': 16 }

/** Options of making a memfd. */
export interface CreateMemfdOptions {
  /** Its size, 1 to 2^53 - 1 bytes, all of it reserved. */
  sizeBytes: number
  /** What /proc shows, as `/memfd:label`: at most 249 bytes. Default `ipckit`. */
  label?: string
  /** Seals from the beginning. Default shrink and grow: then nobody can take it away from whoever has it mapped. */
  seals?: readonly Seal[]
}

/** Options of mapping a memfd that another process has made. */
export interface OpenMemfdOptions {
  /** Only read it. Default `false`. */
  readonly?: boolean
}

/**
 * A memory without a name. Whoever gets its descriptor shares it: a child process through `stdio`, others through
 * /proc/PID/fd. It goes when the last descriptor and mapping have gone, so nothing of it is left after a crash.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/memfd_create.2.html | memfd_create(2)}
 * @example
 * ```ts
 * import { Memfd } from 'ipckit/posix'
 *
 * using memory = Memfd.create({ sizeBytes: 65536 })
 * spawn('worker', { stdio: ['ignore', 'inherit', 'inherit', memory.descriptor] })
 * // In the worker: Memfd.open(3)
 * ```
 */
export class Memfd extends Mapping {
  private constructor(mapped: Mapped) {
    super(mapped)
  }

  /**
   * Makes one, filled with zeros.
   *
   * @throws `IpcError` with `ENOMEM` when there is no memory for it, with `EMFILE` when there are no descriptors.
   */
  static create(options: CreateMemfdOptions): Memfd {
    checkKeys('options', checkObject('options', options), ['sizeBytes', 'label', 'seals'])
    const sizeBytes = checkSize(options.sizeBytes)
    const label = checkLabel(options.label ?? 'ipckit')
    const seals = flagsOf(options.seals ?? ['shrink', 'grow'])
    const resource = `memfd:${label}`
    checkRoom(resource, sizeBytes)
    const handle = attempt(resource, 'create the shared memory', () => native.memfdCreate(label, sizeBytes))
    return orClose(handle, () => {
      map(handle, resource, sizeBytes, false)
      const memory = { handle, resource, readonly: false }
      if (seals !== 0) addSeals(handle, resource, seals)
      return new Memfd(memory)
    })
  }

  /**
   * Maps one of which this process has a descriptor. The descriptor is copied: it may be closed.
   *
   * @throws `IpcError` with `EBADF` when there is no such descriptor, with `ERR_IPC_UNSAFE` when it is of something
   *   that cannot be shared so, with `EACCES` when it may only be read.
   */
  static open(descriptor: number, options: OpenMemfdOptions = {}): Memfd {
    checkInteger('descriptor', descriptor, 0, 2 ** 31 - 1)
    checkKeys('options', checkObject('options', options), ['readonly'])
    const readonly = options.readonly === undefined ? false : checkBoolean('readonly', options.readonly)
    const resource = `fd:${descriptor}`
    const handle = attempt(resource, 'open the shared memory', () => native.shmDuplicate(descriptor))
    return orClose(handle, () => {
      const { size, mode } = attempt(resource, 'open the shared memory', () => readStatus(handle))
      if ((mode & 0o170000) !== 0o100000 || size === 0) {
        throw new IpcError(`Cannot open the shared memory ${resource}: it is no file, or an empty one`, {
          code: 'ERR_IPC_UNSAFE',
          resource,
        })
      }
      map(handle, resource, size, readonly)
      return new Memfd({ handle, resource, readonly })
    })
  }

  /** The descriptor, to be handed to other processes; it is closed with the memory. */
  get descriptor(): number {
    const handle = this.openHandle()
    return attempt(this.resource, 'look at the shared memory', () => readStatus(handle)).descriptor
  }

  /** What is forbidden, to everybody and for ever: F_GET_SEALS. */
  get seals(): Seal[] {
    const handle = this.openHandle()
    const set = attempt(this.resource, 'look at the seals of', () => native.shmSeals(handle))
    return (Object.keys(flags) as Seal[]).filter((seal) => (set & flags[seal]) !== 0)
  }

  /**
   * Forbids more: F_ADD_SEALS.
   *
   * @throws `IpcError` with `EBUSY` for `'write'` while it is mapped for writing, here or elsewhere; with `EPERM` when
   *   it is sealed against seals.
   */
  addSeals(seals: readonly Seal[]): void {
    addSeals(this.openHandle(), this.resource, flagsOf(seals))
  }

  /** One look at the memory: fstat(2). */
  stat(): MemoryStat {
    return readStat(this.openHandle(), this.resource)
  }
}

function attempt<T>(resource: string, action: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    throw systemError({ errno, syscall, resource, action, advice: adviseDescriptors(errno) })
  }
}

function addSeals(handle: number, resource: string, seals: number): void {
  try {
    native.shmAddSeals(handle, seals)
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    throw systemError({ errno, syscall, resource, action: 'seal the shared memory', advice: advise(errno) })
  }
}

function advise(errno: number): string | undefined {
  switch (-errno) {
    case errnoOf.EBUSY:
      return "it is mapped for writing; 'future-write' forbids the same to all who map it later"
    case errnoOf.EPERM:
      return 'it is sealed against seals, or was opened to be read only'
    case errnoOf.EINVAL:
      return 'it is no memory of memfd_create(2), or this kernel does not know that seal'
    default:
      return undefined
  }
}

function flagsOf(seals: unknown): number {
  const expected = `a list of ${Object.keys(flags).join(', ')}`
  if (!Array.isArray(seals)) throw wrongType('seals', expected, seals)
  let set = 0
  for (const seal of seals) {
    if (typeof seal !== 'string' || !Object.hasOwn(flags, seal)) throw outOfRange('seals', expected, seal)
    set |= flags[seal as Seal]
  }
  return set
}

function checkLabel(label: unknown): string {
  const text = checkText('label', label)
  if (text.includes('\0') || Buffer.byteLength(text) > 249) {
    throw outOfRange('label', 'a text of at most 249 bytes without NUL', label)
  }
  return text
}
