/**
 * The JavaScript half of the wait engine: names each question that is asked of the waiting threads with a
 * token, and calls back when its event comes. One per environment; starts nothing until somebody waits.
 */
import { native } from '../binding.js'
import { systemError } from '../errors.js'
import { joinLabel } from './label.js'

/** `result` depends on the question: poll events, 0, or a negative errno; `label` is a type that was taken. */
export type Answer = (result: number, label: number) => void

const room = 256
const events = new Int32Array(room * 4)
const questions = new Map<number, Answer>()
let lastToken = 0
let started = false
let holders = 0

export function newToken(): number {
  lastToken = lastToken === 0x7fffffff ? 1 : lastToken + 1
  return lastToken
}

/** From now on `answer` is called for every event of the token, until {@link forget}. */
export function expect(token: number, answer: Answer): void {
  if (!started) {
    native.startWaits(onEvents, events)
    started = true
  }
  questions.set(token, answer)
}

export function forget(token: number): void {
  questions.delete(token)
}

/** Keeps the process alive until {@link letGo} has been called as often. */
export function hold(): void {
  if (!started) {
    native.startWaits(onEvents, events)
    started = true
  }
  if (holders++ === 0) native.keepAlive(1)
}

export function letGo(): void {
  if (--holders === 0) native.keepAlive(0)
}

let watching = false
let listeners = 0

/**
 * Whether signals are heeded already. A call that may block asks before it tries, so that a Ctrl-C that comes
 * while a loop works off what lies in the queue ends the call that blocks after it.
 */
export function heeding(): boolean {
  return watching
}

/**
 * Called before this thread may block. Ctrl-C then ends the call that blocks, or the next one: JavaScript that
 * never returns to the event loop hears of no signal otherwise.
 */
export function heedSignals(): void {
  const now = process.listenerCount('SIGINT') * 2 ** 16 + process.listenerCount('SIGTERM')
  if (watching && now === listeners) return
  listeners = now
  native.watchTermination(1)
  if (watching) return
  watching = true
  setImmediate(() => {
    // The loop has turned: listeners have been told.
    watching = false
    native.watchTermination(0)
  })
}

/** Blocks the thread until some answer has come, at most so long. Ctrl-C ends it with an error. */
export function waitForAnswers(resource: string, action: string, milliseconds: number): void {
  const count = native.waitForEvents(milliseconds)
  if (count < 0) {
    const advice = 'a signal that this process handles came while the thread was blocked'
    throw systemError({ errno: count, syscall: 'futex', resource, action, advice })
  }
  onEvents(count)
}

function onEvents(count: number): void {
  // An answer may run user code that blocks, and then the next events are laid where these lie.
  const came = events.slice(0, count * 4)
  for (let at = 0; at < came.length; at += 4) {
    const answer = questions.get(came[at] as number)
    if (answer === undefined) continue
    native.heardCall(came[at] as number)
    try {
      answer(came[at + 1] as number, joinLabel(came[at + 2] as number, came[at + 3] as number))
    } catch (error) {
      // A failure of one waiter must not keep the others from hearing; it surfaces as any uncaught error.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}
