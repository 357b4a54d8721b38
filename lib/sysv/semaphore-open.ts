/**
 * Finding and making System V semaphore sets: semget(2). A set is made with one call and given its values with
 * another, and who opens it in between finds zeros; so who opens it waits until its time of last operation is not 0
 * any more, and who makes it ends with an operation that changes nothing.
 */
import { native } from '../binding.js'
import { errnoOf, IpcError, RemovedError } from '../errors.js'
import type { How } from '../how.js'
import {
  checkBoolean,
  checkInteger,
  checkKeys,
  checkMode,
  checkObject,
  checkTimeout,
  outOfRange,
  wrongType,
} from '../options.js'
import { find, type Kind, type ObjectName, removeNamed } from './find.js'
import { isOwn } from './proc.js'
import { SemaphoreSetGate } from './semaphore-gate.js'
import { semaphoreLimits } from './semaphore-limits.js'
import { maxSetValue, packOperations, type SemaphoreOperation } from './semaphore-operation.js'

/** How a set is named: by key, by a file of which a key is made (ftok(3)), by id, or not at all. */
export type SemaphoreSetName = ObjectName

/** Options of opening a set that exists. */
export interface OpenSetOptions {
  /**
   * How long to wait for whoever is making the set to have given it its values, in milliseconds; default 1000. The
   * thread is blocked meanwhile; that is, as a rule, for less than one.
   */
  initTimeoutMs?: number
  /**
   * Take the set as it is, also when nothing was ever done with it: of one that a C program made and gave its values
   * with SETVAL that cannot be told from one whose maker died. Default false.
   */
  assumeInitialized?: boolean
}

/** Options of making a set. */
export interface CreateSetOptions extends OpenSetOptions {
  /** The value that each semaphore begins with, 0 to 32,767; default `[1]`: one semaphore, which is free. */
  values?: readonly number[]
  /** Permission bits, 0 to 0o777, default 0o600. System V never applies the umask. */
  mode?: number
}

const opening = ['initTimeoutMs', 'assumeInitialized'] as const

export function checkValues(values: unknown, name = 'values'): readonly number[] {
  if (!Array.isArray(values)) throw wrongType(name, 'an array of values', values)
  for (const [at, value] of values.entries()) checkInteger(`${name}[${at}]`, value, 0, maxSetValue)
  return values
}

/** Opens a set. One that was made for this call and cannot be given its values is removed again. */
export function openSet(name: SemaphoreSetName, how: How, options: CreateSetOptions = {}): SemaphoreSetGate {
  checkObject('options', options)
  checkKeys('options', options, how === 'open' ? opening : [...opening, 'values', 'mode'])
  const values = checkValues(options.values ?? [1])
  if (values.length === 0 || values.length > 65_535) {
    throw outOfRange('values', 'one value to 65,535', `${values.length} values`)
  }
  const mode = options.mode === undefined ? 0o600 : checkMode(options.mode)
  const { initTimeoutMs = 1000, assumeInitialized = false } = options
  checkTimeout(initTimeoutMs)
  checkBoolean('assumeInitialized', assumeInitialized)
  for (;;) {
    try {
      const { handle, address, created } = find(name, how, mode, kindOf(values.length))
      const gate = new SemaphoreSetGate(address, handle)
      if (created) initialize(gate, values)
      else prepare(gate, assumeInitialized ? undefined : initTimeoutMs, how === 'open' ? 0 : values.length)
      return gate
    } catch (error) {
      // It was removed as soon as it was found.
      if (how !== 'openOrCreate' || !(error instanceof RemovedError)) throw error
    }
  }
}

/** Removes a set without opening it: IPC_RMID. */
export function unlinkSet(name: SemaphoreSetName): void {
  removeNamed(name, kindOf(0))
}

function initialize(gate: SemaphoreSetGate, values: readonly number[]): void {
  try {
    gate.setValues(values)
    // Sets the time of the last operation, and changes nothing: waits for zero, or takes one and gives it back at
    // once. When it would have to wait, others have been faster, and have set it.
    gate.attempt(packOperations(values[0] === 0 ? [nothingOf(0)] : [nothingOf(-1), nothingOf(1)]))
  } catch (error) {
    abandon(gate)
    throw error
  }
}

