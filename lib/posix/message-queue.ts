/**
 * A POSIX message queue as bytes: every call of mq_overview(7), async, sync and without waiting. The typed
 * `Queue` stands on the same channel.
 */
import { errnoOf, systemError } from '../errors.js'
import type { How } from '../how.js'
import {
  checkBoolean,
  checkBytes,
  checkInteger,
  checkIterable,
  checkKeys,
  checkMessage,
  checkObject,
  checkOptions,
  type SyncWaitOptions,
  syncWaitKeys,
  type WaitOptions,
  waitKeys,
} from '../options.js'
import type { Outgoing } from '../queue/transport.js'
import { Channel } from '../wait/channel.js'
import { Handle } from '../wait/handle.js'
import { type Inbox, inboxMessages } from '../wait/inbox.js'
import { Batch } from '../wait/outbox.js'
import { checkWait } from '../wait/pending.js'
import { nothing } from '../wait/receive-line.js'
import { anyMessage } from '../wait/selector.js'
import { Notification } from './notify.js'
import { type CreateOptions, type OpenOptions, openQueue } from './open.js'
import { checkPriority } from './priority.js'
import { type PosixQueueStat, PosixTransport } from './transport.js'

/** A message as bytes. */
export interface Message {
  /** In memory of its own. */
  readonly data: Buffer
  /** 0 to 32,767; higher ones are received first, equal ones in the order in which they were sent. */
  readonly priority: number
}

/** A message to send. */
export interface MessageToSend {
  readonly data: Uint8Array
  /** 0 to 32,767, default 0. */
  readonly priority?: number
}

/** What a message is sent with. */
export interface PriorityOption {
  /** 0 to 32,767, default 0; higher ones are received first. */
  priority?: number | undefined
}

export interface SendOptions extends PriorityOption, WaitOptions {}
export interface SendSyncOptions extends PriorityOption, SyncWaitOptions {}

/** What mq_setattr(3) can change. */
export interface Attributes {
  /**
   * While true, no call of this handle waits: where it would, it fails with `EAGAIN`. It belongs to this
   * handle alone, not to the queue.
   */
  nonblock: boolean
}

const trySendKeys = ['priority'] as const
const sendKeys = [...trySendKeys, ...waitKeys]
const sendSyncKeys = [...trySendKeys, ...syncWaitKeys]

const takeOne = (box: Inbox, first: number): Message => ({
  data: box.copy(first),
  priority: box.label(first),
})

const takeMany = (box: Inbox, first: number, count: number): Message[] =>
  Array.from({ length: count }, (_, at) => takeOne(box, first + at))

/**
 * A POSIX message queue: open it by name, send and receive bytes with priorities.
 *
 * Messages are delivered once, to one receiver. A receiver that waits here holds no message: it may be killed
 * at any time and nothing is lost. (One that is blocked in mq_receive(3), in C, loses the message that the
 * kernel hands it in that moment.)
 *
 * @see {@link https://man7.org/linux/man-pages/man7/mq_overview.7.html | mq_overview(7)}
 * @example
 * ```ts
 * import { MessageQueue } from 'ipckit/posix'
 *
 * const queue = MessageQueue.openOrCreate('/jobs', { capacity: 10, maxMessageBytes: 1024 })
 * await queue.send(Buffer.from('hello'), { priority: 3, timeoutMs: 500 })
 * const { data, priority } = await queue.receive()
 * await queue.close()
 * ```
 */
export class MessageQueue extends Handle {
  readonly #channel: Channel
  readonly #transport: PosixTransport
  readonly #notification: Notification
  #nonblock = false

  private constructor(name: string, how: How, options?: CreateOptions) {
    const transport = new PosixTransport(name, openQueue(name, how, options), false)
    const channel = new Channel(transport)
    super(channel)
    this.#channel = channel
    this.#transport = transport
    this.#notification = new Notification(transport)
  }

