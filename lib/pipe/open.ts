/** Opening FIFOs that carry the messages of a queue. */
import { native } from '../binding.js'
import { type How, openOrMake } from '../how.js'
import { checkInteger, checkKeys, checkMode, checkObject } from '../options.js'
import { pipeError } from './failure.js'
import { checkOwner, checkPath, type OwnerOption } from './path.js'

/** Options of opening a FIFO as a queue. */
export interface OpenOptions extends OwnerOption {}

/** Options of making a FIFO as a queue. What the kernel granted is in `stat()`. */
export interface CreateOptions extends OpenOptions {
  /**
   * Bytes that the pipe holds, 1 to 2^31 - 1, rounded up by the kernel to a power of two of pages; default 65,536, at
   * most fs.pipe-max-size, 1 MiB unless raised. Every message takes 12 to 19 bytes beside its own. The size belongs to
   * the open pipe and not to the name: it is granted when the FIFO is made, or was open nowhere, and is gone with the
   * last who has it open.
   */
  maxBytes?: number
  /** The pipe is made large enough for a message of so many bytes, 1 to 2^31 - 21. */
  maxMessageBytes?: number
  /** Permission bits, 0 to 0o777, default 0o600. Exact: the umask is not applied. All who use it read and write. */
  mode?: number
}

const maxSize = 2 ** 31 - 1
/** What a record takes beside its message, at most. */
const overhead = 20

/** Opens the FIFO and returns its handle. */
export function openFifoQueue(name: string, how: How, options: CreateOptions = {}): number {
  const path = checkPath(name)
  checkObject('options', options)
  checkKeys('options', options, how === 'open' ? ['owner'] : ['owner', 'maxBytes', 'maxMessageBytes', 'mode'])
  const owner = checkOwner(options.owner)
  const { maxBytes = 0, maxMessageBytes = 0 } = options
  if (options.maxBytes !== undefined) checkInteger('maxBytes', maxBytes, 1, maxSize)
  if (options.maxMessageBytes !== undefined) {
    checkInteger('maxMessageBytes', maxMessageBytes, 1, maxSize - overhead)
  }
  const capacity = Math.max(maxBytes, maxMessageBytes === 0 ? 0 : maxMessageBytes + overhead)
  const mode = options.mode === undefined ? 0o600 : checkMode(options.mode)

  const open = () => attempt('open', path, () => native.fifoQueueOpen(path, owner, capacity))
  const make = () => attempt('create', path, () => native.fifoQueueMake(path, mode, capacity))
  return openOrMake(how, open, make)
}

function attempt(action: string, path: string, call: () => number): number {
  try {
    return call()
  } catch (error) {
    throw pipeError(error, action, `fifo:${path}`)
  }
}