function nothingOf(by: number): SemaphoreOperation {
  return { semaphore: 0, by }
}

function abandon(gate: SemaphoreSetGate): void {
  try {
    gate.unlink()
  } catch {
    // Somebody else has removed it.
  }
  gate.release()
}

function prepare(gate: SemaphoreSetGate, timeoutMs: number | undefined, wanted: number): void {
  try {
    if (timeoutMs !== undefined) awaitInitialized(gate, timeoutMs)
    if (wanted > 0 && readableSize(gate) < wanted) {
      throw new IpcError(
        `Cannot open ${gate.address}: it has ${gate.size} semaphores, and ${wanted} are wanted; open it as it is with open, or remove it first`,
        { code: 'EINVAL', errno: -errnoOf.EINVAL, syscall: 'semget', resource: gate.address },
      )
    }
  } catch (error) {
    gate.release()
    throw error
  }
}

/** Who may not look at a set takes its size as it is. */
function readableSize(gate: SemaphoreSetGate): number {
  try {
    return gate.size
  } catch (error) {
    if (error instanceof IpcError && error.code === 'EACCES') return Number.POSITIVE_INFINITY
    throw error
  }
}

const clock = new Int32Array(new SharedArrayBuffer(4))

function awaitInitialized(gate: SemaphoreSetGate, timeoutMs: number): void {
  const end = performance.now() + timeoutMs
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 20)) {
    let made: { lastOperationTime: Date | undefined; creatorUid: number; lastChangeTime: Date }
    try {
      made = gate.stat()
    } catch (error) {
      // Who may not look cannot wait for it either.
      if (error instanceof IpcError && error.code === 'EACCES') return
      throw error
    }
    if (made.lastOperationTime !== undefined) return
    const left = end - performance.now()
    if (left <= 0) {
      throw new IpcError(
        `Cannot open ${gate.address}: user ${made.creatorUid} made it at ${made.lastChangeTime.toISOString()}, and nothing was ever done with it; its maker may have died before giving it its values. Remove it (ipckit rm --semaphore), or open it with assumeInitialized if its values are as they should be`,
        { code: 'ERR_IPC_UNINITIALIZED', resource: gate.address },
      )
    }
    // Blocks this thread: opening is synchronous, and the maker is between two system calls.
    Atomics.wait(clock, 0, 0, Math.min(pauseMs, left))
  }
}

function kindOf(count: number): Kind {
  return {
    what: 'semaphore set',
    object: '',
    // To change and to look, or at least one of them.
    permissions: [0o600, 0o200, 0o400],
    // Without IPC_CREAT any size will do.
    get: (key, flags) => native.semsetGet(key, flags & 0o1000 ? count : 0, flags),
    attach: (id) => native.semsetAttach(id),
    remove(id) {
      const handle = native.semsetAttach(id)
      try {
        native.semsetRemove(handle)
      } finally {
        native.semsetDetach(handle)
      }
    },
    isOwn: (key) => isOwn('sem', key),
    advise: (errno) => advise(errno, count),
  }
}

function advise(errno: number, count: number): string | undefined {
  switch (-errno) {
    case errnoOf.ENOENT:
      return 'there is no such semaphore set; create it first, or use openOrCreate'
    case errnoOf.EEXIST:
      return 'there is a semaphore set of that key already; open it, or unlink it first'
    case errnoOf.EACCES:
      return "the set's mode gives this user no access; open it as its owner, or have the owner widen its mode"
    case errnoOf.EINVAL: {
      const { setSize } = semaphoreLimits()
      return count > setSize
        ? `${count} semaphores are over the limit of ${setSize} in a set, the first number of /proc/sys/kernel/sem`
        : undefined
    }
    case errnoOf.ENOSPC: {
      const { sets, semaphores } = semaphoreLimits()
      return `there are ${sets} sets, or ${semaphores} semaphores in all of them, already: the fourth and the second number of /proc/sys/kernel/sem; remove some (ipckit ls), or raise them with: sysctl -w kernel.sem=...`
    }
    case errnoOf.ENOSYS:
      return 'this kernel has no System V semaphores; use those of ipckit/posix'
    default:
      return undefined
  }
}
