/**
 * What a semaphore gave: it is given back once, however often it is released.
 */

/**
 * A permit of a semaphore, given back by {@link release} or at the end of a `using` block. It may be given back
 * after the semaphore was closed, too.
 *
 * A permit that is dropped without being released stays taken.
 *
 * @example
 * ```ts
 * {
 *   using permit = await semaphore.acquire()
 *   await work()
 * } // released here, also when work() throws
 * ```
 */
export class Permit {
  #giveBack: (() => void) | undefined

  /** @internal */
  constructor(giveBack: () => void) {
    this.#giveBack = giveBack
  }

  /** Whether it was given back. */
  get released(): boolean {
    return this.#giveBack === undefined
  }

  /**
   * Gives it back. Releasing twice is silent.
   *
   * @throws {@link RemovedError} when the semaphore was removed meanwhile; `IpcError` with `EOVERFLOW` or `ERANGE`
   *   when others have given so much that its value can grow no more.
   */
  release(): void {
    const giveBack = this.#giveBack
    this.#giveBack = undefined
    giveBack?.()
  }

  [Symbol.dispose](): void {
    this.release()
  }
}
