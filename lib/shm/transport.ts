/**
 * Queues in shared memory as a transport. What takes a message, and when it may be taken again, is decided by the C
 * library (`native/ring`); waiting is sleeping at its words, which one thread does for all queues of the environment.
 */
import { native } from '../binding.js'
import { errnoOf, type IpcError, type SystemFailure, unsupported } from '../errors.js'
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
import { ringError } from '../shared/failure.js'
import { expect, forget, newToken } from '../wait/engine.js'
import { closeWhenForgotten, wasClosed } from '../wait/forgotten.js'
import { inbox } from '../wait/inbox.js'
import { lengthAt } from '../wait/outbox.js'
import { anyMessage } from '../wait/selector.js'
import { flags, unlink } from './open.js'

/** IPCKIT_WAIT_* of the C header. */
const items = 1
const space = 2
const tasks = 4

/** IPCKIT_ROLE_* of the C header. */
const producerRole = 1
const consumerRole = 2

/** The function of the C library that puts. */
const put = 'ipckit_queue_put'

const states = ['unknown', 'open', 'draining', 'stopped', 'corrupt'] as const

/** One look at a queue in shared memory. */
export interface ShmQueueStat extends QueueStat {
  readonly capacity: number
  /** Bytes of messages above 80 bytes, in whole blocks, that still have room. */
  readonly freeBytes: number
  readonly uid: number
  readonly mode: number
  /** What it carries: the name of the codec. Empty when it was made for any. */
  readonly type: string
  readonly state: (typeof states)[number]
  readonly joinable: boolean
  readonly priorities: number
  /** Undefined when messages are never given up. */
  readonly maxDeliveries: number | undefined
  /** Messages that wait for a delay to pass; they count as queued. */
  readonly delayed: number
  /** Messages that someone holds and has not settled. */
  readonly inFlight: number
  /** Messages that were given up and are kept. */
  readonly deadLetters: number
  /** Since the queue was made. */
  readonly totals: {
    readonly put: number
    /** Settled, given up or cleared. */
    readonly done: number
    readonly redelivered: number
    /** Leases that ran out. */
    readonly expired: number
    readonly dead: number
    /** Dead letters for which there was no room. */
    readonly dropped: number
    /** How often someone had to clear up behind a process that died inside a call. */
    readonly recoveries: number
  }
  /** Bytes of /dev/shm that it takes. */
  readonly sizeBytes: number
  readonly created: Date
  readonly maxParticipants: number
  /** Who has it open. */
  readonly participants: readonly Participant[]
}

/** Someone who has the queue open. */
export interface Participant {
  /** As its own PID namespace has it. */
  readonly pid: number
  /** What it calls itself. */
  readonly name: string
  /** It has put, or got, something. */
  readonly producer: boolean
  readonly consumer: boolean
  /** Deliveries that it holds. */
  readonly leases: number
  readonly since: Date
  /** False for one that died and was not cleared up behind yet. */
  readonly alive: boolean
  /** It is the handle that asks. */
  readonly self: boolean
}

/** What a label says: priority | delivery count << 8 | number of the delivery << 32. */
const priorityOf = (label: number) => label % 256
const deliveriesOf = (label: number) => Math.floor((label % 2 ** 32) / 256)
export const deliveryOf = (label: number): number => Math.floor(label / 2 ** 32)

export class ShmTransport implements Transport {
  readonly address: string
  readonly capabilities: Capabilities = { priorities: true, types: false, blocking: true, peek: true }
  readonly maxMessageBytes: number
  readonly #name: string
  readonly #handle: number
  readonly #priorities: number
  readonly #tokens = Int32Array.of(newToken(), newToken(), newToken())
  #listener!: TransportListener
  /** Those who wait to receive, by {@link Selector.lease}. */
  readonly #askedToReceive = new Set<Selector>()
  #waitingForItems = false
  #whenJoined: ((error?: Error) => void) | undefined

  constructor(name: string, handle: number) {
    this.#name = name
    this.#handle = handle
    this.address = `shm:${name}`
    const tokens = this.#tokens
    closeWhenForgotten(this, () => native.ringClose(handle, tokens))
    const { out } = this.#status()
    this.maxMessageBytes = out[14] as number
    this.#priorities = out[18] as number
  }

  /** For calls that only these queues have. */
  get handle(): number {
    return this.#handle
  }

