/**
 * A System V message queue as bytes: every call of sysvipc(7), async, sync and without waiting. The typed
 * `Queue` stands on the same channel.
 */
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
  checkOwnership,
  type SyncWaitOptions,
  syncWaitKeys,
  type WaitOptions,
  waitKeys,
} from '../options.js'
import type { Outgoing, Selector } from '../queue/transport.js'
import { Channel } from '../wait/channel.js'
import { Handle } from '../wait/handle.js'
import { type Inbox, inbox, inboxMessages } from '../wait/inbox.js'
import { Batch } from '../wait/outbox.js'
import { nothing } from '../wait/receive-line.js'
import { anyMessage } from '../wait/selector.js'
import { type CreateOptions, openTransport, type QueueName } from './open.js'
import { checkType, selectorOf } from './selection.js'
import type { SysvQueueStat, SysvTransport } from './transport.js'

/** A message as bytes. */
export interface Message {
  /** In memory of its own. */
  readonly data: Buffer
  /** 1 to 2^53 - 1; a larger one, which only programs in other languages can send, is rounded, up to 2^63. */
  readonly type: number
}

/** A message to send. */
export interface MessageToSend {
  readonly data: Uint8Array
  /** 1 to 2^53 - 1, default 1. */
  readonly type?: number
}

/** What a message is sent with. */
export interface TypeOption {
  /** 1 to 2^53 - 1, default 1. Programs with 32-bit longs see 2^31 - 1 at most. */
  type?: number | undefined
}

/** Which messages a receiver wants: at most one of these; without any, the oldest message. */
export interface SelectOptions {
  /** The oldest message of this type. */
  type?: number | undefined
  /** The oldest message of the lowest type that is at most this. */
  maxType?: number | undefined
  /** The oldest message of any type but this: MSG_EXCEPT. */
  except?: number | undefined
}

/** How much of a message a receiver takes. */
export interface SizeOptions {
  /**
   * The longest message to take, bytes; a longer one fails the call with `E2BIG` and stays in the queue. By
   * default there is no limit.
   */
  maxBytes?: number | undefined
  /** Take a message that is longer than `maxBytes` all the same, and lose its end: MSG_NOERROR. */
  truncate?: boolean | undefined
}

export interface SendOptions extends TypeOption, WaitOptions {}
export interface SendSyncOptions extends TypeOption, SyncWaitOptions {}
export interface TryReceiveOptions extends SelectOptions, SizeOptions {}
export interface ReceiveOptions extends TryReceiveOptions, WaitOptions {}
export interface ReceiveSyncOptions extends TryReceiveOptions, SyncWaitOptions {}

/** What IPC_SET of msgctl(2) changes. */
export interface QueueChanges {
  /** The new owner. */
  uid?: number
  gid?: number
  /** Permission bits, 0 to 0o777. */
  mode?: number
  /** Bytes that all messages may have together; more than kernel.msgmnb needs CAP_SYS_RESOURCE. */
  maxBytes?: number
}

const trySendKeys = ['type'] as const
const sendKeys = [...trySendKeys, ...waitKeys]
const sendSyncKeys = [...trySendKeys, ...syncWaitKeys]
const tryReceiveKeys = ['type', 'maxType', 'except', 'maxBytes', 'truncate'] as const
const receiveKeys = [...tryReceiveKeys, ...waitKeys]
const receiveSyncKeys = [...tryReceiveKeys, ...syncWaitKeys]

const takeOne = (box: Inbox, first: number): Message => ({
  data: box.copy(first),
  type: box.label(first),
})

const takeMany = (box: Inbox, first: number, count: number): Message[] =>
  Array.from({ length: count }, (_, at) => takeOne(box, first + at))

