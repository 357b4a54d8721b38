/**
 * `ipckit/pipe`: pipes and FIFOs as bytes, under their own names, and connections between processes, with messages,
 * descriptors, and the names of Python's `multiprocessing.connection`. Typed queues over FIFOs are `fifo:` addresses of
 * `Queue`.
 *
 * @packageDocumentation
 */
export { EOFError } from '../errors.js'
export {
  Connection,
  type ConnectOptions,
  type PeerCredentials,
  type ReceivedFd,
  type ReceivedFds,
  type RecvFdsOptions,
  type SocketPairOptions,
  socketPair,
} from './connection.js'
export type { ConnectionOptions } from './connection-options.js'
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
export { Listener, type ListenOptions } from './socket-listener.js'
export type { ReadableOptions, WritableOptions } from './streams.js'
