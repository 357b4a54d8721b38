/**
 * The contract between typed queues and what carries their messages. A transport moves bytes without ever
 * waiting, says when it is worth trying again, and knows nothing of promises, codecs or order of callers:
 * those are built once, in `wait/channel.ts`, for all transports. `test/contract/` states this contract as
 * tests, run for every implementation.
 *
 * - Messages keep their boundaries. 0 bytes is a message.
 * - `send` and `receive` never wait. A message is sent whole or not at all; it is received by one caller.
 * - Nobody holds a message while waiting: what waits may be killed at any time and nothing is lost.
 * - A queue that was removed fails with `EIDRM`: its waiters at once, sending, and receiving once it is empty. Where the
 *   kernel lets those who have it open go on, calls that need not wait may go on for a moment.
 * - Readiness is a hint: after a notice, trying may still find nothing, because another process was faster.
 */

import type { IpcError } from '../errors.js'

/** Which messages a receiver wants. */
export interface Selector {
  /** 0: any. n: of type n. -n: the lowest type up to n. The msgtyp of msgrcv(2). */
  readonly type: number
  /** Any but those of type n: the MSG_EXCEPT of msgrcv(2). */
  readonly except: boolean
  /** A longer message fails the call and stays in the queue. */
  readonly maxBytes?: number
  /** A longer message is taken, and loses its end: the MSG_NOERROR of msgrcv(2). */
  readonly truncate?: boolean
  /** The receiver holds what it takes, at most so many milliseconds (0: no limit), until it settles it. */
  readonly lease?: number
}

/** What a transport can do; the table in `docs/transports.md` is made of these. */
export interface Capabilities {
  /** `put` takes `priority`; higher ones are delivered first, equal ones in order. */
  readonly priorities: boolean
  /** Messages have a `type` that receivers select by. */
  readonly types: boolean
  /** `putSync` and `getSync` may block the thread. */
  readonly blocking: boolean
  /** Messages can be read without taking them. */
  readonly peek: boolean
}

/** One look at a queue. Fields that a transport does not know are absent. */
export interface QueueStat {
  readonly address: string
  /** Messages in the queue. */
  readonly depth: number
  /** Messages that fit, where that is what limits the queue. */
  readonly capacity?: number
  /** Bytes of all messages in the queue. */
  readonly bytes?: number
  /** Bytes that fit, where that is what limits the queue. */
  readonly maxBytes?: number
  /** The largest message, bytes. */
  readonly maxMessageBytes: number
  readonly uid?: number
  readonly gid?: number
  /** Permission bits, as in `0o600`. */
  readonly mode?: number
  /** Pid of the last sender, 0 when there was none or it is not visible from here. */
  readonly lastSender?: number
  /** Pid of the last receiver, likewise. */
  readonly lastReceiver?: number
  /** The name is gone. */
  readonly unlinked?: boolean
}

/** A message on its way out: the first `length` bytes, and its priority or type. */
export interface Outgoing {
  readonly bytes: Uint8Array
  readonly length: number
  readonly label: number
}

/** Many messages on their way out, in one piece of memory; see `wait/outbox.ts`. */
export interface OutgoingBatch {
  readonly bytes: Uint8Array
  /** Four int32 a message: offset, length, and the two halves of the label. */
  readonly index: Int32Array
  readonly count: number
}

/** Who is told that trying again is worth it. */
export interface TransportListener {
  /** There may be room. `sent`: the message that was asked for has been sent itself. */
  room(sent: boolean, error?: Error): void
  /** There may be a message for this selector. */
  arrival(selector: Selector, error?: Error): void
}

/** What `put` may say of a message; which of it a transport honours is its own affair. */
export interface PutLabel {
  priority?: number | undefined
  type?: number | undefined
}

/** What `get` may say of the messages it wants, likewise. */
export interface GetSelector {
  type?: number | undefined
  maxType?: number | undefined
  except?: number | undefined
}

/** What a transport knows of a message beside its bytes. */
export interface MessageFacts {
  readonly priority?: number
  readonly type?: number
  /** How often it was delivered, this time included, where the transport counts. */
  readonly deliveryCount?: number
  readonly redelivered?: boolean
}

export interface Transport {
  readonly address: string
  readonly capabilities: Capabilities
  /** The largest message, bytes. */
  readonly maxMessageBytes: number
  /** Many messages go to the kernel in one call, so that copying large ones together pays as well. */
  readonly sendsTogether?: boolean

  /** The label of a message that is put so; refuses with `ERR_IPC_UNSUPPORTED` what it cannot do. */
  label(options: PutLabel | undefined): number
  /** The selector of a receiver that asks so; refuses likewise. */
  selector(options: GetSelector | undefined): Selector
  /** What a label says. */
  facts(label: number): MessageFacts
  /** What is wrong with a message of this label, of which only a part arrived; such a one is not decoded. */
  damage?(label: number): string | undefined

  /** The error of a message of so many bytes, more than {@link maxMessageBytes}. */
  tooLarge(length: number): IpcError
  /** Sends, or returns false when there is no room. */
  send(message: Outgoing): boolean
  /** Sends messages of the batch from number `from` on, and returns how many had room. */
  sendMany(batch: OutgoingBatch, from: number): number
  /** Lays up to `max` messages into the inbox (`wait/inbox.ts`) and returns how many. */
  receive(selector: Selector, max: number): number

  /** Lays a copy of the message at a position into the inbox, from 0, the oldest; false when there is none. */
  peek?(position: number): boolean

  /**
   * Looks without a system call whether there is room for a message of `length` bytes, or a message, for a moment of at
   * most `milliseconds`: true when trying may be worth it, false when nothing came, and undefined when looking does not
   * pay at present. Transports that cannot look leave it out.
   */
  pollToSend?(length: number, milliseconds: number): boolean | undefined
  pollToReceive?(milliseconds: number): boolean | undefined

  /**
   * Blocks the thread until there may be room, at most `milliseconds`; true when the message has been sent
   * meanwhile. Ctrl-C ends it with an error.
   */
  blockToSend(message: Outgoing, milliseconds: number): boolean
  /** Blocks the thread until there may be a message, at most `milliseconds`. Ctrl-C ends it with an error. */
  blockToReceive(selector: Selector, milliseconds: number): void

  /** Sets who is told; done once, before anything is asked. */
  listen(listener: TransportListener): void
  /** Asks for one `room` notice; a transport that cannot wait for room otherwise sends the message then. */
  askToSend(message: Outgoing): void
  /** Takes the question back. False: it is too late or takes a while, and the notice will still come. */
  forgetToSend(): boolean
  /** Asks for one `arrival` notice for this selector. */
  askToReceive(selector: Selector): void
  forgetToReceive(selector: Selector): void

  stat(): QueueStat
  /** Gives up the handle. Nothing is asked any more; a notice that is still owed comes. */
  close(): void
  /** Removes the queue for everyone. */
  unlink(): void
}
