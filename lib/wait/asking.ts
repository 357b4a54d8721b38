/**
 * Asking threads of the addon for calls that block, by key: at most one for each at a time.
 */
import { native } from '../binding.js'
import { errnoOf, type SystemFailure } from '../errors.js'
import { expect, forget, newToken } from './engine.js'

export class Asking {
  /** The token of the thread's call, by key. */
  readonly #tokens = new Map<string, number>()

  get quiet(): boolean {
    return this.#tokens.size === 0
  }

  /**
   * Begins a call; `answer` is called once, with 0 or a negative errno, -ECANCELED when it was ended.
   *
   * @throws What the addon throws, `{ errno, syscall }`, with the errno of a thread that cannot be made.
   */
  begin(key: string, call: (token: number) => void, answer: (result: number) => void): void {
    const token = newToken()
    // Before it begins: the engine makes its way back known on the first of these.
    expect(token, (result) => {
      forget(token)
      this.#tokens.delete(key)
      answer(result)
    })
    try {
      call(token)
    } catch (error) {
      forget(token)
      throw error
    }
    this.#tokens.set(key, token)
  }

  /** Asks to end the call; it still answers. */
  end(key: string): void {
    const token = this.#tokens.get(key)
    if (token !== undefined) native.cancelCall(token)
  }
}

/**
 * What failed, by the result of a call that blocks: the call itself, or what it takes to end one, which comes first
 * (native/sys/interrupt.h).
 */
export function failureOf(result: number, syscall: string): Pick<SystemFailure, 'errno' | 'syscall'> {
  if (result > -4096) return { errno: result, syscall }
  return result > -8192
    ? { errno: result + 4096, syscall: 'timer_create' }
    : { errno: result + 8192, syscall: 'sigaction' }
}

/** What to do about a thread that cannot be made or could not be woken, or a signal. */
export function adviseOnWaiting({
  errno,
  syscall,
}: Pick<SystemFailure, 'errno' | 'syscall'>): string | undefined {
  switch (syscall) {
    case 'pthread_create':
      return 'no thread can be made to wait; see ulimit -u and the pids limit of the container'
    case 'timer_create':
      return 'a thread that waits here takes a timer, and timers count against RLIMIT_SIGPENDING, the signals that wait for all processes of this user; raise it with: ulimit -i'
    case 'sigaction':
      return 'this process handles every real-time signal itself, and a thread that waits here is woken by a free one'
  }
  if (errno === -errnoOf.EINTR) return 'a signal that this process handles came while the thread was blocked'
  return undefined
}
