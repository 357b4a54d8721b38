/**
 * `ipckit/sysv`: System V IPC under its own names.
 *
 * @packageDocumentation
 */
export type { Atomic, AtomicType } from '../mapping/atomic.js'
export type { Mapping } from '../mapping/mapping.js'
export type { Permit } from '../wait/permit.js'
export type { ObjectName } from './find.js'
export { formatKey, ftok } from './key.js'
export { limits, type SysvQueueLimits, type SysvQueueUsage, usage } from './limits.js'
export { list, type SysvQueueEntry } from './list.js'
export {
  type Message,
  MessageQueue,
  type MessageToSend,
  type QueueChanges,
  type ReceiveOptions,
  type ReceiveSyncOptions,
  type SelectOptions,
  type SendOptions,
  type SendSyncOptions,
  type SizeOptions,
  type TryReceiveOptions,
  type TypeOption,
} from './message-queue.js'
export { type CreateOptions, type QueueName, unlink } from './open.js'
export type { MemoryLimits, MemoryUsage, SegmentEntry } from './segments.js'
export { maxType } from './selection.js'
export type { SemaphoreSetStat } from './semaphore-gate.js'
export type { SemaphoreLimits, SemaphoreUsage } from './semaphore-limits.js'
export type { SemaphoreSetEntry } from './semaphore-list.js'
export type { CreateSetOptions, OpenSetOptions, SemaphoreSetName } from './semaphore-open.js'
export type { SemaphoreOperation } from './semaphore-operation.js'
export {
  type AcquireOptions,
  type AcquireSyncOptions,
  type PermitOptions,
  type ReleaseOptions,
  SemaphoreSet,
  type SemaphoreWaiters,
  type SetChanges,
} from './semaphore-set.js'
export {
  type CreateMemoryOptions,
  type MemoryChanges,
  type MemoryStat,
  type OpenMemoryOptions,
  SharedMemory,
} from './shared-memory.js'
export type { SysvQueueStat } from './transport.js'
