/** What handles that may wait have in common, of queues as of semaphores and locks. */

/** The waits of a handle: a channel, or a line of operations. */
interface Waits {
  readonly closed: boolean
  ref(): void
  unref(): void
}

export abstract class Handle {
  readonly #waits: Waits

  /** @internal */
  constructor(waits: Waits) {
    this.#waits = waits
  }

  get closed(): boolean {
    return this.#waits.closed
  }

  /** Waits of this handle keep the process alive; that is so unless {@link unref} was called. */
  ref(): this {
    this.#waits.ref()
    return this
  }

  /** Lets the process end although this handle waits. */
  unref(): this {
    this.#waits.unref()
    return this
  }

  /** Gives up this handle. Its waits end with a {@link ClosedError}. */
  abstract close(): Promise<void>

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
