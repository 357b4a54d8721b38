/**
 * `ipckit/pipe`: connections between processes, with messages, descriptors, and the names of Python's
 * `multiprocessing.connection`.
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
export { Listener, type ListenOptions } from './socket-listener.js'
