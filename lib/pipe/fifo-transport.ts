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
  TransportListener,
} from '../queue/transport.js'
import { closeWhenForgotten, wasClosed } from '../wait/forgotten.js'
import { inbox } from '../wait/inbox.js'
import { lengthAt } from '../wait/outbox.js'
import { type Direction, Readiness } from '../wait/readiness.js'
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

/** Apart from the constructor, whose other closures know the transport, and would keep it from being forgotten. */
const closing = (handle: number, token: number) => () => native.fifoQueueClose(handle, token)

export class FifoTransport implements Transport {
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
  readonly #readiness: Readiness
  #capacity = 0
  #timer: NodeJS.Timeout | undefined
  #napMs = firstNapMs

  constructor(path: string, handle: number) {
    this.#path = path
    this.#handle = handle
    this.address = `fifo:${path}`
    this.#readiness = new Readiness({
      arm: (token, direction) => this.#arm(token, direction),
      watchRemoval: (token) => native.fifoQueueWatchRemoval(handle, token),
      isRemoved: () => native.fifoQueueIsRemoved(handle),
      removed: (direction) => this.#error(-errnoOf.EIDRM, 'unlink', direction),
      rest: () => this.#wakeUp(),
    })
    closeWhenForgotten(this, closing(handle, this.#readiness.token))
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

  blockToSend(_message: Outgoing, milliseconds: number): boolean {
    this.#block('send to', milliseconds)
    return false
  }

  blockToReceive(_selector: Selector, milliseconds: number): void {
    this.#block('receive from', milliseconds)
  }

  listen(listener: TransportListener): void {
    this.#readiness.listen(listener)
  }

  askToSend(_message: Outgoing): void {
    this.#readiness.ask('send to')
  }

  forgetToSend(): boolean {
    this.#readiness.forget('send to')
    return true
  }

  askToReceive(_selector: Selector): void {
    this.#readiness.ask('receive from')
  }

  forgetToReceive(_selector: Selector): void {
    this.#readiness.forget('receive from')
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
    this.#readiness.end()
    native.fifoQueueClose(this.#handle, this.#readiness.token)
  }

  unlink(): void {
    try {
      native.fifoQueueUnlink(this.#handle, this.#path)
    } catch (error) {
      throw pipeError(error, 'remove', this.address)
    }
  }

  #arm(token: number, direction: Direction): void {
    const result = native.fifoQueueArm(this.#handle, token, direction === 'send to' ? 1 : 0)
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
      this.#readiness.tell()
    }, this.#napMs)
    this.#napMs = Math.min(this.#napMs * 2, longestNapMs)
    // Whoever waits keeps the process alive, unless unref'd; the nap does not.
    this.#timer.unref()
  }

  #wakeUp(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #block(direction: Direction, milliseconds: number): void {
    const result = native.fifoQueueWait(this.#handle, direction === 'send to' ? 1 : 0, milliseconds)
    if (result < 0) throw this.#error(result, 'poll', direction)
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
