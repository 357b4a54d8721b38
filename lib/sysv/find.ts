/**
 * Finding and making System V objects of any kind: by key, by a file that the key is made of, by id, or without a
 * name. What differs between the kinds is handed in.
 */
import {
  ExistsError,
  errnoOf,
  type IpcError,
  NotFoundError,
  type SystemFailure,
  systemError,
} from '../errors.js'
import { checkInteger, checkString, wrongType } from '../options.js'
import { checkKey, formatKey, ftok, privateKey } from './key.js'

/** How an object is named: by key, by a file of which a key is made (ftok(3)), by id, or not at all. */
export type ObjectName = number | { path: string; project: number } | { id: number } | 'private'

export type How = 'open' | 'create' | 'openOrCreate'

/** One kind of System V objects. */
export interface ObjectKind {
  /** Its name in sentences: `queue`. */
  readonly noun: string
  /** The permissions to ask for when one is opened, in this order until one is granted. */
  readonly accesses: readonly number[]
  /** msgget(2), semget(2) or shmget(2). */
  get(key: number, flags: number): number
  /** Makes a handle of an id. */
  attach(id: number): number
  /** What to do about an errno of either. */
  advise(errno: number): string | undefined
}

export interface Opened {
  readonly handle: number
  readonly address: string
  readonly created: boolean
}

const ipcCreate = 0o1000
const ipcExclusive = 0o2000

/** Opens or makes an object; of `openOrCreate` it is known which it was. */
export function find(kind: ObjectKind, name: ObjectName, how: How, mode: number): Opened {
  if (typeof name === 'object' && name !== null && 'id' in name) return byId(kind, name.id, how)
  if (name === 'private') return anonymous(kind, how, mode)
  return byKey(kind, typeof name === 'number' ? checkKey(name) : fileKey(name), how, mode)
}

function fileKey(name: { path: string; project: number }): number {
  if (typeof name !== 'object' || name === null) {
    throw wrongType('name', "a key, { path, project }, { id } or 'private'", name)
  }
  return checkKey(ftok(checkString('path', name.path), name.project))
}

function byId(kind: ObjectKind, id: number, how: How): Opened {
  checkInteger('id', id, 0, 2 ** 31 - 1)
  if (how !== 'open')
    throw wrongType('name', 'a key, a path or `private`: ids are given by the kernel', { id })
  const address = `sysv:id=${id}`
  return { handle: attach(kind, id, address), address, created: false }
}

function anonymous(kind: ObjectKind, how: How, mode: number): Opened {
  if (how === 'open')
    throw wrongType('name', `the key or id of a ${kind.noun}: a private one can only be made`, 'private')
  const id = get(kind, privateKey, ipcCreate | mode, 'sysv:private', 'create')
  const address = `sysv:id=${id}`
  return { handle: attach(kind, id, address), address, created: true }
}

function byKey(kind: ObjectKind, key: number, how: How, mode: number): Opened {
  const address = `sysv:${formatKey(key)}`
  const open = (): Opened => {
    return { handle: attach(kind, getUsable(kind, key, address), address), address, created: false }
  }
  const create = (): Opened => {
    const id = get(kind, key, ipcCreate | ipcExclusive | mode, address, 'create')
    return { handle: attach(kind, id, address), address, created: true }
  }
  if (how === 'open') return open()
  if (how === 'create') return create()
  // Opening and creating take turns, so that we know who made it; an object that is removed in between costs
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

/** The kernel checks the permissions that it is asked for. */
function getUsable(kind: ObjectKind, key: number, address: string): number {
  for (const access of kind.accesses.slice(0, -1)) {
    try {
      return get(kind, key, access, address, 'open')
    } catch (error) {
      if ((error as IpcError).code !== 'EACCES') throw error
    }
  }
  return get(kind, key, kind.accesses.at(-1) as number, address, 'open')
}

function get(kind: ObjectKind, key: number, flags: number, address: string, action: string): number {
  try {
    return kind.get(key, flags)
  } catch (error) {
    throw failure(kind, error as SystemFailure, address, action)
  }
}

function attach(kind: ObjectKind, id: number, address: string): number {
  try {
    return kind.attach(id)
  } catch (error) {
    const why = error as SystemFailure
    // There is no such id: the kernel says EINVAL, or EIDRM when its slot is in use again.
    const gone = why.errno === -errnoOf.EINVAL || why.errno === -errnoOf.EIDRM
    throw failure(
      kind,
      gone ? { ...why, syscall: why.syscall, errno: -errnoOf.ENOENT } : why,
      address,
      'open',
    )
  }
}

function failure(
  kind: ObjectKind,
  { errno, syscall }: SystemFailure,
  address: string,
  action: string,
): Error {
  return systemError({ errno, syscall, action, resource: address, advice: kind.advise(errno) })
}