  /**
   * Opens a queue that exists: mq_open(3).
   *
   * @throws {@link NotFoundError} when there is none of that name; `IpcError` with `EACCES` when its mode
   *   does not allow the access; `RangeError` when the name is not a slash followed by 1 to 255 bytes.
   */
  static open(name: string, options?: OpenOptions): MessageQueue {
    return new MessageQueue(name, 'open', options)
  }

  /**
   * Makes a queue that does not exist yet: mq_open(3) with O_CREAT and O_EXCL.
   *
   * @throws {@link ExistsError} when there is one of that name; `IpcError` with `EINVAL`, `EMFILE` or `ENOSPC`
   *   when a limit is in the way: the message names it and the command that raises it.
   */
  static create(name: string, options?: CreateOptions): MessageQueue {
    return new MessageQueue(name, 'create', options)
  }

  /** Opens the queue, or makes it when there is none. Of a queue that exists, its own sizes hold. */
  static openOrCreate(name: string, options?: CreateOptions): MessageQueue {
    return new MessageQueue(name, 'openOrCreate', options)
  }

  /** The queue's address, `posix:/name`. */
  get address(): string {
    return this.#transport.address
  }

  /** The largest message, bytes; it never changes. */
  get maxMessageBytes(): number {
    return this.#transport.maxMessageBytes
  }

