/**
 * Calls that need not wait resolve at once, and a loop of them would keep the event loop from ever turning: timers,
 * sockets and signals would not be heard for as long as the other end keeps up. So now and then one resolves a turn
 * later.
 */

/** How long such calls may follow each other. */
export const longestTurnMs = 1
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

/** A call took longer than usual: the next one looks at the clock. */
export function lookAtClock(): void {
  calls = lookEvery - 1
}

/** Whether one more call may resolve at once; otherwise its caller lets the loop turn first. */
export function mayGoOn(): boolean {
  if (++calls < lookEvery) return true
  calls = 0
  const now = performance.now()
  if (since !== undefined) return now - since < longestTurnMs
  since = now
  setImmediate(() => {
    since = undefined
  })
  return true
}
