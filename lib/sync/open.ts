/** Opening and removing the objects of `ipckit/sync` by name. */
import { native } from '../binding.js'
import type { SystemFailure } from '../errors.js'
import type { How } from '../how.js'
import { checkBoolean, checkInteger, checkKeys, checkMode, checkObject } from '../options.js'
import { type KindName, kindNames, openError, type Refusal, ringError } from '../shared/failure.js'
import { checkName } from '../shared/name.js'
import { SyncGate } from './gate.js'

/** Options of opening a lock, a semaphore or another object of `ipckit/sync`. */
export interface OpenOptions {
  /** Open it although it belongs to another user, who could write anything into it. Default false. */
  anyOwner?: boolean
  /** Open it although everyone may write to it. Default false. */
  anyMode?: boolean
}

/** Options of making one. */
export interface CreateOptions extends OpenOptions {
  /** Permission bits, 0 to 0o777, default 0o600. Exact: the umask is not applied. Users need to read and write. */
  mode?: number
  /** Handles that may be open at a time, in all processes: 2 to 1024, default 256. */
  participants?: number
}

/** What one kind of object needs beside that, as the C header has it; 0 is the default. */
export interface Sizes {
  /** Of a semaphore; parties of a barrier. */
  value?: number
  /** Of a value. */
  bytes?: number
  type?: string
  initial?: Uint8Array
  /** Waits at a time, of conditions and barriers. */
  waiters?: number
}

const opening = ['anyOwner', 'anyMode']
const creating = [...opening, 'mode', 'participants']

/** IPCKIT_SYNC_* of the C header. */
const flags = { anyOwner: 2, anyMode: 4, observer: 8 } as const

const nothing = Buffer.alloc(0)

/**
 * Opens an object.
 *
 * @param more - the options that its own class knows, and has checked.
 */
export function openSync(
  kind: KindName,
  name: string,
  how: How,
  options: CreateOptions = {},
  sizes: Sizes = {},
  more: readonly string[] = [],
): SyncGate {
  checkName(name)
  checkKeys('options', checkObject('options', options), [...(how === 'open' ? opening : creating), ...more])
  const { anyOwner = false, anyMode = false, participants, mode } = options
  const flag =
    (checkBoolean('anyOwner', anyOwner) ? flags.anyOwner : 0) |
    (checkBoolean('anyMode', anyMode) ? flags.anyMode : 0)
  const most = participants === undefined ? 0 : checkInteger('participants', participants, 2, 1024)
  const bits = mode === undefined ? 0o600 : checkMode(mode)
  return openHandle(kind, name, how, [most, bits, flag], sizes)
}

/** Opens an object of whatever kind to look at it: the handle is nobody's party, and its end means nothing. */
export function openToLook(name: string): SyncGate {
  checkName(name)
  return openHandle('any', name, 'open', [0, 0, flags.anyOwner | flags.anyMode | flags.observer], {})
}

function openHandle(
  kind: KindName | 'any',
  name: string,
  how: How,
  [participants, mode, flag]: readonly [number, number, number],
  { value = 0, bytes = 0, type = '', initial = nothing, waiters = 0 }: Sizes,
): SyncGate {
  const number = kind === 'any' ? 0 : kindNames.indexOf(kind)
  const numbers = Float64Array.of(value, bytes, participants, waiters, mode, flag)
  const resource = `shm:${name}`
  const way = how === 'open' ? 0 : how === 'create' ? 1 : 2
  try {
    return new SyncGate(
      resource,
      kind === 'any' ? 'object' : kind,
      native.syncOpen(name, way, number, numbers, type, initial),
    )
  } catch (error) {
    throw openError(
      { resource, kind: kind === 'any' ? 'object' : kind, creating: how === 'create', type },
      error as Refusal,
    )
  }
}

/** Removes the name of an object of a kind. */
export function unlinkSync(kind: KindName | 'object', name: string): void {
  checkName(name)
  try {
    native.syncUnlink(name)
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    throw ringError({ errno, syscall, kind, action: 'remove', resource: `shm:${name}` })
  }
}