  /**
   * Sends a message, and waits while the queue is full: mq_send(3), mq_timedsend(3).
   *
   * @throws `IpcError` with `EMSGSIZE` when it is larger than {@link maxMessageBytes}; {@link TimeoutError};
   *   the signal's reason; {@link ClosedError}. Then nothing was sent.
   */
  async send(data: Uint8Array, options?: SendOptions): Promise<void> {
    const message = outgoing(data, options, sendKeys)
    if (this.#mayNotWait(options)) return this.#orAgain(this.#channel.trySend(message), 'mq_send', 'full')
    return this.#channel.send(message, options)
  }

  /** Sends if there is room now; false when the queue is full, or others wait to send. */
  trySend(data: Uint8Array, options?: PriorityOption): boolean {
    return this.#channel.trySend(outgoing(data, options, trySendKeys))
  }

  /** Sends, and blocks the thread while the queue is full. Ctrl-C ends it with `EINTR`. */
  sendSync(data: Uint8Array, options?: SendSyncOptions): void {
    const message = outgoing(data, options, sendSyncKeys)
    if (this.#mayNotWait(options)) this.#orAgain(this.#channel.trySend(message), 'mq_send', 'full')
    else this.#channel.sendSync(message, options)
  }

  /**
   * Sends many messages in few calls of the addon, in order.
   *
   * @returns How many are in the queue: all of them, unless the time was up or the signal aborted when some
   *   were sent already. When none was, it rejects.
   */
  async sendMany(messages: Iterable<MessageToSend>, options?: WaitOptions): Promise<number> {
    checkOptions(options, waitKeys)
    const mayNotWait = this.#mayNotWait(options)
    const batch = Batch.take()
    for (const message of checkIterable('messages', messages)) {
      const { data, priority } = checkMessage(message, batch.count)
      batch.addBytes(checkBytes('data', data), priority === undefined ? 0 : checkPriority(priority))
    }
    if (mayNotWait) {
      const sent = this.#channel.trySendMany(batch)
      this.#orAgain(sent > 0 || batch.count === 0, 'mq_send', 'full')
      return sent
    }
    return this.#channel.sendMany(batch, options)
  }

  /**
   * Receives the oldest message of the highest priority, and waits for one: mq_receive(3),
   * mq_timedreceive(3). Calls are served in the order in which they were made.
   *
   * @throws {@link TimeoutError}, the signal's reason, {@link ClosedError}. Then nothing was taken.
   */
  async receive(options?: WaitOptions): Promise<Message> {
    checkOptions(options, waitKeys)
    if (this.#mayNotWait(options)) return this.#orEmpty(this.#channel.tryReceive(anyMessage, takeOne, 1))
    return this.#channel.receive(anyMessage, takeOne, 1, options)
  }

  /** Receives a message if there is one now. */
  tryReceive(): Message | undefined {
    const message = this.#channel.tryReceive(anyMessage, takeOne, 1)
    return message === nothing ? undefined : message
  }

  /** Receives, and blocks the thread until there is a message. Ctrl-C ends it with `EINTR`. */
  receiveSync(options?: SyncWaitOptions): Message {
    checkOptions(options, syncWaitKeys)
    if (this.#mayNotWait(options)) return this.#orEmpty(this.#channel.tryReceive(anyMessage, takeOne, 1))
    return this.#channel.receiveSync(anyMessage, takeOne, 1, options)
  }

  /** Receives what is there, at most `max` (1 to 256) messages, and waits for the first. */
  async receiveMany(max: number, options?: WaitOptions): Promise<Message[]> {
    checkInteger('max', max, 1, inboxMessages)
    checkOptions(options, waitKeys)
    if (this.#mayNotWait(options)) return this.#orEmpty(this.#channel.tryReceive(anyMessage, takeMany, max))
    return this.#channel.receive(anyMessage, takeMany, max, options)
  }

  /**
   * Resolves when a message arrives in the empty queue and nobody waits to receive it: mq_notify(3). One
   * request at a time is possible for a whole queue, by any process. A queue that is not empty gives no
   * notice before it has been emptied: after asking, receive what is there.
   *
   * @throws `IpcError` with `EBUSY` when someone has asked already; {@link TimeoutError}; the signal's reason.
   */
  async notify(options?: WaitOptions): Promise<void> {
    checkOptions(options, waitKeys)
    this.#channel.checkOpen()
    return this.#notification.request(options)
  }

  /** One look at the queue: mq_getattr(3), and owner and mode. Read from the kernel each time. */
  stat(): PosixQueueStat {
    this.#channel.checkOpen()
    return this.#transport.stat()
  }

  /** The attributes of this handle. */
  getAttributes(): Attributes {
    this.#channel.checkOpen()
    return { nonblock: this.#nonblock }
  }

  /** Changes the attributes of this handle and returns what they were: mq_setattr(3). */
  setAttributes(attributes: Attributes): Attributes {
    const before = this.getAttributes()
    checkKeys('attributes', checkObject('attributes', attributes), ['nonblock'])
    this.#nonblock = checkBoolean('nonblock', attributes.nonblock)
    return before
  }

  override ref(): this {
    this.#notification.ref()
    return super.ref()
  }

  override unref(): this {
    this.#notification.unref()
    return super.unref()
  }

  /** Gives up this handle: mq_close(3). Its waits end with a {@link ClosedError}. The queue stays. */
  async close(): Promise<void> {
    if (!this.closed) this.#notification.close()
    return this.#channel.close()
  }

  /**
   * Removes the queue's name for everyone: mq_unlink(3); see {@link unlink}.
   *
   * @throws {@link RemovedError} when somebody has removed it already: the name may be another queue's by now.
   */
  unlink(): void {
    this.#channel.checkOpen()
    this.#transport.unlink()
  }

  [Symbol.dispose](): void {
    void this.close()
  }

  /** Whether the call may not wait. Its options are checked all the same: the channel does it of those that may. */
  #mayNotWait(options: WaitOptions | undefined): boolean {
    if (!this.#nonblock) return false
    this.#channel.checkOpen()
    checkWait(options)
    return true
  }

  #orAgain(done: boolean, syscall: string, state: string): void {
    if (done) return
    throw systemError({
      errno: errnoOf.EAGAIN,
      syscall,
      action: syscall === 'mq_send' ? 'send to' : 'receive from',
      resource: this.address,
      advice: `the queue is ${state}, and the handle's nonblock attribute forbids waiting`,
    })
  }

  #orEmpty<R>(received: R | typeof nothing): R {
    this.#orAgain(received !== nothing, 'mq_receive', 'empty')
    return received as R
  }
}

function outgoing(data: Uint8Array, options: PriorityOption | undefined, known: readonly string[]): Outgoing {
  checkBytes('data', data)
  checkOptions(options, known)
  const label = options?.priority === undefined ? 0 : checkPriority(options.priority)
  return { bytes: data, length: data.length, label }
}
