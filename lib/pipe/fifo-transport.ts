/**
 * FIFOs as a transport: whole records in a named pipe (docs/layout.md), between any number of writers and readers. Every
 * handle has the FIFO open for both, so nobody waits for the other end to come, and nobody dies when it goes.
 */
import { native } from '../binding.js'
import { errnoOf, type IpcError, systemError, unsupported } from '../errors.js'
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
import { failure, pipeError } from './failure.js'

/** What a record takes in the pipe beside its message, at least. */
const overhead = 12

/** Where no event can tell when to try again: how long until the next try, at first and at most. */
const firstNapMs = 1
const longestNapMs = 16

/** What a look into the pipe tells; the size is the kernel's. */
export interface FifoQueueStat extends QueueStat {
  readonly bytes: number
  /** Bytes of the pipe. Messages take up to 19 bytes more than their own, and not every page is filled to its end. */
  readonly maxBytes: number
  readonly uid: number
  readonly gid: number
  readonly mode: number
  readonly unlinked: boolean
  /**
   * Whether anybody else has the FIFO open as a queue. When nobody has, closing this handle ends the messages that are
   * in it.
   */
  readonly shared: boolean
}

export class FifoTransport extends PolledTransport implements Transport {
  readonly address: string
  readonly capabilities: Capabilities = {
    priorities: false,
    types: false,
    blocking: true,
    peek: true,
  }
  readonly sendsTogether = true
  readonly #path: string
  readonly #handle: number
  #capacity = 0
  #timer: NodeJS.Timeout | undefined
  #napMs = firstNapMs

  constructor(path: string, handle: number) {
    super((token) => native.fifoQueueWatchRemoval(handle, token))
    this.#path = path
    this.#handle = handle
    this.address = `fifo:${path}`
    const { token } = this
    closeWhenForgotten(this, () => native.fifoQueueClose(handle, token))
    this.stat()
  }

  get maxMessageBytes(): number {
    return this.#capacity - overhead
  }

  label(options: PutLabel | undefined): number {
    if (options?.priority !== undefined) throw this.#inOrder('`priority`')
    if (options?.type !== undefined) throw this.#inOrder('`type`')
    return 0
  }

  selector(options: GetSelector | undefined): Selector {
    for (const name of ['type', 'maxType', 'except'] as const) {
      if (options?.[name] !== undefined) throw this.#inOrder(`\`${name}\``)
    }
    return anyMessage
  }

  facts(_label: number): MessageFacts {
    return {}
  }

  damage(label: number): string | undefined {
    if (label === 0) return undefined
    return 'they are what is left of a record whose writer or reader was killed in the middle of it'
  }

  tooLarge(length: number): IpcError {
    return systemError({
      errno: errnoOf.EMSGSIZE,
      syscall: 'write',
      action: 'send to',
      resource: this.address,
      advice: `the message has ${length} bytes, and this queue takes at most ${this.maxMessageBytes}; make the queue with a larger maxMessageBytes (limit: /proc/sys/fs/pipe-max-size), or send less`,
    })
  }

  send(message: Outgoing): boolean {
    const result = native.fifoQueueSend(this.#handle, message.bytes, message.length)
    if (result === 0) {
      this.#napMs = firstNapMs
      return true
    }
    if (result === -errnoOf.EAGAIN) return false
    if (result === -errnoOf.EMSGSIZE) throw this.tooLarge(message.length)
    throw this.#error(result, 'write', 'send to')
  }

  sendMany(batch: OutgoingBatch, from: number): number {
    const result = native.fifoQueueSendMany(this.#handle, batch.bytes, batch.index, from, batch.count - from)
    if (result >= 0) {
      this.#napMs = firstNapMs
      return result
    }
    if (result === -errnoOf.EAGAIN) return 0
    if (result === -errnoOf.EMSGSIZE) throw this.tooLarge(lengthAt(batch, from))
    throw this.#error(result, 'write', 'send to')
  }

  receive(_selector: Selector, max: number): number {
    inbox(this.#capacity)
    const result = native.fifoQueueReceive(this.#handle, max)
    if (result >= 0) {
      this.#napMs = firstNapMs
      return result
    }
    if (result === -errnoOf.EAGAIN) return 0
    throw this.#error(result, 'read', 'receive from')
  }

  peek(position: number): boolean {
    inbox(this.#capacity)
    const result = native.fifoQueuePeek(this.#handle, position)
    if (result < 0) throw this.#error(result, 'tee', 'peek into')
    return result === 1
  }

  stat(): FifoQueueStat {
    const out = new Float64Array(8)
    try {
      native.fifoQueueStatus(this.#handle, out)
    } catch (error) {
      throw pipeError(error, 'read the state of', this.address)
    }
    const [depth, bytes, capacity, shared, uid, gid, mode, linked] = out as unknown as number[]
    this.#capacity = capacity as number
    return {
      address: this.address,
      depth: depth as number,
      bytes: bytes as number,
      maxBytes: capacity as number,
      maxMessageBytes: this.maxMessageBytes,
      uid: uid as number,
      gid: gid as number,
      mode: mode as number,
      unlinked: linked === 0,
      shared: shared === 1,
    }
  }

  close(): void {
    wasClosed(this)
    this.forgetAll()
    native.fifoQueueClose(this.#handle, this.token)
  }

  unlink(): void {
    try {
      native.fifoQueueUnlink(this.#handle, this.#path)
    } catch (error) {
      throw pipeError(error, 'remove', this.address)
    }
  }

  protected arm(direction: Direction): void {
    const result = native.fifoQueueArm(this.#handle, this.token, direction === 'send to' ? 1 : 0)
    if (result < 0) {
      throw this.#error(result, result === -errnoOf.EAGAIN ? 'pthread_create' : 'epoll_ctl', direction)
    }
    // Somebody else is reading or writing at this moment, or a large message waits for more room than there is: poll(2)
    // would say at once that it is worth trying.
    if (result === 1) this.#nap()
  }

  #nap(): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.tell()
    }, this.#napMs)
    this.#napMs = Math.min(this.#napMs * 2, longestNapMs)
    // Whoever waits keeps the process alive, unless unref'd; the nap does not.
    this.#timer.unref()
  }

  protected override rest(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  protected block(direction: Direction, milliseconds: number): void {
    const result = native.fifoQueueWait(this.#handle, direction === 'send to' ? 1 : 0, milliseconds)
    if (result < 0) throw this.#error(result, 'poll', direction)
  }

  protected isRemoved(): boolean {
    return native.fifoQueueIsRemoved(this.#handle)
  }

  protected removed(direction: Direction): IpcError {
    return this.#error(-errnoOf.EIDRM, 'unlink', direction)
  }

  #inOrder(what: string): IpcError {
    return unsupported(
      this.address,
      what,
      'a FIFO hands out messages in the order in which they came; use a posix: address for priorities, a sysv: address for types',
    )
  }

  #error(errno: number, syscall: string, action: string): IpcError {
    return failure(errno, syscall, action, this.address)
  }
}
