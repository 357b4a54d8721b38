/**
 * POSIX message queues as a transport. Waiting means polling the descriptor, which one thread does for all
 * queues of the environment.
 */
import { native } from '../binding.js'
import { errnoOf, type IpcError, type SystemFailure, systemError, unsupported } from '../errors.js'
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
import { expect, forget, newToken } from '../wait/engine.js'
import { closeWhenForgotten, wasClosed } from '../wait/forgotten.js'
import { inbox } from '../wait/inbox.js'
import { watchRemoval } from '../wait/removal.js'
import { anyMessage } from '../wait/selector.js'
import { unlink } from './open.js'
import { checkPriority } from './priority.js'

/** Bits of an event: epoll(7). An error or a hang-up wakes both sides, and trying again tells more. */
const mayReceive = 0x1 | 0x8 | 0x10
const maySend = 0x4 | 0x8 | 0x10

/** What mq_getattr(3) and fstat(2) tell, read from the kernel each time. */
export interface PosixQueueStat extends QueueStat {
  readonly capacity: number
  readonly uid: number
  readonly gid: number
  readonly mode: number
  readonly unlinked: boolean
}

export class PosixTransport implements Transport {
  readonly address: string
  readonly capabilities: Capabilities = {
    priorities: true,
    types: false,
    blocking: true,
    peek: false,
  }
  readonly maxMessageBytes: number
  readonly #name: string
  readonly #handle: number
  readonly #token = newToken()
  #listener!: TransportListener
  #askedToSend = false
  #askedToReceive = false
  readonly #heedsRemoval: boolean
  #stopWatching: (() => void) | undefined

  /**
   * `heedsRemoval`: a queue that was unlinked is gone, as it is for the other transports. Without it those who have
   * it open go on, as mq_unlink(3) has it.
   */
  constructor(name: string, handle: number, heedsRemoval: boolean) {
    this.#name = name
    this.#handle = handle
    this.address = `posix:${name}`
    this.#heedsRemoval = heedsRemoval
    if (heedsRemoval) native.mqHeedRemoval(handle)
    const token = this.#token
    closeWhenForgotten(this, () => native.mqClose(handle, token))
    this.maxMessageBytes = this.stat().maxMessageBytes
  }

  /** For calls that only POSIX queues have. */
  get handle(): number {
    return this.#handle
  }

  label(options: PutLabel | undefined): number {
    if (options?.type !== undefined) throw this.#noTypes('`type`')
    return options?.priority === undefined ? 0 : checkPriority(options.priority)
  }

  selector(options: GetSelector | undefined): Selector {
    if (options === undefined) return anyMessage
    for (const name of ['type', 'maxType', 'except'] as const) {
      if (options[name] !== undefined) throw this.#noTypes(`\`${name}\``)
    }
    return anyMessage
  }

  facts(label: number): MessageFacts {
    return { priority: label }
  }

  tooLarge(length: number): IpcError {
    return this.#error(-errnoOf.EMSGSIZE, 'mq_send', 'send to', length)
  }

