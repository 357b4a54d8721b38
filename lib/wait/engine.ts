/**
 * The JavaScript half of the wait engine: names each question that is asked of the waiting threads with a
 * token, and calls back when its event comes. One per environment; starts nothing until somebody waits.
 */
import { native } from '../binding.js'
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

function onEvents(count: number): void {
  for (let at = 0; at < count * 4; at += 4) {
    const answer = questions.get(events[at] as number)
    if (answer === undefined) continue
    try {
      answer(events[at + 1] as number, joinLabel(events[at + 2] as number, events[at + 3] as number))
    } catch (error) {
      // A failure of one waiter must not keep the others from hearing; it surfaces as any uncaught error.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}
