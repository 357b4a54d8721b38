/** A typed queue in shared memory: what only such a queue can do, on top of what every queue does. */
import type { Codec } from '../codec/codec.js'
import { closedError, type DecodeError } from '../errors.js'
import {
  checkBoolean,
  checkInteger,
  checkKeys,
  checkObject,
  checkOptions,
  checkTimeout,
  type SyncWaitOptions,
  syncWaitKeys,
  type WaitOptions,
  waitKeys,
} from '../options.js'
import { iterate } from '../queue/iterate.js'
import { Packing } from '../queue/packing.js'
import type { Selector } from '../queue/transport.js'
import { TypedQueue } from '../queue/typed-queue.js'
import { Channel } from '../wait/channel.js'
import { type Inbox, inboxMessages } from '../wait/inbox.js'
import { nothing } from '../wait/receive-line.js'
import { JoinLine } from './join-line.js'
import { Lease, type LeaseOrigin, rejectDelivery } from './lease.js'
import { deliveryOf, type ShmQueueStat, type ShmTransport } from './transport.js'

/** Options of taking a message on lease. */
export interface LeaseOptions {
  /**
   * After so many milliseconds, 0 to 2,147,483,647, the message is delivered to someone else unless it was settled or
   * extended. Default 0: no limit; the death of the holder ends a lease in any case.
   */
  leaseMs?: number | undefined
}

/**
 * A queue in shared memory that survives its users: whoever is killed, and wherever, the others go on. Made by
 * `Queue.open`, `create` and `openOrCreate` with a `shm:` address.
 *
 * `get` takes a message for good. {@link lease} takes it until it is settled: a message whose holder dies is delivered
 * again, and says so.
 *
 * @example
 * ```ts
 * import { json, Queue } from 'ipckit'
 *
 * const jobs = await Queue.openOrCreate('shm:/jobs', { codec: json<Job>(), maxDeliveries: 5, deadLetters: 100 })
 * for await (const lease of jobs.leases({ leaseMs: 60_000 })) {
 *   await work(lease.value)
 *   lease.ack()
 * }
 * ```
 */
