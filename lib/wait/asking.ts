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

/** What to do about a thread that cannot be made, or a signal. */
export function adviseOnWaiting({
  errno,
  syscall,
}: Pick<SystemFailure, 'errno' | 'syscall'>): string | undefined {
  if (syscall === 'pthread_create' || syscall === 'timer_create') {
    return 'no thread can be made to wait; see ulimit -u and the pids limit of the container'
  }
  if (errno === -errnoOf.EINTR) return 'a signal that this process handles came while the thread was blocked'
  return undefined
}
