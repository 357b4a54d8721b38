/**
 * Finding and making System V objects by their names: what is the same for queues and memory.
 */
import { ExistsError, errnoOf, NotFoundError, type SystemFailure, systemError } from '../errors.js'
import { type How, openOrMake } from '../how.js'
import { checkInteger, wrongType } from '../options.js'
import { checkKey, formatKey, ftok, privateKey } from './key.js'

/** How an object is named: by key, by a file of which a key is made (ftok(3)), by id, or not at all. */
export type ObjectName = number | { path: string; project: number } | { id: number } | 'private'

const ipcCreate = 0o1000
const ipcExclusive = 0o2000

/** What one kind of object has. */
export interface Kind {
  /** One of it, for sentences. */
  readonly what: string
  /** What stands between the verb and the address in sentences, with a space in front; or nothing. */
  readonly object: string
  /** What to do about an errno, where that is known. */
  advise(errno: number): string | undefined
  /** msgget(2) or shmget(2): the id. */
  get(key: number, flags: number): number
  /** A handle on the object of that id. */
  attach(id: number): number
  /** Removes the object of that id, which asks for no permission but to be its owner, its creator or root. */
  remove(id: number): void
  /** The permissions to open it with, tried in this order: the kernel checks those that it is asked for. */
  readonly permissions: readonly number[]
  /** Whether the object of that key is this user's, who may look at it and change it when no permission is left. */
  isOwn?(key: number): boolean
}

export interface Found {
  readonly handle: number
  readonly address: string
  readonly created: boolean
}

/** Finds or makes an object. */
export function find(name: ObjectName, how: How, mode: number, kind: Kind): Found {
  if (typeof name === 'object' && name !== null && 'id' in name) return byId(name.id, how, kind)
  if (name === 'private') return anonymous(how, mode, kind)
  return byKey(keyOf(name), how, mode, kind)
}

/** Removes the object of that name, without opening it: the mode may allow nothing. */
export function removeNamed(name: ObjectName, kind: Kind): void {
  if (name === 'private')
    throw wrongType('name', `the key or id of a ${kind.what}: a private one has no name`, name)
  if (typeof name === 'object' && name !== null && 'id' in name) {
    const id = checkInteger('id', name.id, 0, 2 ** 31 - 1)
    remove(`sysv:id=${id}`, () => id, kind)
    return
  }
  const key = keyOf(name)
  // Whoever asks for no permission is told the id.
  remove(`sysv:${formatKey(key)}`, () => kind.get(key, 0), kind)
}

function remove(address: string, id: () => number, kind: Kind): void {
  try {
    kind.remove(id())
  } catch (error) {
    const { errno: found, syscall } = error as SystemFailure
    const errno = isGone(found) ? -errnoOf.ENOENT : found
    const advice: Record<number, string> = {
      [errnoOf.ENOENT]: `there is no such ${kind.what}`,
      [errnoOf.EPERM]: `only its owner, its creator and root may remove a ${kind.what}`,
    }
    const action = `remove${kind.object}`
    throw systemError({
      errno,
      syscall,
      action,
      resource: address,
      advice: advice[-errno] ?? kind.advise(errno),
    })
  }
}

function keyOf(name: number | { path: string; project: number }): number {
  return typeof name === 'number' ? checkKey(name) : fileKey(name)
}

function fileKey(name: { path: string; project: number }): number {
  if (typeof name !== 'object' || name === null) {
    throw wrongType('name', "a key, { path, project }, { id } or 'private'", name)
  }
  return checkKey(ftok(name.path, name.project))
}

function byId(id: number, how: How, kind: Kind): Found {
  checkInteger('id', id, 0, 2 ** 31 - 1)
  if (how !== 'open')
    throw wrongType('name', 'a key, a path or `private`: ids are given by the kernel', { id })
  return { handle: attach(id, `sysv:id=${id}`, kind), address: `sysv:id=${id}`, created: false }
}

function anonymous(how: How, mode: number, kind: Kind): Found {
  if (how === 'open')
    throw wrongType('name', `the key or id of a ${kind.what}: a private one can only be made`, 'private')
  const id = get(privateKey, ipcCreate | mode, 'sysv:private', 'create', kind)
  return { handle: attachNew(id, `sysv:id=${id}`, kind), address: `sysv:id=${id}`, created: true }
}

function byKey(key: number, how: How, mode: number, kind: Kind): Found {
  const address = `sysv:${formatKey(key)}`
  const open = (): Found => {
    const id = getUsable(key, address, kind)
    return { handle: attach(id, address, kind), address, created: false }
  }
  const create = (): Found => {
    const id = get(key, ipcCreate | ipcExclusive | mode, address, 'create', kind)
    return { handle: attachNew(id, address, kind), address, created: true }
  }
  // Removed between making and attaching, it costs a turn too.
  const raced = (error: unknown) => error instanceof ExistsError || error instanceof NotFoundError
  return openOrMake(how, open, create, raced)
}

function getUsable(key: number, address: string, kind: Kind): number {
  let refused: unknown
  for (const permissions of kind.permissions) {
    try {
      return get(key, permissions, address, 'open', kind)
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EACCES') throw error
      refused = error
    }
  }
  if (kind.isOwn?.(key)) return get(key, 0, address, 'open', kind)
  throw refused
}

function get(key: number, flags: number, address: string, verb: string, kind: Kind): number {
  try {
    return kind.get(key, flags)
  } catch (error) {
    throw failure(error as SystemFailure, address, verb, kind)
  }
}

function attach(id: number, address: string, kind: Kind): number {
  try {
    return kind.attach(id)
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    throw failure({ errno: isGone(errno) ? -errnoOf.ENOENT : errno, syscall }, address, 'open', kind)
  }
}

/** There is no such id: the kernel says EINVAL, or EIDRM when its slot is in use again. */
function isGone(errno: number): boolean {
  return errno === -errnoOf.EINVAL || errno === -errnoOf.EIDRM
}

function attachNew(id: number, address: string, kind: Kind): number {
  try {
    return attach(id, address, kind)
  } catch (error) {
    try {
      kind.remove(id)
    } catch {
      // Somebody else has removed it.
    }
    throw error
  }
}

function failure(
  { errno, syscall }: { errno: number; syscall: string },
  address: string,
  verb: string,
  kind: Kind,
): Error {
  const action = `${verb}${kind.object}`
  return systemError({ errno, syscall, action, resource: address, advice: kind.advise(errno) })
}
