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
} from '../queue/transport.js'
import { closeWhenForgotten, wasClosed } from '../wait/forgotten.js'
import { inbox } from '../wait/inbox.js'
import { lengthAt } from '../wait/outbox.js'
import { type Direction, PolledTransport } from '../wait/polled-transport.js'
import { anyMessage } from '../wait/selector.js'
import { unlink } from './open.js'
import { checkPriority } from './priority.js'

/** What mq_getattr(3) and fstat(2) tell, read from the kernel each time. */
export interface PosixQueueStat extends QueueStat {
  readonly capacity: number
  readonly uid: number
  readonly gid: number
  readonly mode: number
  readonly unlinked: boolean
}

export class PosixTransport extends PolledTransport implements Transport {
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

  /**
   * `heedsRemoval`: a queue that was unlinked is gone, as it is for the other transports. Without it those who have
   * it open go on, as mq_unlink(3) has it.
   */
  constructor(name: string, handle: number, heedsRemoval: boolean) {
    super(heedsRemoval ? (token) => native.mqWatchRemoval(handle, token) : undefined)
    this.#name = name
    this.#handle = handle
    this.address = `posix:${name}`
    if (heedsRemoval) native.mqHeedRemoval(handle)
    const { token } = this
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
    throw this.#error(result, 'mq_send', 'send to', lengthAt(batch, from))
  }

  receive(_selector: Selector, max: number): number {
    inbox(this.maxMessageBytes)
    const result = native.mqReceive(this.#handle, max)
    if (result >= 0) return result
    if (result === -errnoOf.EAGAIN) return 0
    throw this.#error(result, 'mq_receive', 'receive from')
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
    this.forgetAll()
    native.mqClose(this.#handle, this.token)
  }

  /**
   * Removes the name, when it is still that of this very queue. The mqueue file system neither links nor renames: a queue
   * that has a name has this one, and one that has none any more has left it to others. Between the look and mq_unlink(3),
   * which knows names alone, somebody may remove this queue and somebody else make another; nothing can prevent that.
   */
  unlink(): void {
    if (this.isRemoved()) throw this.removed('remove')
    unlink(this.#name)
  }

  protected arm(direction: Direction): void {
    const result = native.mqArm(this.#handle, this.token, direction === 'send to' ? 1 : 0)
    if (result === 0) return
    throw this.#error(result, result === -errnoOf.EAGAIN ? 'pthread_create' : 'epoll_ctl', direction)
  }

  protected block(direction: Direction, milliseconds: number, length?: number): void {
    const result = native.mqWait(this.#handle, direction === 'send to' ? 1 : 0, milliseconds)
    if (result < 0) throw this.#error(result, 'poll', direction, length)
  }

  protected isRemoved(): boolean {
    return this.stat().unlinked
  }

  protected removed(action: Direction | 'remove'): IpcError {
    return this.#error(-errnoOf.EIDRM, 'mq_unlink', action)
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
