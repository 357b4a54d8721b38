/** Those who wait until every message of a queue has been settled. */
import type { WaitOptions } from '../options.js'
import { hold, letGo } from '../wait/engine.js'
import { checkWait, Pending } from '../wait/pending.js'
import type { ShmTransport } from './transport.js'

export class JoinLine {
  readonly #transport: ShmTransport
  readonly #line = new Set<Pending<void>>()
  #keepsAlive = true
  #holding = false

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
      this.#keepsAlive,
      (ending, reason) => this.#end(ending, reason),
    )
    this.#line.add(pending)
    this.#hold()
    if (this.#line.size === 1) this.#ask()
    return pending.promise
  }

  ref(): void {
    this.#keepsAlive = true
    for (const pending of this.#line) pending.ref()
    this.#hold()
  }

  unref(): void {
    this.#keepsAlive = false
    for (const pending of this.#line) pending.unref()
    this.#hold()
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
        this.#hold()
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
    this.#hold()
  }

  #hold(): void {
    const wanted = this.#keepsAlive && this.#line.size > 0
    if (wanted === this.#holding) return
    this.#holding = wanted
    if (wanted) hold()
    else letGo()
  }
}
