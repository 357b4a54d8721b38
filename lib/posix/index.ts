/**
 * `ipckit/posix`: POSIX IPC under its own names.
 *
 * @packageDocumentation
 */

export type { Atomic, AtomicType } from '../mapping/atomic.js'
export type { Mapping } from '../mapping/mapping.js'
export type { Permit } from '../wait/permit.js'
export { limits, maxCapacity, maxMessageBytes, type PosixQueueLimits } from './limits.js'
export { list, type PosixQueueEntry } from './list.js'
export { type CreateMemfdOptions, Memfd, type OpenMemfdOptions, type Seal } from './memfd.js'
export {
  type Attributes,
  type Message,
  MessageQueue,
  type MessageToSend,
  type PriorityOption,
  type SendOptions,
  type SendSyncOptions,
} from './message-queue.js'
export { type Access, type CreateOptions, type OpenOptions, unlink } from './open.js'
export type {
  CreateMemoryOptions,
  MemoryLimits,
  MemoryStat,
  OpenMemoryOptions,
  OpenOrCreateMemoryOptions,
} from './open-memory.js'
export { maxPriority } from './priority.js'
export { maxSemaphoreValue, Semaphore } from './semaphore.js'
export type { PosixSemaphoreStat } from './semaphore-gate.js'
export type { PosixSemaphoreEntry } from './semaphore-list.js'
export type { CreateSemaphoreOptions, OpenSemaphoreOptions } from './semaphore-open.js'
export { type MemoryChanges, SharedMemory, type SharedMemoryEntry } from './shared-memory.js'
export type { PosixQueueStat } from './transport.js'
