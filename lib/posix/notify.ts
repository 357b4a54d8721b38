/**
 * mq_notify(3) as a promise: one notice when a message arrives in an empty queue.
 */
import { native } from '../binding.js'
import { closedError, errnoOf, type SystemFailure, systemError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import { expect, forget, hold, letGo, newToken } from '../wait/engine.js'
import { checkWait, Pending } from '../wait/pending.js'

/** The requests of one handle: at most one, as the kernel has it, for a whole queue. */
export class Notification {
  readonly #address: string
  readonly #handle: number
  #pending: Pending<void> | undefined
  #token = 0

  constructor(address: string, handle: number) {
    this.#address = address
    this.#handle = handle
  }

  request(options: WaitOptions | undefined): Promise<void> {
    checkWait(options)
    const token = newToken()
    try {
      native.mqNotify(this.#handle, token)
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      const advice =
        errno === -errnoOf.EBUSY
          ? 'someone has asked for the next notice of this queue already, and the kernel keeps one request a queue; poll with receive() instead, or try again after the next message'
          : undefined
      throw systemError({ errno, syscall, resource: this.#address, action: 'be notified of', advice })
    }
    const pending = new Pending<void>(this.#address, 'be notified of', options, true, (_, reason) => {
      this.#end(1)
      pending.reject(reason)
    })
    this.#token = token
    this.#pending = pending
    hold()
    expect(token, () => {
      this.#end(0)
      pending.resolve(undefined)
    })
    return pending.promise
  }

  close(): void {
    const pending = this.#pending
    if (pending === undefined) return
    this.#end(1)
    pending.reject(closedError(this.#address))
  }

  #end(cancel: 0 | 1): void {
    native.mqEndNotify(this.#handle, this.#token, cancel)
    forget(this.#token)
    letGo()
    this.#pending = undefined
  }
}