  label(options: PutLabel | undefined): number {
    if (options === undefined) return 0
    if (options.type !== undefined) throw this.#noTypes('`type`')
    return options.priority === undefined
      ? 0
      : checkInteger('priority', options.priority, 0, this.#priorities - 1)
  }

  selector(options: GetSelector | undefined): Selector {
    if (options === undefined) return anyMessage
    for (const name of ['type', 'maxType', 'except'] as const) {
      if (options[name] !== undefined) throw this.#noTypes(`\`${name}\``)
    }
    return anyMessage
  }

  facts(label: number): MessageFacts {
    const deliveryCount = deliveriesOf(label)
    return { priority: priorityOf(label), deliveryCount, redelivered: deliveryCount > 1 }
  }

  tooLarge(length: number): IpcError {
    return this.#error(-errnoOf.EMSGSIZE, put, 'send to', this.#tooLargeAdvice(length))
  }

  send(message: Outgoing): boolean {
    const result = native.ringPut(this.#handle, message.bytes, message.length, message.label)
    if (result === 0) return true
    if (result === -errnoOf.EAGAIN) return false
    throw this.#error(result, put, 'send to', this.#sendAdvice(result, message.length))
  }

  sendMany(batch: OutgoingBatch, from: number): number {
    const result = native.ringPutMany(this.#handle, batch.bytes, batch.index, from, batch.count - from)
    if (result >= 0) return result
    if (result === -errnoOf.EAGAIN) return 0
    throw this.#error(result, put, 'send to', this.#sendAdvice(result, lengthAt(batch, from)))
  }

  receive(selector: Selector, max: number): number {
    const { lease } = selector
    return this.#take('receive from', () =>
      lease === undefined ? native.ringGet(this.#handle, max) : native.ringLease(this.#handle, max, lease),
    )
  }

  peek(position: number): boolean {
    if (position > 0) {
      throw unsupported(this.address, 'peeking behind the next message', 'only position 0 can be peeked at')
    }
    return this.#take('peek into', () => native.ringPeek(this.#handle)) === 1
  }

  /** Takes the oldest message that was given up into the inbox; false when there is none. */
  takeDeadLetter(): boolean {
    return this.#take('receive from', () => native.ringGetDead(this.#handle)) === 1
  }

  pollToSend(length: number, milliseconds: number): boolean | undefined {
    return this.#poll(space, length, milliseconds)
  }

  pollToReceive(milliseconds: number): boolean | undefined {
    return this.#poll(items, 0, milliseconds)
  }

  blockToSend({ length }: Outgoing, milliseconds: number): boolean {
    this.#block(space, length, milliseconds, 'send to')
    return false
  }

  blockToReceive(_selector: Selector, milliseconds: number): void {
    this.#block(items, 0, milliseconds, 'receive from')
  }

  listen(listener: TransportListener): void {
    this.#listener = listener
  }

  askToSend({ length }: Outgoing): void {
    this.#arm(1, space, length, () => this.#listener.room(false))
  }

  forgetToSend(): boolean {
    this.#disarm(1)
    return true
  }

  askToReceive(selector: Selector): void {
    this.#askedToReceive.add(selector)
    if (this.#waitingForItems) return
    this.#arm(0, items, 0, this.#onItems)
    this.#waitingForItems = true
  }

  forgetToReceive(selector: Selector): void {
    this.#askedToReceive.delete(selector)
    if (this.#askedToReceive.size > 0 || !this.#waitingForItems) return
    this.#waitingForItems = false
    this.#disarm(0)
  }

  taskDone(): void {
    const result = native.ringTaskDone(this.#handle)
    if (result === -errnoOf.EOPNOTSUPP) {
      throw unsupported(
        this.address,
        'taskDone',
        'make the queue with joinable: true, or take messages on lease',
      )
    }
    if (result < 0) throw this.#error(result, 'ipckit_queue_task_done', 'end a task of')
  }

  shutdown(immediate: boolean): void {
    const result = native.ringShutdown(this.#handle, immediate ? 1 : 0)
    if (result < 0) throw this.#error(result, 'ipckit_queue_shutdown', 'shut down')
  }

  clear(): number {
    const result = native.ringClear(this.#handle)
    if (result < 0) throw this.#error(result, 'ipckit_queue_clear', 'clear')
    return result
  }

  /** Whether every message that was put has been settled. */
  isJoined(): boolean {
    const result = native.ringJoin(this.#handle)
    if (result === 0) return true
    if (result === -errnoOf.EAGAIN) return false
    throw this.#error(result, 'ipckit_queue_join', 'join')
  }

  /** Calls back once when {@link isJoined} may have become true. */
  askToJoin(then: (error?: Error) => void): void {
    this.#whenJoined = then
    this.#arm(2, tasks, 0, () => {
      const told = this.#whenJoined
      this.#whenJoined = undefined
      told?.()
    })
  }

  forgetToJoin(): void {
    if (this.#whenJoined === undefined) return
    this.#whenJoined = undefined
    this.#disarm(2)
  }

  stat(): ShmQueueStat {
    const { out, type } = this.#status()
    const at = (index: number) => out[index] as number
    return {
      address: this.address,
      depth: at(0),
      capacity: at(11),
      maxBytes: at(12),
      freeBytes: at(13),
      maxMessageBytes: at(14),
      uid: at(24),
      mode: at(25),
      unlinked: at(26) === 1,
      type,
      state: states[at(20)] ?? 'unknown',
      joinable: (at(21) & flags.joinable) !== 0,
      priorities: at(18),
      maxDeliveries: at(19) === 0 ? undefined : at(19),
      delayed: at(1),
      inFlight: at(2),
      deadLetters: at(3),
      totals: {
        put: at(4),
        done: at(5),
        redelivered: at(6),
        expired: at(7),
        dead: at(8),
        dropped: at(9),
        recoveries: at(10),
      },
      sizeBytes: at(15),
      created: new Date(at(16) / 1e6),
      maxParticipants: at(23),
      participants: native.ringParticipants(this.#handle).map(({ since, roles, ...others }) => ({
        ...others,
        producer: (roles & producerRole) !== 0,
        consumer: (roles & consumerRole) !== 0,
        since: new Date(since / 1e6),
      })),
    }
  }

  /** As `ringStatus` of native/node/shm_queue.cc lays it. */
  #status(): { out: Float64Array; type: string } {
    const out = new Float64Array(27)
    try {
      return { type: native.ringStatus(this.#handle, out), out }
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      throw ringError({ errno, syscall, action: 'read the state of', resource: this.address })
    }
  }

  close(): void {
    wasClosed(this)
    for (const token of this.#tokens) forget(token)
    native.ringClose(this.#handle, this.#tokens)
  }

  /** Removes the name, unless this queue has lost it: it may be another queue's by now. */
  unlink(): void {
    if (this.#isUnlinked()) throw this.#error(-errnoOf.EIDRM, 'unlink', 'remove')
    unlink(this.#name)
  }

  /** False also of a queue that cannot be looked at any more: that must not keep anybody from removing it. */
  #isUnlinked(): boolean {
    try {
      return this.#status().out[26] === 1
    } catch {
      return false
    }
  }

  #error(errno: number, syscall: string, action: string, advice?: string): IpcError {
    return ringError({ errno, syscall, action, resource: this.address, advice })
  }

  /** One event means that there may be something for any of those who asked. */
  readonly #onItems = (): void => {
    this.#waitingForItems = false
    const asked = [...this.#askedToReceive]
    this.#askedToReceive.clear()
    for (const selector of asked) this.#listener.arrival(selector)
  }

  /** Lays messages into the inbox, which grows until the next one fits. */
  #take(action: string, call: () => number): number {
    let box = inbox()
    for (;;) {
      const result = call()
      if (result >= 0) return result
      if (result === -errnoOf.EAGAIN) return 0
      if (result !== -errnoOf.EMSGSIZE || box.length(0) <= box.bytes.length)
        throw this.#error(result, 'ipckit_queue_get', action)
      box = inbox(box.length(0))
    }
  }

  #arm(at: number, interest: number, length: number, then: () => void): void {
    const token = this.#tokens[at] as number
    expect(token, () => {
      forget(token)
      then()
    })
    const result = native.ringArm(this.#handle, token, interest, length)
    if (result === 0) return
    forget(token)
    throw this.#error(result, 'pthread_create', 'wait for')
  }

  #disarm(at: number): void {
    const token = this.#tokens[at] as number
    forget(token)
    native.ringForget(token)
  }

  #poll(interest: number, length: number, milliseconds: number): boolean | undefined {
    const result = native.ringPoll(this.#handle, interest, length, milliseconds)
    // What is wrong with the queue, a try will tell.
    return result === -errnoOf.EBUSY ? undefined : result !== 0
  }

  #block(interest: number, length: number, milliseconds: number, action: string): void {
    const result = native.ringWait(this.#handle, interest, length, milliseconds)
    if (result < 0) throw this.#error(result, 'futex', action)
  }

  #sendAdvice(errno: number, length: number): string | undefined {
    return errno === -errnoOf.EMSGSIZE ? this.#tooLargeAdvice(length) : undefined
  }

  #tooLargeAdvice(length: number): string {
    return `the message has ${length} bytes, and this queue takes at most ${this.maxMessageBytes}; make the queue with a larger maxMessageBytes, or send less`
  }

  #noTypes(what: string): IpcError {
    return unsupported(this.address, what, 'queues in shared memory have priorities and no types')
  }
}
