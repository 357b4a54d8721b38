/**
 * `ipckit`: typed queues that unrelated processes on one Linux machine open by name. The kernel's objects under
 * their own names are in `ipckit/posix` and `ipckit/sysv`.
 *
 * @packageDocumentation
 */
export * from './codec/index.js'
export {
  ClosedError,
  DecodeError,
  EOFError,
  ExistsError,
  IpcError,
  type IpcErrorCode,
  type IpckitErrorCode,
  NotFoundError,
  RemovedError,
  ShutdownError,
  TimeoutError,
} from './errors.js'
export { type CreateOptions, type OpenOptions, Queue, type SysvOpenOptions } from './open.js'
export type { SyncWaitOptions, WaitOptions } from './options.js'
export { type Address, parseAddress } from './queue/address.js'
export type {
  Envelope,
  GetOptions,
  GetSyncOptions,
  NoLabel,
  NoSelector,
  PriorityOption,
  PutOptions,
  PutSyncOptions,
  Scheme,
  SchemeOf,
  TryGetOptions,
  TryPutOptions,
  TypeOrPriority,
  TypeSelector,
} from './queue/queue-options.js'
export type { QueueReadable, QueueWritable, ReadableOptions } from './queue/streams.js'
export type { Capabilities, QueueStat } from './queue/transport.js'
export { Lease, type NackOptions } from './shm/lease.js'
export { type LeaseOptions, SharedQueue } from './shm/queue.js'
export type { Participant, ShmQueueStat } from './shm/transport.js'
