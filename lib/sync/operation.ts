/** What can be waited for: the operations of the C library, as the line of those who wait sees them. */
import type { Operation } from '../wait/operation-line.js'

/** IPCKIT_ACQUIRE and the others of the C header. */
export const codes = { acquire: 1, acquireShared: 2, event: 3, condition: 4, barrier: 5 } as const

export interface SyncOperation extends Operation {
  readonly code: number
  /** Permits of a semaphore. */
  readonly count: number
  /** One of several readers. */
  readonly shared: boolean
  /** One of whatever the object is, and not shared: for that the addon has calls that cost less. */
  readonly plain: boolean
  /** Whether it has to wait while this very handle holds the object: where nobody may hold it twice. */
  readonly exclusive: boolean
}

/** What a lock, or the permits of a semaphore, are taken from. All of one handle stand in one line. */
const takes = [0]

/** A lock that nobody may hold twice. */
export const acquireOnce: SyncOperation = {
  ...{ key: 'acquire', takes, returnable: true, count: 1, shared: false, plain: true, exclusive: true },
  code: codes.acquire,
}

/** A lock that its holder may acquire again. */
export const acquireAgain: SyncOperation = { ...acquireOnce, exclusive: false }

/** One of several readers. */
export const acquireShared: SyncOperation = {
  ...acquireOnce,
  key: 'shared',
  shared: true,
  plain: false,
  code: codes.acquireShared,
}

const permits = new Map<number, SyncOperation>()

/** So many permits of a semaphore, all at once. */
export function acquirePermits(count: number): SyncOperation {
  let operation = permits.get(count)
  if (operation !== undefined) return operation
  operation = { ...acquireAgain, key: `${count}`, count, plain: count === 1 }
  // Programs ask for few different numbers; one that does not shall not keep them all.
  if (permits.size < 64) permits.set(count, operation)
  return operation
}

let waits = 0

/** A wait for something to happen, which is nobody else's. */
export function waitFor(what: 'event' | 'condition' | 'barrier'): SyncOperation {
  const code = codes[what]
  const key = `wait ${waits++}`
  return {
    key,
    takes: [],
    returnable: true,
    count: 0,
    shared: false,
    plain: false,
    exclusive: false,
    action: 'wait for',
    code,
  }
}
