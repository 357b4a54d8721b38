/** Those who wait until every message of a queue has been settled. */
import type { WaitOptions } from '../options.js'
import { KeepAlive } from '../wait/keep-alive.js'
import { checkWait, Pending } from '../wait/pending.js'
import type { ShmTransport } from './transport.js'

export class JoinLine {
  readonly #transport: ShmTransport
  readonly #line = new Set<Pending<void>>()
  readonly #alive = new KeepAlive(() => this.#line.size > 0)

  constructor(transport: ShmTransport) {
    this.#transport = transport
  }

  async join(options: WaitOptions | undefined): Promise<void> {
    checkWait(options)
    if (this.#transport.isJoined()) return
    const pending = new Pending<void>(
      this.#transport.address,
      'join',
      options,
      this.#alive.wanted,
      (ending, reason) => this.#end(ending, reason),
    )
    this.#line.add(pending)
    this.#alive.update()
    if (this.#line.size === 1) this.#ask()
    return pending.promise
  }

  ref(): void {
    this.#alive.wanted = true
    for (const pending of this.#line) pending.ref()
  }

  unref(): void {
    this.#alive.wanted = false
    for (const pending of this.#line) pending.unref()
  }

  close(reason: () => Error): void {
    for (const pending of [...this.#line]) this.#end(pending, reason())
  }

  #ask(): void {
    try {
      this.#transport.askToJoin(() => this.#look())
    } catch (error) {
      this.close(() => error as Error)
    }
  }

  #look(): void {
    try {
      if (this.#transport.isJoined()) {
        for (const pending of this.#line) pending.resolve()
        this.#line.clear()
        this.#alive.update()
      } else if (this.#line.size > 0) {
        this.#ask()
      }
    } catch (error) {
      this.close(() => error as Error)
    }
  }

  #end(pending: Pending<void>, reason: unknown): void {
    if (!this.#line.delete(pending)) return
    pending.reject(reason)
    if (this.#line.size === 0) this.#transport.forgetToJoin()
    this.#alive.update()
  }
}
