/**
 * `ipckit/sync`: locks, semaphores, conditions, events, barriers and values between unrelated processes in Node, C and
 * Python, by name; none of them hangs when a process dies.
 *
 * @packageDocumentation
 */
export { BrokenBarrierError, NotHeldError, OwnerDiedError } from '../errors.js'
export { Permit } from '../wait/permit.js'
export { RawArray, SharedArray as Array } from './array.js'
export { Barrier, type CreateBarrierOptions, type OpenBarrierOptions } from './barrier.js'
export type { TypedArray } from './cells.js'
export { Condition, type CreateConditionOptions, type OpenConditionOptions } from './condition.js'
export { Event } from './event.js'
export type { DeadOwner } from './gate.js'
export { Guard } from './guard.js'
export { list, type SyncEntry, stat, unlink } from './list.js'
export { Lock } from './lock.js'
export { type AcquireOptions, type AcquireSyncOptions, type HolderOptions, Lockable } from './lockable.js'
export { SyncObject } from './object.js'
export type { CreateOptions, OpenOptions } from './open.js'
export { RLock } from './rlock.js'
export { RWLock } from './rwlock.js'
export {
  type AcquirePermitsOptions,
  type AcquirePermitsSyncOptions,
  BoundedSemaphore,
  type CreateSemaphoreOptions,
  Semaphore,
} from './semaphore.js'
export type { Holder, SyncFacts, SyncParticipant, SyncStat } from './stat.js'
export { RawValue, Value } from './value.js'
