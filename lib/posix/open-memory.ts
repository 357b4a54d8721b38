/**
 * Opening, making and removing POSIX shared memory, and the judgement of what lies under a name: /dev/shm is a folder
 * in which everybody may plant links, FIFOs and files of their own.
 */
import { constants, statfsSync } from 'node:fs'
import { native } from '../binding.js'
import { errnoOf, IpcError, type SystemFailure, systemError } from '../errors.js'
import { type How, openOrMake } from '../how.js'
import type { Mapped } from '../mapping/mapping.js'
import {
  checkBoolean,
  checkId,
  checkInteger,
  checkKeys,
  checkMode,
  checkObject,
  checkOwnership,
  wrongType,
} from '../options.js'
import { checkName } from './name.js'

/** Options of opening POSIX shared memory. */
export interface OpenMemoryOptions {
  /** Only read it, which needs no permission to write. Default `false`. */
  readonly?: boolean
  /**
   * Whose memory is taken beside this user's and root's: a uid, or `'anyone'`. Memory of others is refused by default,
   * since every user may make one of any name that is free.
   */
  owner?: number | 'anyone'
}

/** Options of making POSIX shared memory. */
export interface CreateMemoryOptions {
  /** Its size, 1 to 2^53 - 1 bytes, as far as /dev/shm has room. */
  sizeBytes: number
  /** Permission bits, 0 to 0o777, default 0o600. Exact: the umask is not applied. */
  mode?: number
}

export interface OpenOrCreateMemoryOptions extends CreateMemoryOptions {
  /** As in {@link OpenMemoryOptions.owner}, of memory that exists. */
  owner?: number | 'anyone'
}

/** What is known of a memory. */
export interface MemoryStat {
  readonly sizeBytes: number
  readonly uid: number
  readonly gid: number
  readonly mode: number
  /** Whether it has no name any more: nobody else can open it. */
  readonly unlinked: boolean
}

/** The room of /dev/shm. */
export interface MemoryLimits {
  /** All of it, bytes; a container has 64 MiB unless told otherwise. */
  readonly totalBytes: number
  readonly freeBytes: number
}

const action = { open: 'open the shared memory', create: 'create the shared memory' }

/** Opens and maps. */
export function openMemory(
  name: string,
  how: How,
  options?: OpenMemoryOptions | CreateMemoryOptions | OpenOrCreateMemoryOptions,
): Mapped {
  checkName('name', name)
  const given: OpenMemoryOptions & Partial<CreateMemoryOptions> = options ?? {}
  checkObject('options', given)
  const known = {
    open: ['readonly', 'owner'],
    create: ['sizeBytes', 'mode'],
    openOrCreate: ['sizeBytes', 'mode', 'owner'],
  }
  checkKeys('options', given, known[how])
  const { owner } = given
  if (owner !== undefined && owner !== 'anyone') {
    if (typeof owner !== 'number') throw wrongType('owner', "a uid or 'anyone'", owner)
    checkId('owner', owner)
  }
  const readonly = given.readonly === undefined ? false : checkBoolean('readonly', given.readonly)
  if (how === 'open') return open(name, readonly, owner, 0)

  const sizeBytes = checkSize(given.sizeBytes)
  const mode = given.mode === undefined ? 0o600 : checkMode(given.mode)
  return openOrMake(
    how,
    () => open(name, false, owner, sizeBytes),
    () => create(name, sizeBytes, mode),
  )
}

export function checkSize(value: unknown): number {
  return checkInteger('sizeBytes', value, 1, Number.MAX_SAFE_INTEGER)
}

function open(name: string, readonly: boolean, owner: OpenMemoryOptions['owner'], least: number): Mapped {
  let handle: number
  try {
    handle = native.shmOpen(name, readonly ? 0 : 1)
  } catch (error) {
    throw openFailure(name, error as SystemFailure)
  }
  return orClose(handle, () => {
    const status = readStatus(handle)
    judge(name, status, owner)
    if (status.size === 0 || status.size < least) throw tooSmall(name, status.size, least)
    map(handle, name, status.size, readonly)
    return { handle, resource: name, readonly }
  })
}

