/**
 * The typed queue over any transport: values in, values out. It encodes and decodes; a channel waits.
 */
import { unsupported } from '../errors.js'
import { checkInteger, checkIterable, checkObject, checkOptions, syncWaitKeys, waitKeys } from '../options.js'
import type { Channel } from '../wait/channel.js'
import { Handle } from '../wait/handle.js'
import { inboxMessages } from '../wait/inbox.js'
import { nothing, type Take } from '../wait/receive-line.js'
import { iterate } from './iterate.js'
import type { Packing } from './packing.js'
import type {
  Envelope,
  GetOptions,
  GetSyncOptions,
  PutOptions,
  PutSyncOptions,
  Scheme,
  TryGetOptions,
  TryPutOptions,
} from './queue-options.js'
import {
  type QueueReadable,
  type QueueWritable,
  type ReadableOptions,
  readableOf,
  writableOf,
} from './streams.js'
import type {
  Capabilities,
  GetSelector,
  Outgoing,
  PutLabel,
  QueueStat,
  Selector,
  Transport,
} from './transport.js'

const putting = ['priority', 'type']
const getting = ['type', 'maxType', 'except']
const trying: string[] = []

/**
 * A queue of values of type `T`.
 *
 * @typeParam T - what `get` gives.
 * @typeParam S - the scheme of its address, which decides what the options are.
 * @typeParam I - what `put` takes; `T`, unless the codec's schema transforms.
 */
