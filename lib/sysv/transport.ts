/**
 * System V message queues as a transport. They have no descriptor: waiting is a blocked system call on a
 * thread, at most one for each selector that somebody waits with, and one for a sender. A waiting receiver is
 * a zero-sized msgrcv(2), which leaves the message in the queue.
 */
import { native } from '../binding.js'
import { errnoOf, IpcError, type SystemFailure, unsupported } from '../errors.js'
import { checkInteger } from '../options.js'
import type {
  Capabilities,
  GetSelector,
  MessageFacts,
  Outgoing,
  OutgoingBatch,
  PutLabel,
  QueueStat,
  Selector,
  Transport,
  TransportListener,
} from '../queue/transport.js'
import { failureOf } from '../wait/asking.js'
import { expect, forget, newToken } from '../wait/engine.js'
import { closeWhenForgotten, wasClosed } from '../wait/forgotten.js'
import { inbox } from '../wait/inbox.js'
import { lengthAt } from '../wait/outbox.js'
import { anyMessage, keyOf } from '../wait/selector.js'
import { type QueueFailure, queueError, tooLargeError } from './failure.js'
import { limits } from './limits.js'
import { checkType, matches, selectorOf } from './selection.js'

/** What IPC_STAT tells, read from the kernel each time. */
export interface SysvQueueStat extends QueueStat {
  readonly id: number
  /** 0 for a private queue. */
  readonly key: number
  readonly bytes: number
  readonly maxBytes: number
  readonly uid: number
  readonly gid: number
  /** Who made it. */
  readonly creatorUid: number
  readonly creatorGid: number
  readonly mode: number
  readonly lastSender: number
  readonly lastReceiver: number
  /** Undefined when nothing was sent yet. */
  readonly lastSendTime: Date | undefined
  /** Undefined when nothing was received yet. */
  readonly lastReceiveTime: Date | undefined
  /** When it was made, or its owner, mode or size changed last. */
  readonly lastChangeTime: Date
}

/** MSG_EXCEPT and MSG_NOERROR of msgrcv(2). */
const exceptFlag = 0o20000
const noErrorFlag = 0o10000

/** What the addon takes for: no limit but the inbox. */
const anySize = -1
/** The type in front of each message in the inbox. */
const headerBytes = 8

/** A queue with priorities gives a message of priority p the type 32768 - p: the lowest type goes first. */
const priorityBase = 32_768
const maxPriority = 32_767
/** The lowest type of all, to the kernel -LONG_MAX: C programs may send types that no number here holds exactly. */
const highestPriorityFirst: Selector = { type: -(2 ** 63), except: false }

/** How often a message that was taken is offered to a queue that has no room for it: a rare state, left alone. */
const putBackEveryMs = 20

interface Question {
  readonly selector: Selector
  /** Taken back, while the thread has not heard of it yet. */
  cancelled: boolean
  /** Asked again since. */
  again: boolean
}

/** A message without text that a waiting thread could not leave in the queue. */
interface Taken {
  readonly type: number
}

export class SysvTransport implements Transport {
  readonly address: string
  readonly capabilities: Capabilities
  readonly #handle: number
  readonly #priorities: boolean
  #listener!: TransportListener
  #queueBytes: number
  /** kernel.msgmax as it was read last; others may change it. */
  #messageBytes = limits().messageBytes
  /** By selector type and kind; the token is the thread's. */
  readonly #questions = new Map<string, { token: number } & Question>()
  #sendToken: number | undefined
  #taken: Taken[] = []
  #puttingBack = false
  #closed = false
  #detached = false

  constructor(address: string, handle: number, priorities = false) {
    this.address = address
    this.#handle = handle
    this.#priorities = priorities
    this.capabilities = {
      priorities,
      types: !priorities,
      blocking: true,
      peek: true,
    }
    closeWhenForgotten(this, () => native.msgDetach(handle))
    this.#queueBytes = this.#readQueueBytes()
  }