function create(name: string, sizeBytes: number, mode: number): Mapped {
  checkRoom(name, sizeBytes)
  let handle: number
  try {
    handle = native.shmCreate(name, sizeBytes, mode)
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    const advice = adviseCreation(errno, sizeBytes)
    throw systemError({ errno, syscall, resource: name, action: action.create, advice })
  }
  return orClose(handle, () => {
    try {
      map(handle, name, sizeBytes, false)
    } catch (error) {
      native.shmUnlink(name)
      throw error
    }
    return { handle, resource: name, readonly: false }
  })
}

/** Runs, and gives up the handle when it fails. */
export function orClose<T>(handle: number, run: () => T): T {
  try {
    return run()
  } catch (error) {
    native.mapClose(handle, 0)
    throw error
  }
}

export function map(handle: number, resource: string, sizeBytes: number, readonly: boolean): void {
  try {
    native.shmMap(handle, sizeBytes, readonly ? 0 : 1)
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    const advice =
      errno === -errnoOf.ENOMEM
        ? 'this process has no room for it in its address space (ulimit -v), or too many mappings (vm.max_map_count)'
        : errno === -errnoOf.EPERM || errno === -errnoOf.EACCES
          ? 'it may not be written; open it with `readonly`'
          : undefined
    throw systemError({ errno, syscall, resource, action: 'map the shared memory', advice })
  }
}

/**
 * The kernel reserves page by page, and kills processes when there are no more: what cannot be there is refused before.
 */
export function checkRoom(resource: string, sizeBytes: number): void {
  const available = process.availableMemory()
  if (sizeBytes <= available) return
  // A full /dev/shm answers for itself, and takes nothing.
  const errno = errnoOf.ENOMEM
  const advice = `it would take ${sizeBytes} bytes, and ${available} bytes of memory are free here; make it smaller, or raise the memory of the container`
  throw systemError({ errno, syscall: 'posix_fallocate', resource, action: action.create, advice })
}

interface Status {
  readonly size: number
  readonly uid: number
  readonly gid: number
  readonly mode: number
  readonly links: number
  readonly writable: boolean
  readonly descriptor: number
}

export function readStatus(handle: number): Status {
  const out = new Float64Array(8)
  native.shmStatus(handle, out)
  const [size = 0, uid = 0, gid = 0, mode = 0, links = 0, , writable = 0, descriptor = -1] = out
  return { size, uid, gid, mode, links, writable: writable === 1, descriptor }
}

export function readStat(handle: number, resource: string): MemoryStat {
  try {
    const { size, uid, gid, mode, links } = readStatus(handle)
    return { sizeBytes: size, uid, gid, mode: mode & 0o777, unlinked: links === 0 }
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    throw systemError({ errno, syscall, resource, action: 'look at the shared memory' })
  }
}

export function setOwner(
  handle: number,
  resource: string,
  changes: { uid?: number; gid?: number; mode?: number },
): void {
  const now = readStat(handle, resource)
  const { uid = now.uid, gid = now.gid, mode = now.mode } = changes
  checkOwnership({ uid, gid, mode })
  try {
    native.shmSet(handle, uid, gid, mode)
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    const advice = errno === -errnoOf.EPERM ? 'only its owner and root may' : undefined
    throw systemError({ errno, syscall, resource, action: 'change the shared memory', advice })
  }
}

/** Removes a name. */
export function unlinkMemory(name: string): void {
  checkName('name', name)
  try {
    native.shmUnlink(name)
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    const forbidden = errno === -errnoOf.EACCES || errno === -errnoOf.EPERM
    const advice = forbidden ? 'only its owner and root may remove it' : undefined
    throw systemError({ errno, syscall, resource: name, action: 'remove the shared memory', advice })
  }
}

export function memoryLimits(): MemoryLimits {
  const { blocks, bavail, bsize } = statfsSync('/dev/shm')
  return { totalBytes: blocks * bsize, freeBytes: bavail * bsize }
}

