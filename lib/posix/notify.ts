/**
 * mq_notify(3) as a promise: one notice when a message arrives in an empty queue.
 */
import { native } from '../binding.js'
import { closedError, errnoOf, type SystemFailure, systemError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import { expect, forget, newToken } from '../wait/engine.js'
import { KeepAlive } from '../wait/keep-alive.js'
import { checkWait, Pending } from '../wait/pending.js'
import type { PosixTransport } from './transport.js'

/** The requests of one handle: at most one, as the kernel has it, for a whole queue. */
export class Notification {
  /** Held on to while somebody waits, so that the queue is not closed when it is forgotten. */
  readonly #transport: PosixTransport
  #pending: Pending<void> | undefined
  #token = 0
  readonly #alive = new KeepAlive(() => this.#pending !== undefined)

  constructor(transport: PosixTransport) {
    this.#transport = transport
  }

  request(options: WaitOptions | undefined): Promise<void> {
    checkWait(options)
    const token = this.#ask()
    const { address } = this.#transport
    const pending = new Pending<void>(address, 'be notified of', options, this.#alive.wanted, (_, reason) => {
      this.#end(1)
      pending.reject(reason)
    })
    this.#await(pending, token)
    return pending.promise
  }

  ref(): void {
    this.#alive.wanted = true
    this.#pending?.ref()
  }

  unref(): void {
    this.#alive.wanted = false
    this.#pending?.unref()
  }

  close(): void {
    const pending = this.#pending
    if (pending === undefined) return
    this.#end(1)
    pending.reject(closedError(this.#transport.address))
  }

  /** Asks the kernel: the token of its answer. */
  #ask(): number {
    const token = newToken()
    try {
      native.mqNotify(this.#transport.handle, token)
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      const advice =
        errno === -errnoOf.EBUSY
          ? 'someone has asked for the next notice of this queue already, and the kernel keeps one request a queue; poll with receive() instead, or try again after the next message'
          : undefined
      throw systemError({
        errno,
        syscall,
        resource: this.#transport.address,
        action: 'be notified of',
        advice,
      })
    }
    return token
  }

  #await(pending: Pending<void>, token: number): void {
    this.#token = token
    this.#pending = pending
    this.#alive.update()
    expect(token, () => {
      if (this.#end(0)) this.#askAgain(pending)
      else pending.resolve(undefined)
    })
  }

  /** The kernel takes a request back when this process closes any handle on the queue, not only ours. */
  #askAgain(pending: Pending<void>): void {
    try {
      this.#await(pending, this.#ask())
      // A message that came in between tells nobody any more.
      if (this.#transport.stat().depth === 0) return
      this.#end(1)
      pending.resolve(undefined)
    } catch (error) {
      if (this.#pending === pending) this.#end(1)
      pending.reject(error)
    }
  }

  /** True when the request had been taken back. */
  #end(cancel: 0 | 1): boolean {
    const takenBack = native.mqEndNotify(this.#transport.handle, this.#token, cancel)
    forget(this.#token)
    this.#pending = undefined
    this.#alive.update()
    return takenBack === true
  }
}
