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

/** What the loop turns for, and what has come since: nobody overtakes. */
let held: Array<() => void> = []

function letGo(): void {
  const settlers = held
  held = []
  for (const settle of settlers) settle()
}

function holdBack(settle: () => void): void {
  if (held.push(settle) === 1) setImmediate(letGo)
}

/** Settles a promise now, or after those that were held back for a turn of the loop. */
export function inTurn(settle: () => void): void {
  if (held.length === 0) settle()
  else held.push(settle)
}

/** The promise of a result that is there already. */
export function atOnce<R>(result: R): Promise<R> {
  if (held.length === 0 && mayGoOn()) return Promise.resolve(result)
  return new Promise((resolve) => holdBack(() => resolve(result)))
}

/** The same for a call without a result. */
export function doneAtOnce(): Promise<void> {
  return held.length === 0 && mayGoOn() ? done : new Promise(holdBack)
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