export class SharedQueue<T, I = T> extends TypedQueue<T, 'shm', I> {
  readonly #transport: ShmTransport
  readonly #channel: Channel
  readonly #packing: Packing<T, I>
  readonly #joins: JoinLine
  readonly #origin: LeaseOrigin
  readonly #takeLease = (box: Inbox, at: number): Lease<T> => this.#leaseOf(box, at)
  readonly #takeLeases = (box: Inbox, first: number, count: number) => this.#leasesOf(box, first, count)
  readonly #takeResult = (box: Inbox, at: number): IteratorYieldResult<Lease<T>> => ({
    value: this.#leaseOf(box, at),
    done: false,
  })

  /** @internal */
  constructor(transport: ShmTransport, codec: Codec<T, I>) {
    const channel = new Channel(transport)
    const packing = new Packing(codec, transport)
    super(channel, packing)
    this.#transport = transport
    this.#channel = channel
    this.#packing = packing
    this.#joins = new JoinLine(transport)
    const { handle, address } = transport
    this.#origin = { handle, address, checkOpen: () => channel.checkOpen() }
  }

  /**
   * Takes the next message and holds it until it is settled; waits for one.
   *
   * @throws As {@link TypedQueue.get}; `IpcError` with `ERR_IPC_PREFETCH` when this handle holds as many as its
   *   `prefetch` allows. A message that cannot be decoded is rejected: it becomes a dead letter, and its bytes are on
   *   the {@link DecodeError}.
   */
  async lease(options?: LeaseOptions & WaitOptions): Promise<Lease<T>> {
    return this.#channel.receive(leaseSelector(options, waitKeys), this.#takeLease, 1, options)
  }

  /** Takes the next message on lease if there is one now. */
  tryLease(options?: LeaseOptions): Lease<T> | undefined {
    const lease = this.#channel.tryReceive(leaseSelector(options, []), this.#takeLease, 1)
    return lease === nothing ? undefined : lease
  }

  /** Takes the next message on lease, and blocks the thread until there is one. Ctrl-C ends it with `EINTR`. */
  leaseSync(options?: LeaseOptions & SyncWaitOptions): Lease<T> {
    const selector = leaseSelector(options, syncWaitKeys)
    return this.#channel.receiveSync(selector, this.#takeLease, 1, options)
  }

  /** Takes what is there on lease, at most `max` (1 to 256) messages, and waits for the first. */
  async leaseMany(max: number, options?: LeaseOptions & WaitOptions): Promise<Lease<T>[]> {
    checkInteger('max', max, 1, inboxMessages)
    return this.#channel.receive(leaseSelector(options, waitKeys), this.#takeLeases, max, options)
  }

  /** Takes messages on lease, one at a time, for ever; ends when this handle is closed or the queue was shut down. */
  leases(options?: LeaseOptions & WaitOptions): AsyncIterableIterator<Lease<T>, undefined> {
    return iterate(this.#channel, leaseSelector(options, waitKeys), this.#takeResult, options)
  }

  /** Takes the oldest message that was given up, for good; `undefined` when there is none. */
  tryGetDeadLetter(): T | undefined {
    this.#channel.checkOpen()
    return this.#transport.takeDeadLetter() ? this.#packing.decodeOnly() : undefined
  }

  /**
   * The work on the oldest value that `get` brought is done. For queues that were made with `joinable`.
   *
   * @throws `IpcError` with `ERR_IPC_TASKS` when it is called more often than values were got.
   */
  taskDone(): void {
    this.#channel.checkOpen()
    this.#transport.taskDone()
  }

  /**
   * Resolves when every message that was put has been settled: got, or on a `joinable` queue done, acknowledged or
   * given up.
   */
  async join(options?: WaitOptions): Promise<void> {
    this.#channel.checkOpen()
    checkOptions(options, waitKeys)
    return this.#joins.join(options)
  }

  /**
   * Ends the work of the queue for every process: puts fail with a {@link ShutdownError} from now on; gets go on until
   * the queue is empty and then fail likewise, or at once with `immediate`. Loops and readable streams end.
   */
  shutdown(options: { immediate?: boolean } = {}): void {
    checkKeys('options', checkObject('options', options), ['immediate'])
    const { immediate = false } = options
    checkBoolean('immediate', immediate)
    this.#channel.checkOpen()
    this.#transport.shutdown(immediate)
  }

  /** Removes every message that nobody holds, and says how many. */
  clear(): number {
    this.#channel.checkOpen()
    return this.#transport.clear()
  }

  override stat(): ShmQueueStat {
    this.#channel.checkOpen()
    return this.#transport.stat()
  }

  override ref(): this {
    this.#joins.ref()
    return super.ref()
  }

  override unref(): this {
    this.#joins.unref()
    return super.unref()
  }

  /** Gives up this handle, and gives back what it holds on lease. */
  override async close(): Promise<void> {
    this.#joins.close(() => closedError(this.address))
    return super.close()
  }

  #leaseOf(box: Inbox, at: number): Lease<T> {
    const label = box.label(at)
    const facts = this.#transport.facts(label) as { priority: number; deliveryCount: number }
    try {
      return new Lease(this.#packing.decode(box, at), facts, deliveryOf(label), this.#origin)
    } catch (error) {
      // Delivered again, it would fail again.
      rejectDelivery(this.#origin.handle, deliveryOf(label))
      throw error
    }
  }

  #leasesOf(box: Inbox, first: number, count: number): Lease<T>[] {
    const leases: Lease<T>[] = []
    const failures: DecodeError[] = []
    for (let at = first; at < first + count; at++) {
      try {
        leases.push(this.#leaseOf(box, at))
      } catch (error) {
        failures.push(error as DecodeError)
      }
    }
    const [failure] = failures
    if (failure === undefined) return leases
    failure.batch = { values: leases, failures }
    throw failure
  }
}

function leaseSelector(options: LeaseOptions | undefined, others: readonly string[]): Selector {
  if (options === undefined) return plainLease
  checkKeys('options', checkObject('options', options), ['leaseMs', ...others])
  const { leaseMs = 0 } = options
  return leaseMs === 0 ? plainLease : { ...plainLease, lease: checkTimeout(leaseMs, 'leaseMs') }
}

const plainLease: Selector = { type: 0, except: false, lease: 0 }