/**
 * A System V message queue: open it by key, send and receive bytes with types.
 *
 * Messages are delivered once, to one receiver. A receiver that waits here holds no message: it may be killed
 * at any time and nothing is lost, with one exception: a message of 0 bytes, which the kernel hands to a waiting
 * receiver itself. (One that is blocked in msgrcv(2), in C, loses any message that it is handed then.)
 *
 * @see {@link https://man7.org/linux/man-pages/man7/sysvipc.7.html | sysvipc(7)}
 * @example
 * ```ts
 * import { MessageQueue } from 'ipckit/sysv'
 *
 * const queue = MessageQueue.openOrCreate(0x1234)
 * await queue.send(Buffer.from('hello'), { type: 5 })
 * const { data, type } = await queue.receive({ maxType: 9, timeoutMs: 500 })
 * queue.unlink()
 * ```
 */
export class MessageQueue extends Handle {
  readonly #channel: Channel
  readonly #transport: SysvTransport

  private constructor(name: QueueName, how: How, options?: CreateOptions) {
    const transport = openTransport(name, how, options)
    const channel = new Channel(transport)
    super(channel)
    this.#channel = channel
    this.#transport = transport
  }

  /**
   * Opens a queue that exists, by key, by the file its key is made of, or by id: msgget(2).
   *
   * @throws {@link NotFoundError} when there is none; `IpcError` with `EACCES` without permission.
   */
  static open(name: QueueName): MessageQueue {
    return new MessageQueue(name, 'open')
  }

  /**
   * Makes a queue that does not exist yet: msgget(2) with IPC_CREAT and IPC_EXCL. `'private'` makes one that
   * only its id leads to, which `stat().id` tells.
   *
   * @throws {@link ExistsError} when there is one of that key; `IpcError` with `ENOSPC` when kernel.msgmni is
   *   reached, with `EPERM` when `maxBytes` is over kernel.msgmnb.
   */
  static create(name: QueueName, options?: CreateOptions): MessageQueue {
    return new MessageQueue(name, 'create', options)
  }

  /** Opens the queue, or makes it when there is none. Of a queue that exists, its own sizes hold. */
  static openOrCreate(name: QueueName, options?: CreateOptions): MessageQueue {
    return new MessageQueue(name, 'openOrCreate', options)
  }

  /** The queue's address, `sysv:0x00001234` or `sysv:id=5`. */
  get address(): string {
    return this.#transport.address
  }

  /** The largest message, bytes: the least of kernel.msgmax and the queue's own size. */
  get maxMessageBytes(): number {
    return this.#transport.maxMessageBytes
  }

  /**
   * Sends a message, and waits while the queue is full: msgsnd(2).
   *
   * @throws `IpcError` with `EMSGSIZE` when it is larger than {@link maxMessageBytes}; {@link RemovedError} when
   *   the queue was removed; {@link TimeoutError}; the signal's reason; {@link ClosedError}. Then nothing was sent.
   */
  async send(data: Uint8Array, options?: SendOptions): Promise<void> {
    return this.#channel.send(outgoing(data, options, sendKeys), options)
  }

  /** Sends if there is room now; false when the queue is full, or others wait to send. */
  trySend(data: Uint8Array, options?: TypeOption): boolean {
    return this.#channel.trySend(outgoing(data, options, trySendKeys))
  }

  /** Sends, and blocks the thread while the queue is full. Ctrl-C ends it with `EINTR`. */
  sendSync(data: Uint8Array, options?: SendSyncOptions): void {
    this.#channel.sendSync(outgoing(data, options, sendSyncKeys), options)
  }

  /**
   * Sends many messages in few calls of the addon, in order.
   *
   * @returns How many are in the queue: all of them, unless the time was up or the signal aborted when some
   *   were sent already. When none was, it rejects.
   */
  async sendMany(messages: Iterable<MessageToSend>, options?: WaitOptions): Promise<number> {
    checkOptions(options, waitKeys)
    const batch = Batch.take()
    for (const message of checkIterable('messages', messages)) {
      const { data, type } = checkMessage(message, batch.count)
      batch.addBytes(checkBytes('data', data), type === undefined ? 1 : checkType(type))
    }
    return this.#channel.sendMany(batch, options)
  }

