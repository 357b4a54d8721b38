/**
 * `ipckit/shm`: the queues in shared memory of this machine. They are opened with `Queue` and a `shm:` address; here
 * they are listed and removed without being opened.
 *
 * @packageDocumentation
 */
export { capabilities, type ShmCapabilities } from './capabilities.js'
export { list, type ShmQueueEntry } from './list.js'
export { type CreateOptions, type OpenOptions, unlink } from './open.js'
