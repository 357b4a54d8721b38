/**
 * `ipckit/pipe`: pipes and FIFOs as bytes, under their own names. Typed queues over FIFOs are `fifo:` addresses of
 * `Queue`.
 *
 * @packageDocumentation
 */
export {
  Fifo,
  type FifoAccess,
  type FifoCreateOptions,
  type FifoOpenOptions,
  type FifoStat,
} from './fifo.js'
export type { FifoQueueStat } from './fifo-transport.js'
export type { OwnerOption } from './path.js'
export { type Pipe, PipeEnd, type PipeOptions, PipeReader, PipeWriter, pipe } from './pipe.js'
export type { ReadableOptions, WritableOptions } from './streams.js'