  /**
   * Receives a message that is wanted, and waits for one: msgrcv(2). Calls are served in the order in which
   * they were made.
   *
   * @throws {@link RemovedError} when the queue was removed; {@link TimeoutError}; the signal's reason;
   *   {@link ClosedError}. Then nothing was taken.
   */
  async receive(options?: ReceiveOptions): Promise<Message> {
    return this.#channel.receive(select(options, receiveKeys), takeOne, 1, options)
  }

  /** Receives a message that is wanted, if there is one now. */
  tryReceive(options?: TryReceiveOptions): Message | undefined {
    const message = this.#channel.tryReceive(select(options, tryReceiveKeys), takeOne, 1)
    return message === nothing ? undefined : message
  }

  /** Receives, and blocks the thread until there is a message. Ctrl-C ends it with `EINTR`. */
  receiveSync(options?: ReceiveSyncOptions): Message {
    return this.#channel.receiveSync(select(options, receiveSyncKeys), takeOne, 1, options)
  }

  /** Receives what is there and wanted, at most `max` (1 to 256) messages, and waits for the first. */
  async receiveMany(max: number, options?: ReceiveOptions): Promise<Message[]> {
    checkInteger('max', max, 1, inboxMessages)
    return this.#channel.receive(select(options, receiveKeys), takeMany, max, options)
  }

  /**
   * Reads the message at a position, 0 being the oldest, and leaves it in the queue: MSG_COPY.
   *
   * @throws `IpcError` with `ERR_IPC_UNSUPPORTED` when the kernel was built without CONFIG_CHECKPOINT_RESTORE.
   */
  peek(position = 0): Message | undefined {
    this.#channel.checkOpen()
    checkInteger('position', position, 0, 2 ** 31 - 1)
    return this.#transport.peek(position) ? takeOne(inbox(), 0) : undefined
  }

  /** One look at the queue: IPC_STAT. Read from the kernel each time. */
  stat(): SysvQueueStat {
    this.#channel.checkOpen()
    return this.#transport.stat()
  }

  /**
   * Changes owner, mode or size of the queue: IPC_SET.
   *
   * @throws `IpcError` with `EPERM` when this user is neither owner nor creator, or `maxBytes` is over
   *   kernel.msgmnb.
   */
  set(changes: QueueChanges): void {
    this.#channel.checkOpen()
    checkKeys('changes', checkObject('changes', changes), ['uid', 'gid', 'mode', 'maxBytes'])
    checkOwnership(changes)
    const { maxBytes } = changes
    if (maxBytes !== undefined) checkInteger('maxBytes', maxBytes, 1, 2 ** 32 - 1)
    this.#transport.set(changes)
  }

  /** Gives up this handle. Its waits end with a {@link ClosedError}. The queue stays. */
  async close(): Promise<void> {
    return this.#channel.close()
  }

  /** Removes the queue for everyone, at once: IPC_RMID. Whoever waits, anywhere, gets a {@link RemovedError}. */
  unlink(): void {
    this.#channel.checkOpen()
    this.#transport.unlink()
  }

  [Symbol.dispose](): void {
    void this.close()
  }
}

function outgoing(data: Uint8Array, options: TypeOption | undefined, known: readonly string[]): Outgoing {
  checkBytes('data', data)
  if (options === undefined) return { bytes: data, length: data.length, label: 1 }
  checkKeys('options', checkObject('options', options), known)
  return { bytes: data, length: data.length, label: options.type === undefined ? 1 : checkType(options.type) }
}

function select(options: TryReceiveOptions | undefined, known: readonly string[]): Selector {
  if (options === undefined) return anyMessage
  checkKeys('options', checkObject('options', options), known)
  const { maxBytes, truncate = false } = options
  const selector = selectorOf(options)
  checkBoolean('truncate', truncate)
  if (maxBytes === undefined) return selector
  return { ...selector, maxBytes: checkInteger('maxBytes', maxBytes, 0, 2 ** 31 - 1), truncate }
}
