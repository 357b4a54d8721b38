/** The limits of System V message queues, and how much of them is used: msgctl(2). */
import { native } from '../binding.js'

export interface SysvQueueLimits {
  /** Largest message, bytes: kernel.msgmax. */
  readonly messageBytes: number
  /** Size of a new queue, bytes: kernel.msgmnb. */
  readonly queueBytes: number
  /** Queues in this namespace: kernel.msgmni. */
  readonly queues: number
}

export interface SysvQueueUsage {
  /** Queues of all users in this namespace. */
  readonly queues: number
  /** Messages in all of them. */
  readonly messages: number
  /** Bytes of all messages. */
  readonly bytes: number
}

function read(): number[] {
  const out = new Float64Array(6)
  native.msgLimits(out)
  return Array.from(out)
}

/**
 * Reads the limits of System V message queues of this IPC namespace: IPC_INFO.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/msgctl.2.html | msgctl(2)}
 * @example
 * ```ts
 * import { limits } from 'ipckit/sysv'
 * console.log(`a message has at most ${limits().messageBytes} bytes`)
 * ```
 */
export function limits(): SysvQueueLimits {
  const [messageBytes = 0, queueBytes = 0, queues = 0] = read()
  return { messageBytes, queueBytes, queues }
}

/**
 * Reads what all System V message queues of this IPC namespace hold: MSG_INFO.
 *
 * @example
 * ```ts
 * import { usage } from 'ipckit/sysv'
 * console.log(`${usage().messages} messages wait`)
 * ```
 */
export function usage(): SysvQueueUsage {
  const [, , , queues = 0, messages = 0, bytes = 0] = read()
  return { queues, messages, bytes }
}
