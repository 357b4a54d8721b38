/** Lists the objects of `ipckit/sync` of this mount namespace: files of /dev/shm. */
import { IpcError } from '../errors.js'
import { namesOfFiles } from '../shared/directory.js'
import { openToLook, unlinkSync } from './open.js'
import { lookAt, type SyncFacts, type SyncStat, statOf } from './stat.js'

/** An object as it is found in /dev/shm, without being opened. */
export interface SyncEntry extends SyncFacts {
  /** With its slash, as the classes take it. */
  readonly name: string
}

/**
 * Lists all locks, semaphores and other objects of `ipckit/sync`, sorted by name. Those that this user may not read are
 * left out, as is every file that is none.
 *
 * @example
 * ```ts
 * import { list } from 'ipckit/sync'
 * for (const { name, kind, holderPid } of list()) console.log(name, kind, holderPid)
 * ```
 */
export function list(): SyncEntry[] {
  return namesOfFiles().flatMap((name) => look(name) ?? [])
}

/** Undefined for what is no such object, or is gone since the folder was read. */
function look(name: string): SyncEntry | undefined {
  try {
    const facts = lookAt(name)
    return (facts.kind as string) === 'queue' ? undefined : { name, ...facts }
  } catch (error) {
    if (IpcError.is(error)) return undefined
    throw error
  }
}

/**
 * One look at an object of whatever kind, and at who has it open: it is opened for a moment, as somebody who only looks.
 *
 * @throws {@link NotFoundError} when there is none of that name; `IpcError` with `ERR_IPC_KIND` when it is a queue.
 */
export function stat(name: string): SyncStat {
  const gate = openToLook(name)
  try {
    const { participants, ...facts } = statOf(gate.address, gate.handle)
    return { ...facts, participants: participants.filter(({ self }) => !self) }
  } finally {
    gate.release()
  }
}

/** Removes the name of an object of whatever kind; those who have it open are told as by {@link SyncObject.unlink}. */
export function unlink(name: string): void {
  unlinkSync('object', name)
}
