/**
 * `ipckit/pipe`: pipes and FIFOs under their own names.
 *
 * @packageDocumentation
 */
export type { FifoQueueStat } from './fifo-transport.js'
