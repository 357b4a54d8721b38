/** A message that is worked on: the queue keeps it until it is settled, and gives it to another when its holder dies. */
import { native } from '../binding.js'
import type { IpcError } from '../errors.js'
import { checkKeys, checkObject, checkTimeout } from '../options.js'
import { ring, ringError } from '../shared/failure.js'

/** Options of {@link Lease.nack}. */
export interface NackOptions {
  /** How long nobody gets it, milliseconds, 0 to 2,147,483,647, default 0. */
  delayMs?: number | undefined
}

/** Where a delivery belongs. */
export interface LeaseOrigin {
  readonly handle: number
  readonly address: string
  /** Throws when the handle was closed, which gave the message back. */
  checkOpen(): void
}

/** What {@link settle} does, as the addon numbers it. */
const acknowledge = 0
const giveBack = 1
const giveUp = 2
const prolong = 3

/**
 * One delivery of one message. Settle it once: {@link ack} when the work is done, {@link nack} to have it delivered
 * again, {@link reject} to give it up. When its holder dies, closes the queue or lets the lease run out, it is delivered
 * again, and this delivery is over: settling it then fails with `ERR_IPC_STALE` and changes nothing.
 *
 * @example
 * ```ts
 * using lease = await jobs.lease({ leaseMs: 30_000 })
 * await work(lease.value)
 * lease.ack() // without this, the end of the block gives it back
 * ```
 */
export class Lease<T> {
  readonly value: T
  readonly priority: number
  /** 1 the first time. */
  readonly deliveryCount: number
  /** It was delivered before, and perhaps worked on. */
  readonly redelivered: boolean
  readonly #origin: LeaseOrigin
  /** The addon's number of the delivery; undefined when it is settled. */
  #delivery: number | undefined

  /** @internal */
  constructor(
    value: T,
    facts: { priority: number; deliveryCount: number },
    delivery: number,
    origin: LeaseOrigin,
  ) {
    this.value = value
    this.priority = facts.priority
    this.deliveryCount = facts.deliveryCount
    this.redelivered = facts.deliveryCount > 1
    this.#delivery = delivery
    this.#origin = origin
  }

  /** It was settled here, or found to be over. */
  get settled(): boolean {
    return this.#delivery === undefined
  }

  /**
   * The work is done: the message leaves the queue.
   *
   * @throws `IpcError` with `ERR_IPC_STALE` when this delivery is over; {@link ClosedError} when the queue's handle is.
   */
  ack(): void {
    this.#settle(acknowledge, 0, 'acknowledge a message of')
  }

  /** Gives the message back: it is delivered again at its old place. Throws as {@link ack} does. */
  nack(options: NackOptions = {}): void {
    checkKeys('options', checkObject('options', options), ['delayMs'])
    const { delayMs = 0 } = options
    this.#settle(giveBack, checkTimeout(delayMs, 'delayMs'), 'give back a message of')
  }

  /** Gives the message up: it becomes a dead letter, where the queue keeps those. Throws as {@link ack} does. */
  reject(): void {
    this.#settle(giveUp, 0, 'reject a message of')
  }

  /**
   * The lease ends so many milliseconds from now (0 to 2,147,483,647); 0: it has no end. Throws as {@link ack} does.
   */
  extend(leaseMs: number): void {
    this.#change(prolong, checkTimeout(leaseMs, 'leaseMs'), 'extend the lease of a message of')
  }

  /** Gives the message back unless it was settled. */
  [Symbol.dispose](): void {
    if (this.#delivery === undefined) return
    try {
      this.nack()
    } catch {
      // It is over, or the queue is: then it has been given back already.
    }
  }

  #settle(what: number, time: number, action: string): void {
    this.#change(what, time, action)
    this.#forget()
  }

  #change(what: number, time: number, action: string): void {
    const { handle, address } = this.#origin
    this.#origin.checkOpen()
    const result =
      this.#delivery === undefined ? ring.stale : native.ringSettle(handle, this.#delivery, what, time)
    if (result >= 0) return
    if (result === ring.stale) this.#forget()
    throw this.#error(result, action, address)
  }

  #forget(): void {
    if (this.#delivery !== undefined) native.ringDrop(this.#origin.handle, this.#delivery)
    this.#delivery = undefined
  }

  #error(errno: number, action: string, resource: string): IpcError {
    return ringError({ errno, syscall: 'ipckit_queue_ack', action, resource })
  }
}

/** Gives up a delivery whose message nobody can read. */
export function rejectDelivery(handle: number, delivery: number): void {
  native.ringSettle(handle, delivery, giveUp, 0)
  native.ringDrop(handle, delivery)
}
