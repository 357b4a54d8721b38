/**
 * Opening and removing named POSIX semaphores: sem_open(3), sem_unlink(3).
 */
import { native } from '../binding.js'
import { errnoOf, IpcError, type SystemFailure, systemError } from '../errors.js'
import { type How, openOrMake } from '../how.js'
import { checkBoolean, checkInteger, checkKeys, checkMode, checkObject } from '../options.js'
import { checkName } from './name.js'
import { SemaphoreGate } from './semaphore-gate.js'

/** Options of opening a POSIX semaphore. */
export interface OpenSemaphoreOptions {
  /**
   * Open it although another user than this one and root owns it, or everybody may write to it. Whoever may write
   * to it can truncate it, and a process that uses it then dies of SIGBUS: give it only where you would trust them
   * with that. Default false.
   */
  trustOthers?: boolean
}

/** Options of making a POSIX semaphore. */
export interface CreateSemaphoreOptions extends OpenSemaphoreOptions {
  /** The value that it begins with, 0 to 2,147,483,647, default 1. */
  value?: number
  /** Permission bits, 0 to 0o777, default 0o600. Exact: the umask is not applied. Users need to read and write. */
  mode?: number
}

/** The C library puts `sem.` in front of the name of the file. */
const maxNameBytes = 251

/** Opens a semaphore. */
export function openSemaphore(name: string, how: How, options: CreateSemaphoreOptions = {}): SemaphoreGate {
  checkName('name', name, maxNameBytes)
  checkObject('options', options)
  checkKeys('options', options, how === 'open' ? ['trustOthers'] : ['trustOthers', 'value', 'mode'])
  const { value = 1, trustOthers = false } = options
  checkBoolean('trustOthers', trustOthers)
  checkInteger('value', value, 0, 2 ** 31 - 1)
  const mode = options.mode === undefined ? 0o600 : checkMode(options.mode)
  const address = `posix:${name}`
  const open = () => call(address, 'open', () => native.semOpen(name, trustOthers ? 1 : 0))
  const create = () => call(address, 'create', () => native.semCreate(name, mode, value))
  return openOrMake(how, open, create)
}

/** The error of who would remove a name that is gone, and perhaps another semaphore's by now. */
export function nameless(resource: string): IpcError {
  const advice = 'it has no name any more'
  return systemError({ errno: -errnoOf.ENOENT, syscall: 'sem_unlink', resource, action: 'remove', advice })
}

/** Removes the name of a semaphore: sem_unlink(3). Who has it open goes on with it. */
export function unlinkSemaphore(name: string): void {
  checkName('name', name, maxNameBytes)
  try {
    native.semUnlink(name)
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    const advice =
      errno === -errnoOf.EACCES ? 'only its owner and root may remove a semaphore' : advise(errno, syscall)
    throw systemError({ errno, syscall, resource: `posix:${name}`, action: 'remove', advice })
  }
}

function call(resource: string, action: string, make: () => number): SemaphoreGate {
  try {
    return new SemaphoreGate(resource, make())
  } catch (error) {
    if (error instanceof Error) throw error
    const { errno, syscall } = error as SystemFailure
    if (errno === -errnoOf.EPERM && syscall === 'sem_open') {
      throw new IpcError(
        `Will not open ${resource}: it belongs to another user, or everybody may write to it, and whoever may can make this process crash; where they are trusted, open it with trustOthers`,
        { code: 'ERR_IPC_UNSAFE', resource },
      )
    }
    throw systemError({ errno, syscall, action, resource, advice: advise(errno, syscall) })
  }
}

function advise(errno: number, syscall: string): string | undefined {
  switch (-errno) {
    case errnoOf.ENOENT:
      return 'there is no such semaphore; create it first, or use openOrCreate'
    case errnoOf.EEXIST:
      return 'there is a semaphore of that name already, or something else in its place; open it, or unlink it first'
    case errnoOf.EACCES:
      return "the semaphore's mode does not allow this user to read and write it; open it as its owner, or have it made with a wider mode"
    case errnoOf.EINVAL:
      return syscall === 'sem_open'
        ? 'what has that name in /dev/shm is not a semaphore: a link, a folder, a pipe, or a file of another size; remove it (rm /dev/shm/sem.NAME), or use another name'
        : undefined
    case errnoOf.EMFILE:
      return 'this process has too many descriptors open; close some, or raise the limit with: ulimit -n'
    case errnoOf.ENOSPC:
      return '/dev/shm is full; remove what is not needed there, or make it larger: mount -o remount,size=...'
    case errnoOf.EOPNOTSUPP:
      return '/dev/shm is not a tmpfs, which semaphores need; mount one with: mount -t tmpfs tmpfs /dev/shm'
    default:
      return undefined
  }
}
