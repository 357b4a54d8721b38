/** How long a call that blocks the thread blocks next. */
import { timeoutError } from '../errors.js'
import { checkTimeout, type SyncWaitOptions } from '../options.js'

/**
 * A blocked thread looks up this often, so that `worker.terminate()` can end it. It does so in a loop that calls
 * JavaScript functions: V8 ends threads there and nowhere else.
 */
const sliceMs = 50

export function checkSyncWait(options: SyncWaitOptions | undefined): void {
  if (options?.timeoutMs !== undefined) checkTimeout(options.timeoutMs)
}

/** Says how long to block next, and throws when the time is up. */
export function countdown(
  resource: string,
  action: string,
  options: SyncWaitOptions | undefined,
): () => number {
  const timeoutMs = options?.timeoutMs
  if (timeoutMs === undefined) return () => sliceMs
  const end = performance.now() + timeoutMs
  return () => {
    const left = end - performance.now()
    if (left <= 0) throw timeoutError(resource, action, timeoutMs)
    return Math.min(sliceMs, left)
  }
}
