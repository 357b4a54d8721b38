/**
 * Finding and making System V message queues: msgget(2).
 */
import { native } from '../binding.js'
import {
  ExistsError,
  errnoOf,
  type IpcError,
  NotFoundError,
  RemovedError,
  type SystemFailure,
  systemError,
} from '../errors.js'
import { checkInteger, checkKeys, checkMode, checkObject, checkString, wrongType } from '../options.js'
import { checkKey, formatKey, ftok, privateKey } from './key.js'
import { limits } from './limits.js'
import { SysvTransport } from './transport.js'

/** How a queue is named: by key, by a file of which a key is made (ftok(3)), by id, or not at all. */
export type QueueName = number | { path: string; project: number } | { id: number } | 'private'

/** Options of making a System V message queue. What the kernel granted is in `stat()`. */
export interface CreateOptions {
  /** Permission bits, 0 to 0o777, default 0o600. System V never applies the umask. */
  mode?: number
  /**
   * How many bytes all messages of the queue may have together; default kernel.msgmnb, 16384. More than that
   * needs CAP_SYS_RESOURCE.
   */
  maxBytes?: number
}

export type How = 'open' | 'create' | 'openOrCreate'

const ipcCreate = 0o1000
const ipcExclusive = 0o2000

interface Opened {
  readonly handle: number
  readonly address: string
  readonly created: boolean
}

/** Opens a queue. One that was made for this call and cannot be made as asked is removed again. */
export function openTransport(
  name: QueueName,
  how: How,
  options: CreateOptions = {},
  priorities = false,
): SysvTransport {
  checkObject('options', options)
  checkKeys('options', options, how === 'open' ? [] : ['mode', 'maxBytes'])
  if (options.maxBytes !== undefined) checkInteger('maxBytes', options.maxBytes, 1, 2 ** 32 - 1)
  const mode = options.mode === undefined ? 0o600 : checkMode(options.mode)
  for (;;) {
    try {
      return equip(find(name, how, mode), options, priorities)
    } catch (error) {
      // It was removed as soon as it was found.
      if (how !== 'openOrCreate' || !(error instanceof RemovedError)) throw error
    }
  }
}

function equip(
  { handle, address, created }: Opened,
  options: CreateOptions,
  priorities: boolean,
): SysvTransport {
  const transport = new SysvTransport(address, handle, priorities)
  if (created && options.maxBytes !== undefined) {
    try {
      transport.set({ maxBytes: options.maxBytes })
    } catch (error) {
      transport.unlink()
      transport.close()
      throw error
    }
  }
  return transport
}

function find(name: QueueName, how: How, mode: number): Opened {
  if (typeof name === 'object' && name !== null && 'id' in name) return byId(name.id, how)
  if (name === 'private') return anonymous(how, mode)
  return byKey(typeof name === 'number' ? checkKey(name) : fileKey(name), how, mode)
}

function fileKey(name: { path: string; project: number }): number {
  if (typeof name !== 'object' || name === null) {
    throw wrongType('name', "a key, { path, project }, { id } or 'private'", name)
  }
  return checkKey(ftok(checkString('path', name.path), name.project))
}

function byId(id: number, how: How): Opened {
  checkInteger('id', id, 0, 2 ** 31 - 1)
  if (how !== 'open')
    throw wrongType('name', 'a key, a path or `private`: ids are given by the kernel', { id })
  return { handle: attach(id, `sysv:id=${id}`), address: `sysv:id=${id}`, created: false }
}

function anonymous(how: How, mode: number): Opened {
  if (how === 'open')
    throw wrongType('name', 'the key or id of a queue: a private one can only be made', 'private')
  const id = get(privateKey, ipcCreate | mode, 'sysv:private', 'create')
  return { handle: attach(id, `sysv:id=${id}`), address: `sysv:id=${id}`, created: true }
}

function byKey(key: number, how: How, mode: number): Opened {
  const address = `sysv:${formatKey(key)}`
  const open = (): Opened => ({ handle: attach(getUsable(key, address), address), address, created: false })
  const create = (): Opened => {
    const id = get(key, ipcCreate | ipcExclusive | mode, address, 'create')
    return { handle: attach(id, address), address, created: true }
  }
  if (how === 'open') return open()
  if (how === 'create') return create()
  // Opening and creating take turns, so that we know who made it; a queue that is removed in between costs
  // a turn.
  for (;;) {
    try {
      return open()
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error
    }
    try {
      return create()
    } catch (error) {
      if (!(error instanceof ExistsError) && !(error instanceof NotFoundError)) throw error
    }
  }
}

/** msgget(2) checks the permissions that it is asked for: to receive, or at least to send. */
function getUsable(key: number, address: string): number {
  try {
    return get(key, 0o400, address, 'open')
  } catch (error) {
    if ((error as IpcError).code !== 'EACCES') throw error
  }
  return get(key, 0o200, address, 'open')
}

function get(key: number, flags: number, address: string, action: string): number {
  try {
    return native.msgGet(key, flags)
  } catch (error) {
    throw failure(error as SystemFailure, address, action)
  }
}

function attach(id: number, address: string): number {
  try {
    return native.msgAttach(id)
  } catch (error) {
    const why = error as SystemFailure
    // There is no such id: the kernel says EINVAL, or EIDRM when its slot is in use again.
    const gone = why.errno === -errnoOf.EINVAL || why.errno === -errnoOf.EIDRM
    throw failure(gone ? { ...why, syscall: why.syscall, errno: -errnoOf.ENOENT } : why, address, 'open')
  }
}

function failure({ errno, syscall }: SystemFailure, address: string, action: string): Error {
  return systemError({ errno, syscall, action, resource: address, advice: advise(errno) })
}

function advise(errno: number): string | undefined {
  switch (-errno) {
    case errnoOf.ENOENT:
      return 'there is no such queue; create it first, or use openOrCreate'
    case errnoOf.EEXIST:
      return 'there is a queue of that key already; open it, or unlink it first'
    case errnoOf.EACCES:
      return "the queue's mode gives this user no access; open it as its owner, or have the owner widen its mode"
    case errnoOf.ENOSPC:
      return `there are ${limits().queues} queues already, the limit in /proc/sys/kernel/msgmni; remove some (ipckit ls), or raise it with: sysctl -w kernel.msgmni=${limits().queues * 2}`
    case errnoOf.ENOSYS:
      return 'this kernel has no System V message queues; use posix: addresses'
    default:
      return undefined
  }
}
