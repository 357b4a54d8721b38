/**
 * Calls that need not wait resolve at once, and a loop of them would keep the event loop from ever turning: timers,
 * sockets and signals would not be heard for as long as the other end keeps up. So now and then one resolves a turn
 * later.
 */

/** How long such calls may follow each other. */
const longestMs = 1
/** How many go by between looks at the clock. */
const lookEvery = 16

let calls = 0
/** When the first of them was made since the loop has turned. */
let since: number | undefined

const done = Promise.resolve()

/** The promise of a result that is there already. */
export function atOnce<R>(result: R): Promise<R> {
  return mayGoOn() ? Promise.resolve(result) : new Promise((resolve) => setImmediate(resolve, result))
}

/** The same for a call without a result. */
export function doneAtOnce(): Promise<void> {
  return mayGoOn() ? done : new Promise((resolve) => setImmediate(resolve))
}

/** Whether one more call may resolve at once; otherwise its caller lets the loop turn first. */
export function mayGoOn(): boolean {
  if (++calls % lookEvery !== 0) return true
  const now = performance.now()
  if (since !== undefined) return now - since < longestMs
  since = now
  setImmediate(() => {
    since = undefined
  })
  return true
}