  send(message: Outgoing): boolean {
    const result = native.mqSend(this.#handle, message.bytes, message.length, message.label)
    if (result === 0) return true
    if (result === -errnoOf.EAGAIN) return false
    throw this.#error(result, 'mq_send', 'send to', message.length)
  }

  sendMany(batch: OutgoingBatch, from: number): number {
    const result = native.mqSendMany(this.#handle, batch.bytes, batch.index, from, batch.count - from)
    if (result >= 0) return result
    if (result === -errnoOf.EAGAIN) return 0
    throw this.#error(result, 'mq_send', 'send to', batch.index[from * 4 + 1] as number)
  }

  receive(_selector: Selector, max: number): number {
    inbox(this.maxMessageBytes)
    const result = native.mqReceive(this.#handle, max)
    if (result >= 0) return result
    if (result === -errnoOf.EAGAIN) return 0
    throw this.#error(result, 'mq_receive', 'receive from')
  }

  blockToSend(message: Outgoing, milliseconds: number): boolean {
    this.#block(1, milliseconds, 'send to', message.length)
    return false
  }

  blockToReceive(_selector: Selector, milliseconds: number): void {
    this.#block(0, milliseconds, 'receive from')
  }

  listen(listener: TransportListener): void {
    this.#listener = listener
  }

  askToSend(message: Outgoing): void {
    this.#arm(1, 'send to', message.length)
    this.#askedToSend = true
  }

  forgetToSend(): boolean {
    this.#askedToSend = false
    this.#forgetIfIdle()
    return true
  }

  askToReceive(_selector: Selector): void {
    this.#arm(0, 'receive from')
    this.#askedToReceive = true
  }

  forgetToReceive(_selector: Selector): void {
    this.#askedToReceive = false
    this.#forgetIfIdle()
  }

  stat(): PosixQueueStat {
    const out = new Float64Array(8)
    try {
      native.mqStatus(this.#handle, out)
    } catch (error) {
      throw this.#error((error as SystemFailure).errno, (error as SystemFailure).syscall, 'read the state of')
    }
    const [capacity, maxMessageBytes, depth, , uid, gid, mode, linked] = out as unknown as number[]
    return {
      address: this.address,
      depth: depth as number,
      capacity: capacity as number,
      maxMessageBytes: maxMessageBytes as number,
      uid: uid as number,
      gid: gid as number,
      mode: mode as number,
      unlinked: linked === 0,
    }
  }

  close(): void {
    wasClosed(this)
    this.#stopWatching?.()
    forget(this.#token)
    native.mqClose(this.#handle, this.#token)
  }

  unlink(): void {
    unlink(this.#name)
  }

  #arm(toSend: 0 | 1, action: string, length?: number): void {
    expect(this.#token, this.#onEvent)
    if (this.#heedsRemoval) this.#watchRemoval(action)
    const result = native.mqArm(this.#handle, this.#token, toSend)
    if (result === 0) return
    throw this.#error(result, result === -errnoOf.EAGAIN ? 'pthread_create' : 'epoll_ctl', action, length)
  }

  readonly #onEvent = (events: number): void => this.#tell(events)

  #tell(events: number, failed = false): void {
    const room = this.#askedToSend && (events & maySend) !== 0
    const arrival = this.#askedToReceive && (events & mayReceive) !== 0
    if (room) this.#askedToSend = false
    if (arrival) this.#askedToReceive = false
    this.#forgetIfIdle()
    const error = (action: string) => (failed ? this.#error(-errnoOf.EIDRM, 'mq_unlink', action) : undefined)
    if (arrival) this.#listener.arrival(anyMessage, error('receive from'))
    if (room) this.#listener.room(false, error('send to'))
  }

  /** The engine holds on to those of whom it expects something; others may be forgotten. */
  #forgetIfIdle(): void {
    if (this.#askedToSend || this.#askedToReceive) return
    forget(this.#token)
    this.#stopWatching?.()
    this.#stopWatching = undefined
  }

  /** Watches first and looks then, so that a removal in between is not missed. */
  #watchRemoval(action: string): void {
    this.#stopWatching ??= watchRemoval(
      (token) => native.mqWatchRemoval(this.#handle, token),
      this.#onRemoval,
    )
    if (this.stat().unlinked) throw this.#error(-errnoOf.EIDRM, 'mq_unlink', action)
  }

  readonly #onRemoval = (): void => {
    if (this.stat().unlinked) this.#tell(maySend | mayReceive, true)
  }

  #block(toSend: 0 | 1, milliseconds: number, action: string, length?: number): void {
    const result = native.mqWait(this.#handle, toSend, milliseconds)
    if (result < 0) throw this.#error(result, 'poll', action, length)
  }

  #noTypes(what: string): IpcError {
    return unsupported(
      this.address,
      what,
      'POSIX queues have priorities and no types; use a sysv: address for types',
    )
  }

  #error(errno: number, syscall: string, action: string, length?: number): IpcError {
    return systemError({
      errno,
      syscall,
      action,
      resource: this.address,
      advice: this.#advise(errno, length),
    })
  }

  #advise(errno: number, length?: number): string | undefined {
    switch (-errno) {
      case errnoOf.EMSGSIZE:
        return `the message has ${length} bytes, and this queue takes at most ${this.maxMessageBytes}; make the queue with a larger maxMessageBytes (limit: /proc/sys/fs/mqueue/msgsize_max), or send less`
      case errnoOf.EBADF:
        return 'this handle was opened without the access for that; open the queue with the `access` that you need'
      case errnoOf.EIDRM:
        return 'the queue was removed (mq_unlink), and nobody else can find it any more; open it again'
      case errnoOf.EAGAIN:
        return 'no thread can be made to wait; see ulimit -u and the pids limit of the container'
      case errnoOf.EINTR:
        return 'a signal that this process handles came while the thread was blocked'
      default:
        return undefined
    }
  }
}