export class TypedQueue<T, S extends Scheme = Scheme, I = T>
  extends Handle
  implements AsyncIterable<T, undefined>
{
  readonly #transport: Transport
  readonly #channel: Channel
  readonly #packing: Packing<T, I>
  readonly #takeValue: Take<T>
  readonly #takeResult: Take<IteratorYieldResult<T>>
  readonly #takeValues: Take<T[]>
  readonly #takeEnvelope: Take<Envelope<T, S>>

  constructor(channel: Channel, packing: Packing<T, I>) {
    super(channel)
    this.#transport = channel.transport
    this.#channel = channel
    this.#packing = packing
    this.#takeValue = (box, at) => packing.decode(box, at)
    this.#takeResult = (box, at) => ({ value: packing.decode(box, at), done: false })
    this.#takeValues = (box, first, count) => packing.decodeMany(box, first, count)
    this.#takeEnvelope = (box, at) =>
      ({ value: packing.decode(box, at), ...this.#transport.facts(box.label(at)) }) as Envelope<T, S>
  }

  /** The queue's address. */
  get address(): string {
    return this.#transport.address
  }

  /** What this transport can do. */
  get capabilities(): Capabilities {
    return this.#transport.capabilities
  }

  /** The largest message that the queue takes, bytes, after encoding. */
  get maxMessageBytes(): number {
    return this.#transport.maxMessageBytes
  }

  /**
   * Puts a value into the queue, and waits while it is full. Calls are served in the order in which they were
   * made.
   *
   * @throws `IpcError` with `ERR_IPC_ENCODE` when the codec cannot write the value, with `EMSGSIZE` when it is
   *   larger than {@link maxMessageBytes}; {@link TimeoutError}; the signal's reason; {@link ClosedError};
   *   {@link RemovedError} where the transport tells. Then nothing was put.
   * @example
   * ```ts
   * await jobs.put({ id: 7 }, { priority: 3, timeoutMs: 500 })
   * ```
   */
  put(value: I, options?: PutOptions<S>): Promise<void> {
    try {
      return this.#channel.send(this.#outgoing(value, options, waitKeys), options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Puts a value if there is room now; false when the queue is full, or others wait to put. */
  tryPut(value: I, options?: TryPutOptions<S>): boolean {
    return this.#channel.trySend(this.#outgoing(value, options, trying))
  }

  /**
   * Puts a value, and blocks the thread while the queue is full. Ctrl-C ends it with `EINTR`.
   *
   * @throws As {@link put}; `ERR_IPC_UNSUPPORTED` where it would block and the transport cannot.
   */
  putSync(value: I, options?: PutSyncOptions<S>): void {
    this.#channel.sendSync(this.#outgoing(value, options, syncWaitKeys), options)
  }

  /**
   * Puts many values in few calls of the addon, in order. All are encoded first: when one cannot be, none is put.
   *
   * @returns How many are in the queue: all of them, unless the time was up, the signal aborted or the queue
   *   failed when some were there already. When none was, it rejects.
   */
  putMany(values: Iterable<I>, options?: PutOptions<S>): Promise<number> {
    try {
      this.#checkOptions(options, putting, waitKeys)
      const label = this.#transport.label(options as PutLabel)
      const all = this.#packing.many(checkIterable('values', values), label)
      return Array.isArray(all)
        ? this.#channel.sendEach(all, label, options)
        : this.#channel.sendMany(all, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Takes the next value, and waits for one. Calls are served in the order in which they were made.
   *
   * @throws {@link DecodeError} when the codec cannot read the message, which has left the queue: its bytes are
   *   on the error; {@link TimeoutError}, the signal's reason, {@link ClosedError}, {@link RemovedError} where the
   *   transport tells: then nothing was taken.
   * @example
   * ```ts
   * const job = await jobs.get({ timeoutMs: 1000 })
   * ```
   */
  get(options?: GetOptions<S>): Promise<T> {
    return this.#receive(this.#takeValue, 1, options)
  }

  /** Takes the next value if there is one now, else `undefined`. */
  tryGet(options?: TryGetOptions<S>): T | undefined {
    const value = this.#channel.tryReceive(this.#selector(options, trying), this.#takeValue, 1)
    return value === nothing ? undefined : value
  }

  /**
   * Takes the next value, and blocks the thread until there is one. Ctrl-C ends it with `EINTR`.
   *
   * @throws As {@link get}; `ERR_IPC_UNSUPPORTED` where it would block and the transport cannot.
   */
  getSync(options?: GetSyncOptions<S>): T {
    return this.#channel.receiveSync(this.#selector(options, syncWaitKeys), this.#takeValue, 1, options)
  }

  /**
   * Takes what is there, at most `max` (1 to 256) values, and waits for the first.
   *
   * @throws As {@link get}. A {@link DecodeError} has in `batch` the values that could be decoded, and one error
   *   for each that could not.
   */
  getMany(max: number, options?: GetOptions<S>): Promise<T[]> {
    try {
      checkInteger('max', max, 1, inboxMessages)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#receive(this.#takeValues, max, options)
  }

  /** Takes the next value as {@link get} does, with its priority or type. */
  receive(options?: GetOptions<S>): Promise<Envelope<T, S>> {
    return this.#receive(this.#takeEnvelope, 1, options)
  }

  /**
   * Reads the value at a position, 0 being the next, and leaves it in the queue; `undefined` when there is none.
   *
   * @throws `IpcError` with `ERR_IPC_UNSUPPORTED` where the transport cannot peek.
   */
  peek(position = 0): T | undefined {
    this.#channel.checkOpen()
    checkInteger('position', position, 0, 2 ** 31 - 1)
    if (this.#transport.peek === undefined) {
      throw unsupported(
        this.address,
        'peeking',
        'the kernel offers no way to read a message without taking it',
      )
    }
    return this.#transport.peek(position) ? this.#packing.decodeOnly() : undefined
  }

  /**
   * Takes values for ever. The loop ends when this handle is closed; breaking out of it closes nothing. One value
   * at a time is taken, so a process that dies in the loop loses the one it was working on and no more.
   *
   * @example
   * ```ts
   * for await (const job of jobs) await handle(job)
   * ```
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
    return this.values()
  }

  /** The iterator of `for await`, with the options of {@link get}. */
  values(options?: GetOptions<S>): AsyncIterableIterator<T, undefined> {
    return iterate(this.#channel, this.#selector(options, waitKeys), this.#takeResult, options)
  }

  /**
   * A stream of values, in object mode. It ends when this handle is closed or the queue was shut down; destroying it
   * closes nothing. A value is taken when somebody reads the stream, so destroying it, a failing `pipeline` and breaking
   * out of its loop lose none, unless `highWaterMark` says that some are read ahead. What the streams behind it have
   * buffered is theirs: a destination with a `highWaterMark` of 1 has one.
   *
   * @throws `TypeError` or `RangeError` when an option is none.
   * @example
   * ```ts
   * await pipeline(jobs.readable(), new Writable({ objectMode: true, highWaterMark: 1, write }))
   * ```
   */
  readable(options?: ReadableOptions & GetOptions<S>): QueueReadable<T> {
    const { highWaterMark = 0, ...getting } = (
      options === undefined ? {} : checkObject('options', options)
    ) as ReadableOptions & GetOptions<S>
    checkInteger('highWaterMark', highWaterMark, 0, 2 ** 20)
    const selector = this.#selector(getting as unknown as GetOptions<S>, waitKeys)
    return readableOf(this.#channel, selector, this.#takeValue, getting, highWaterMark)
  }

  /** A stream into the queue, in object mode, with the back-pressure of the queue. Ending it closes nothing. */
  writable(options?: PutOptions<S>): QueueWritable<I> {
    this.#checkOptions(options, putting, waitKeys)
    return writableOf(this, options)
  }

  /** One look at the queue, read anew each time. */
  stat(): QueueStat {
    this.#channel.checkOpen()
    return this.#transport.stat()
  }

  /** Gives up this handle; the queue and its messages stay. Waits end with a {@link ClosedError}, loops end. */
  close(): Promise<void> {
    return this.#channel.close()
  }

  /** Removes the queue for everyone; the docs say for each transport what becomes of those who have it open. */
  async unlink(): Promise<void> {
    this.#channel.checkOpen()
    this.#transport.unlink()
  }

  #receive<R>(take: Take<R>, max: number, options: GetOptions<S> | undefined): Promise<R> {
    try {
      return this.#channel.receive(this.#selector(options, waitKeys), take, max, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #outgoing(value: I, options: TryPutOptions<S> | undefined, others: readonly string[]): Outgoing {
    this.#channel.checkOpen()
    this.#checkOptions(options, putting, others)
    const label = this.#transport.label(options as PutLabel)
    return this.#packing.one(value, label)
  }

  #selector(options: TryGetOptions<S> | undefined, others: readonly string[]): Selector {
    this.#checkOptions(options, getting, others)
    return this.#transport.selector(options as GetSelector)
  }

  #checkOptions(options: object | undefined, known: readonly string[], others: readonly string[]): void {
    if (options !== undefined) checkOptions(options, [...known, ...others])
  }
}
