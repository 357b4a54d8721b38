/**
 * `ipckit/sysv`: System V IPC under its own names.
 *
 * @packageDocumentation
 */
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
export type { CreateOptions, QueueName } from './open.js'
export { maxType } from './selection.js'
export type { SysvQueueStat } from './transport.js'