  get maxMessageBytes(): number {
    return Math.min(this.#messageBytes, this.#queueBytes)
  }

  label(options: PutLabel | undefined): number {
    if (this.#priorities) {
      if (options?.type !== undefined) {
        throw unsupported(
          this.address,
          '`type`',
          'the queue was opened with `priorities`, which are made of types',
        )
      }
      if (options?.priority === undefined) return priorityBase
      return priorityBase - checkInteger('priority', options.priority, 0, maxPriority)
    }
    if (options?.priority !== undefined) {
      throw unsupported(this.address, '`priority`', 'open the queue with { priorities: true }, or use `type`')
    }
    return options?.type === undefined ? 1 : checkType(options.type)
  }

  selector(options: GetSelector | undefined): Selector {
    if (options === undefined) return this.#priorities ? highestPriorityFirst : anyMessage
    const { type, maxType: upTo, except } = options
    if (!this.#priorities) return selectorOf({ type, maxType: upTo, except })
    if (type === undefined && upTo === undefined && except === undefined) return highestPriorityFirst
    throw unsupported(
      this.address,
      'selecting by type',
      'the queue was opened with `priorities`, which are made of types',
    )
  }

  facts(label: number): MessageFacts {
    return this.#priorities ? { type: label, priority: Math.max(0, priorityBase - label) } : { type: label }
  }

  send(message: Outgoing): boolean {
    const result = native.msgSend(this.#handle, message.bytes, message.length, message.label)
    if (result === 0) return true
    if (result !== -errnoOf.EAGAIN) throw this.#error(result, 'msgsnd', 'send to', message.length)
    this.#checkFits(message.length)
    return false
  }

  sendMany(batch: OutgoingBatch, from: number): number {
    const result = native.msgSendMany(this.#handle, batch.bytes, batch.index, from, batch.count - from)
    if (result >= 0) return result
    const length = lengthAt(batch, from)
    if (result !== -errnoOf.EAGAIN) throw this.#error(result, 'msgsnd', 'send to', length)
    this.#checkFits(length)
    return 0
  }

  receive(selector: Selector, max: number): number {
    if (this.#taken.length > 0 && this.#layTaken(selector)) return 1
    const { type, except, maxBytes = anySize, truncate = false } = selector
    const flags = (except ? exceptFlag : 0) | (truncate ? noErrorFlag : 0)
    let box = inbox()
    for (;;) {
      const result = native.msgReceive(this.#handle, type, flags, max, maxBytes)
      if (result >= 0) return result
      if (result === -errnoOf.ENOMSG) return 0
      const isLimit = maxBytes !== anySize && maxBytes <= box.bytes.length - headerBytes
      if (result !== -errnoOf.E2BIG || isLimit) throw this.#error(result, 'msgrcv', 'receive from', maxBytes)
      // Longer than the inbox: it stays in the queue until the inbox has grown.
      box = inbox(box.bytes.length * 2)
    }
  }

  peek(position: number): boolean {
    if (!this.#priorities) return this.#copy(position)
    const at = this.#placeInLine(position)
    return at !== undefined && this.#copy(at)
  }

  /** The kernel counts by age alone: the message that is to be received at this position. */
  #placeInLine(position: number): number | undefined {
    const line: Array<{ type: number; at: number }> = []
    for (let at = 0; this.#copy(at); at++) line.push({ type: inbox().label(0), at })
    return line.sort((one, other) => one.type - other.type)[position]?.at
  }

  #copy(position: number): boolean {
    let box = inbox()
    for (;;) {
      const result = native.msgPeek(this.#handle, position)
      if (result >= 0) return true
      if (result === -errnoOf.ENOMSG) return false
      if (result === -errnoOf.ENOSYS) {
        throw unsupported(this.address, 'peeking', 'this kernel was built without CONFIG_CHECKPOINT_RESTORE')
      }
      if (result !== -errnoOf.E2BIG) throw this.#error(result, 'msgrcv', 'peek into')
      box = inbox(box.bytes.length * 2)
    }
  }

  blockToSend(message: Outgoing, milliseconds: number): boolean {
    this.#refuseIfTooLarge(message.length)
    const { bytes, length, label } = message
    const result = native.msgSendWait(this.#handle, bytes, length, label, milliseconds)
    if (result < 0) throw this.#error(result, 'msgsnd', 'send to', length)
    return result === 1
  }

  blockToReceive(selector: Selector, milliseconds: number): void {
    const flags = selector.except ? exceptFlag : 0
    const result = native.msgWait(this.#handle, selector.type, flags, milliseconds)
    if (result < 0) throw this.#error(result, 'msgrcv', 'receive from')
    if (result === 2) this.#taken.push({ type: inbox().label(0) })
  }

  listen(listener: TransportListener): void {
    this.#listener = listener
  }

  askToSend(message: Outgoing): void {
    this.#refuseIfTooLarge(message.length)
    const token = newToken()
    this.#begin('msgsnd', 'send to', () =>
      native.msgSendCall(this.#handle, token, message.bytes, message.length, message.label),
    )
    this.#sendToken = token
    expect(token, (result) => {
      forget(token)
      this.#sendToken = undefined
      if (result === 0 || result === -errnoOf.ECANCELED) this.#listener.room(result === 0)
      else this.#listener.room(false, this.#error(result, 'msgsnd', 'send to', message.length))
    })
  }

  forgetToSend(): boolean {
    if (this.#sendToken === undefined) return true
    native.cancelCall(this.#sendToken)
    return false
  }

  askToReceive(selector: Selector): void {
    const key = keyOf(selector)
    const standing = this.#questions.get(key)
    if (standing !== undefined) {
      standing.again = true
      return
    }
    const question = { token: newToken(), selector, cancelled: false, again: false }
    this.#begin('msgrcv', 'receive from', () =>
      native.msgCall(this.#handle, question.token, selector.type, selector.except ? exceptFlag : 0),
    )
    this.#questions.set(key, question)
    expect(question.token, (result, type) => {
      forget(question.token)
      this.#questions.delete(key)
      this.#onAnswer(question, result, type)
    })
  }

  forgetToReceive(selector: Selector): void {
    const question = this.#questions.get(keyOf(selector))
    if (question === undefined) return
    question.again = false
    if (question.cancelled) return
    question.cancelled = true
    native.cancelCall(question.token)
  }

  stat(): SysvQueueStat {
    this.#readMessageBytes()
    const out = new Float64Array(15)
    this.#status(out)
    const [
      id,
      key,
      depth,
      bytes,
      maxBytes,
      uid,
      gid,
      creatorUid,
      creatorGid,
      mode,
      lastSender,
      lastReceiver,
      sent,
      received,
      changed,
    ] = out as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    this.#queueBytes = maxBytes
    return {
      address: this.address,
      id,
      key,
      depth,
      bytes,
      maxBytes,
      maxMessageBytes: this.maxMessageBytes,
      uid,
      gid,
      creatorUid,
      creatorGid,
      mode,
      lastSender,
      lastReceiver,
      lastSendTime: dateOf(sent),
      lastReceiveTime: dateOf(received),
      lastChangeTime: new Date(changed * 1000),
    }
  }

  /** IPC_SET: changes what is given. */
  set(changes: { uid?: number; gid?: number; mode?: number; maxBytes?: number }): void {
    const now = this.stat()
    const { uid = now.uid, gid = now.gid, mode = now.mode, maxBytes = now.maxBytes } = changes
    try {
      native.msgSet(this.#handle, uid, gid, mode, maxBytes)
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      const raising = errno === -errnoOf.EPERM && maxBytes > limits().queueBytes
      const advice = raising
        ? `${maxBytes} bytes are over the limit of ${limits().queueBytes} in /proc/sys/kernel/msgmnb, which only CAP_SYS_RESOURCE may pass; raise it, before the queue is made, with: sysctl -w kernel.msgmnb=${maxBytes}`
        : undefined
      throw this.#error(errno, syscall, 'change', undefined, advice)
    }
    this.#queueBytes = maxBytes
  }

  close(): void {
    wasClosed(this)
    this.#closed = true
    for (const question of this.#questions.values()) this.forgetToReceive(question.selector)
    this.#detachWhenQuiet()
  }

  unlink(): void {
    try {
      native.msgRemove(this.#handle)
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      const advice =
        errno === -errnoOf.EPERM ? 'only its owner, its creator and root may remove a queue' : undefined
      throw this.#error(errno, syscall, 'remove', undefined, advice)
    }
  }

  #onAnswer(question: Question, result: number, type: number): void {
    // A thread that was told to end may have been handed a message without text in that moment.
    if (result === 0) this.#taken.push({ type })
    if (this.#closed) {
      this.#detachWhenQuiet()
      return
    }
    const failed = result !== 0 && result !== -errnoOf.E2BIG && result !== -errnoOf.ECANCELED
    if (failed) this.#listener.arrival(question.selector, this.#error(result, 'msgrcv', 'receive from'))
    else if (!question.cancelled || question.again || result === 0) this.#listener.arrival(question.selector)
    // A get that follows at once still finds it; after that it is for everyone again.
    if (this.#taken.length > 0) setImmediate(this.#settle)
  }

  #layTaken(selector: Selector): boolean {
    const at = this.#taken.findIndex(({ type }) => matches(selector, type))
    if (at < 0) return false
    const [taken] = this.#taken.splice(at, 1)
    inbox().lay(0, 0, new Uint8Array(0), (taken as Taken).type)
    return true
  }

  readonly #settle = (): void => {
    if (this.#closed) this.#detachWhenQuiet()
    else this.#putBackTaken()
  }

  /** What was taken comes behind the others then; the kernel has no way to put it in front. */
  #putBackTaken(): void {
    let full = false
    this.#taken = this.#taken.filter(({ type }) => {
      const result = native.msgSend(this.#handle, new Uint8Array(0), 0, type)
      const hasNoRoom = result === -errnoOf.EAGAIN
      full ||= hasNoRoom
      // Who may only receive keeps it for the next receive; after close there is none.
      return hasNoRoom || (result !== 0 && !this.#closed)
    })
    if (!full || this.#puttingBack) return
    this.#puttingBack = true
    const again = () => {
      this.#puttingBack = false
      this.#settle()
    }
    setTimeout(again, putBackEveryMs).unref()
  }

  #detachWhenQuiet(): void {
    if (this.#detached) return
    this.#putBackTaken()
    if (this.#questions.size > 0 || this.#taken.length > 0) return
    this.#detached = true
    native.msgDetach(this.#handle)
  }

  #begin(syscall: string, action: string, call: () => void): void {
    try {
      call()
    } catch (error) {
      const why = error as SystemFailure
      throw this.#error(why.errno, why.syscall ?? syscall, action)
    }
  }

  /** The quick look, at the size that was read last. */
  #checkFits(length: number): void {
    if (length > this.#queueBytes) this.#refuseIfTooLarge(length)
  }

  /** msgsnd(2) waits for ever for room that a queue of that size can never have; others may change the size. */
  #refuseIfTooLarge(length: number): void {
    this.#queueBytes = this.#readQueueBytes()
    if (length <= this.#queueBytes) return
    this.#readMessageBytes()
    throw this.tooLarge(length)
  }

  #readMessageBytes(): void {
    this.#messageBytes = limits().messageBytes
  }

  #status(out: Float64Array): void {
    try {
      native.msgStatus(this.#handle, out)
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      throw this.#error(errno, syscall, 'read the state of')
    }
  }

  #readQueueBytes(): number {
    const out = new Float64Array(5)
    try {
      this.#status(out)
      return out[4] as number
    } catch (error) {
      // Who may not look at it may still send to it.
      if (error instanceof IpcError && error.code === 'EACCES') return Number.POSITIVE_INFINITY
      throw error
    }
  }

  tooLarge(length: number): IpcError {
    return tooLargeError(this.#failure(errnoOf.EMSGSIZE, 'msgsnd', 'send to', length), length)
  }

  #error(result: number, call: string, action: string, length?: number, advice?: string): IpcError {
    const { errno, syscall } = failureOf(result, call)
    // The kernel decides by what kernel.msgmax is now.
    if (Math.abs(errno) === errnoOf.EINVAL) this.#readMessageBytes()
    return queueError(this.#failure(errno, syscall, action, length, advice))
  }

  #failure(errno: number, syscall: string, action: string, length?: number, advice?: string): QueueFailure {
    return {
      errno,
      syscall,
      action,
      resource: this.address,
      length,
      advice,
      messageBytes: this.#messageBytes,
      queueBytes: this.#queueBytes,
      exists: () => this.#exists(),
    }
  }

  #exists(): boolean {
    try {
      native.msgStatus(this.#handle, new Float64Array(0))
      return true
    } catch (error) {
      return (error as SystemFailure).errno === -errnoOf.EACCES
    }
  }
}

function dateOf(seconds: number): Date | undefined {
  return seconds === 0 ? undefined : new Date(seconds * 1000)
}