const kinds: Record<number, string> = {
  [constants.S_IFLNK]: 'a symbolic link',
  [constants.S_IFIFO]: 'a FIFO',
  [constants.S_IFSOCK]: 'a socket',
  [constants.S_IFDIR]: 'a folder',
  [constants.S_IFCHR]: 'a device',
  [constants.S_IFBLK]: 'a device',
}

/** Refuses what is no memory, and memory of whom it should not be of. */
function judge(name: string, status: Status, owner: OpenMemoryOptions['owner']): void {
  const type = status.mode & constants.S_IFMT
  if (type !== constants.S_IFREG) throw unsafe(name, `what lies there is ${kinds[type] ?? 'no memory'}`)
  // Another name may lie where others can open it: shm_open(3) never makes a second one.
  if (status.links > 1) throw unsafe(name, `it has ${status.links} names`)
  if (owner === 'anyone' || [process.getuid?.(), 0, owner].includes(status.uid)) return
  throw unsafe(
    name,
    `it belongs to the user with uid ${status.uid}; if that is as it should be, open it with owner: ${status.uid}`,
  )
}

function unsafe(name: string, why: string): IpcError {
  return new IpcError(`Cannot open the shared memory ${name}: ${why}`, {
    code: 'ERR_IPC_UNSAFE',
    resource: name,
  })
}

/** What the kernel says of things that cannot be opened like memory. */
const refusals: Record<number, string> = {
  [errnoOf.ELOOP]: 'what lies there is a symbolic link',
  [errnoOf.EISDIR]: 'what lies there is a folder',
  // The same in the words of glibc's shm_open(3); the name itself has been checked.
  [errnoOf.EINVAL]: 'what lies there is a folder',
  [errnoOf.ENXIO]: 'what lies there is a socket or a FIFO',
  [errnoOf.ENODEV]: 'what lies there is a device',
}

function openFailure(name: string, { errno, syscall }: SystemFailure): IpcError {
  const refusal = refusals[-errno]
  if (refusal !== undefined) return unsafe(name, refusal)
  return systemError({ errno, syscall, resource: name, action: action.open, advice: adviseOpening(errno) })
}

function adviseOpening(errno: number): string | undefined {
  switch (-errno) {
    case errnoOf.ENOENT:
      return 'there is none of that name in this /dev/shm; create it first, or use openOrCreate'
    case errnoOf.EACCES:
      return 'its mode does not allow this user that; open it with `readonly`, or have its owner widen the mode'
    default:
      return adviseDescriptors(errno)
  }
}

function adviseCreation(errno: number, sizeBytes: number): string | undefined {
  switch (-errno) {
    case errnoOf.EEXIST:
      return 'there is one of that name already; open it, or unlink it first'
    case errnoOf.ENOSPC:
    case errnoOf.EFBIG: {
      const { totalBytes, freeBytes } = memoryLimits()
      return `it would take ${sizeBytes} bytes, and /dev/shm has ${freeBytes} of ${totalBytes} left; make it smaller, remove some (ipckit ls), or enlarge /dev/shm (ipckit doctor has the command)`
    }
    case errnoOf.EACCES:
      return 'this user may not make files in /dev/shm'
    default:
      return adviseDescriptors(errno)
  }
}

export function adviseDescriptors(errno: number): string | undefined {
  return -errno === errnoOf.EMFILE
    ? 'this process has too many descriptors open; close some, or raise the limit with: ulimit -n'
    : undefined
}

/** As shmget(2) answers. */
function tooSmall(name: string, size: number, least: number): IpcError {
  const advice =
    size === 0
      ? 'it has no size yet: whoever makes it is not ready, or was killed before it was; try again, or unlink it'
      : `it has ${size} bytes, and ${least} were asked for; ask for less, or unlink it`
  const errno = errnoOf.EINVAL
  return systemError({ errno, syscall: 'mmap', resource: name, action: action.open, advice })
}
