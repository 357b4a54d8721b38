/** Semaphores as kinds of objects. */
import { IpcError } from '../index.js'
import { Semaphore } from '../posix/index.js'
import { SemaphoreSet } from '../sysv/index.js'
import type { ObjectFacts, ObjectKind } from './kinds.js'
import { closeAfter } from './look.js'
import { type Column, count, pid, visible } from './output.js'
import { origin, whose } from './owner.js'
import { addressOf, sysvNameOf } from './sysv-name.js'

/** What is known of a semaphore or a set of them. */
export interface SemaphoreFacts extends ObjectFacts {
  object: 'semaphore'
  /** One for each semaphore; null when this user may not read them. */
  values: number[] | null
  /** How many processes wait for each of them to grow or to be 0: System V. */
  waiters: number[] | null
  /** Pids that operated on them last: System V. */
  lastPids: number[] | null
}

const columns: Column[] = [
  { head: 'SEMAPHORE' },
  { head: 'VALUES' },
  { head: 'WAITING', align: 'right' },
  { head: 'OWNER' },
  { head: 'MODE' },
  { head: 'USED BY', align: 'right' },
]

export const posixSemaphoreKind: ObjectKind<SemaphoreFacts> = {
  noun: 'semaphore',
  family: 'posix',
  listing: {
    columns,
    async list() {
      return Semaphore.list().map(({ value, ...entry }) => posixFacts(entry, value ?? null))
    },
    row,
  },
  async stat(address) {
    // Looks, and touches nothing: also what belongs to others.
    const semaphore = Semaphore.open(address.slice('posix:'.length), { trustOthers: true })
    const { value, unlinked, ...state } = await closeAfter(semaphore, () => semaphore.stat())
    return { ...posixFacts(state, value), removed: unlinked }
  },
  async remove(address) {
    Semaphore.unlink(address.slice('posix:'.length))
    return address
  },
}

export const sysvSemaphoreKind: ObjectKind<SemaphoreFacts> = {
  noun: 'semaphore',
  family: 'sysv',
  listing: {
    columns,
    async list() {
      return SemaphoreSet.list().map((entry) => sysvFacts(entry, openById(entry.id)))
    },
    row,
  },
  async stat(address) {
    const set = openSet(address)
    const state = set.stat()
    return {
      ...sysvFacts(state, set),
      size: state.size,
      ...origin(state),
      lastOperationTime: state.lastOperationTime?.toISOString() ?? null,
      lastChangeTime: state.lastChangeTime.toISOString(),
    }
  },
  async remove(address) {
    const name = sysvNameOf(address)
    SemaphoreSet.unlink(name)
    return addressOf(name)
  },
}

function openSet(address: string): SemaphoreSet {
  // As it is, also when whoever made it died over it: that is when one looks, and removes.
  return SemaphoreSet.open(sysvNameOf(address), { assumeInitialized: true })
}

/** Undefined where this user may not look, or the set is gone by now. */
function openById(id: number): SemaphoreSet | undefined {
  try {
    return SemaphoreSet.open({ id }, { assumeInitialized: true })
  } catch (error) {
    if (!IpcError.is(error)) throw error
    return undefined
  }
}

function posixFacts(
  entry: { address: string; uid: number; gid: number; mode: number },
  value: number | null,
): SemaphoreFacts {
  return {
    object: 'semaphore',
    address: entry.address,
    kind: 'posix',
    values: value === null ? null : [value],
    waiters: null,
    lastPids: null,
    ...whose(entry),
  }
}

function sysvFacts(
  entry: { address: string; size: number; uid: number; gid: number; mode: number },
  set: SemaphoreSet | undefined,
): SemaphoreFacts {
  return {
    object: 'semaphore',
    address: entry.address,
    kind: 'sysv',
    ...look(set, entry.size),
    ...whose(entry),
  }
}

/** Reads what there is to read of each semaphore, and closes the handle. */
function look(set: SemaphoreSet | undefined, size: number) {
  const each = <R>(read: (semaphore: number) => R): R[] => Array.from({ length: size }, (_, at) => read(at))
  try {
    return {
      values: set?.values() ?? null,
      waiters:
        set === undefined
          ? null
          : each((at) => {
              const { forMore, forZero } = set.waiters(at)
              return forMore + forZero
            }),
      lastPids: set === undefined ? null : each((at) => set.lastPid(at)),
    }
  } catch (error) {
    // No permission to read, or removed since.
    if (!IpcError.is(error)) throw error
    return { values: null, waiters: null, lastPids: null }
  } finally {
    void set?.close()
  }
}

/** A set may have thousands: so many are shown in the table. */
const shown = 8

function row({ address, values, waiters, owner, mode, lastPids }: SemaphoreFacts): string[] {
  const lastPid = lastPids?.find((each) => each > 0)
  return [
    visible(address),
    values === null
      ? '-'
      : `${values.slice(0, shown).join(',')}${values.length > shown ? `,... ${count(values.length)} in all` : ''}`,
    waiters === null ? '-' : count(waiters.reduce((sum, each) => sum + each, 0)),
    owner,
    mode,
    pid(lastPid),
  ]
}
