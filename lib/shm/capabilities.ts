/** What this kernel can do for queues in shared memory. */
import { native } from '../binding.js'

/** What {@link capabilities} tells. */
export interface ShmCapabilities {
  /**
   * futex_waitv(2), since Linux 5.16: one thread waits at 127 queues. Without it, or where a sandbox hides it, every
   * queue that waits takes a thread; nothing else is different.
   */
  readonly futexWaitv: boolean
}

/**
 * Tells what this kernel, and the sandbox that the process runs in, can do for queues in shared memory.
 *
 * @see {@link https://docs.kernel.org/userspace-api/futex2.html | futex2}
 * @example
 * ```ts
 * import { capabilities } from 'ipckit/shm'
 * if (!capabilities().futexWaitv) console.log('a thread for each queue that waits')
 * ```
 */
export function capabilities(): ShmCapabilities {
  return { futexWaitv: native.ringVectors() }
}
