/**
 * Turns an address into a queue: the one place that knows all transports.
 */

import type { Codec } from './codec/codec.js'
import { refuseForeign } from './foreign-options.js'
import type { How } from './how.js'
import { type CreateOptions as MemoryCreateOptions, MemoryTransport } from './memory/transport.js'
import { checkBoolean, checkObject, wrongType } from './options.js'
import { FifoTransport } from './pipe/fifo-transport.js'
import {
  type CreateOptions as FifoCreateOptions,
  type OpenOptions as FifoOpenOptions,
  openFifoQueue,
} from './pipe/open.js'
import {
  openQueue,
  type CreateOptions as PosixCreateOptions,
  type OpenOptions as PosixOpenOptions,
} from './posix/open.js'
import { PosixTransport } from './posix/transport.js'
import { type Address, parseAddress } from './queue/address.js'
import { Packing } from './queue/packing.js'
import type { Scheme, SchemeOf } from './queue/queue-options.js'
import type { Transport } from './queue/transport.js'
import { TypedQueue } from './queue/typed-queue.js'
import {
  openQueue as openShmQueue,
  type CreateOptions as ShmCreateOptions,
  type OpenOptions as ShmOpenOptions,
} from './shm/open.js'
import { SharedQueue } from './shm/queue.js'
import { ShmTransport } from './shm/transport.js'
import { openTransport, type CreateOptions as SysvCreateOptions } from './sysv/open.js'
import { Channel } from './wait/channel.js'

/** Options of opening a System V queue as a typed one. */
export interface SysvOpenOptions {
  /**
   * Give the queue priorities, 0 to 32,767, which are sent as types: priority p as type 32768 - p. All users of
   * the queue must agree on it; C programs use the types. Default false: types are plain types.
   */
  priorities?: boolean
}

interface OpenOptionsByScheme {
  posix: PosixOpenOptions
  sysv: SysvOpenOptions
  fifo: FifoOpenOptions
  shm: ShmOpenOptions
  memory: Record<never, never>
}

/** What each scheme takes when a queue is made, which is all that it takes. */
export interface CreateOptionsByScheme {
  posix: PosixCreateOptions
  sysv: SysvCreateOptions & SysvOpenOptions
  fifo: FifoCreateOptions
  shm: ShmCreateOptions
  memory: MemoryCreateOptions
}

/** Options of `Queue.open`, by scheme, and the codec. */
export type OpenOptions<S extends Scheme, T, I> = { codec: Codec<T, I> } & OpenOptionsByScheme[S]
/** Options of `Queue.create` and `Queue.openOrCreate`, by scheme, and the codec. */
export type CreateOptions<S extends Scheme, T, I> = { codec: Codec<T, I> } & CreateOptionsByScheme[S]

/** What opening an address gives: over `shm:` a queue that can do more. */
export type QueueOf<S extends Scheme, T, I> = [S] extends ['shm'] ? SharedQueue<T, I> : Queue<T, S, I>

/** Set by the class, whose constructor is no one else's. */
let construct: <T, I>(transport: Transport, codec: Codec<T, I>) => TypedQueue<T, Scheme, I>

/**
 * A typed queue that unrelated processes find by its address. The scheme picks what carries it:
 * `posix:/name`, `sysv:0x1234` (also `sysv:id=5`, `sysv:/path?proj=1`, `sysv:private`), `fifo:/path`, `shm:/name`,
 * `memory:name`.
 *
 * @example
 * ```ts
 * import { json, Queue } from 'ipckit'
 *
 * const jobs = await Queue.openOrCreate('posix:/jobs', { codec: json<Job>(), capacity: 10 })
 * await jobs.put({ id: 7, url }, { priority: 3, timeoutMs: 500 })
 * for await (const job of jobs) await handle(job)
 * ```
 */
export class Queue<T, S extends Scheme = Scheme, I = T> extends TypedQueue<T, S, I> {
  private constructor(transport: Transport, codec: Codec<T, I>) {
    super(new Channel(transport), new Packing(codec, transport))
  }

  // A private method would be declared as a member that no other class has: then a SharedQueue is no Queue to the
  // compiler.
  static {
    construct = (transport, codec) => new Queue(transport, codec)
  }

  /** Queues over `shm:` are of a class of their own, and queues all the same. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof TypedQueue
  }

  /**
   * Opens a queue that exists.
   *
   * @throws {@link NotFoundError} when there is none; `IpcError` with `EACCES` without permission; `RangeError`
   *   when the address is none.
   */
  static async open<const A extends string, T, I = T>(
    address: A,
    options: OpenOptions<SchemeOf<A>, T, I>,
  ): Promise<QueueOf<SchemeOf<A>, T, I>> {
    return make(address, 'open', options)
  }

  /**
   * Makes a queue that does not exist yet.
   *
   * @throws {@link ExistsError} when there is one already; `IpcError` when a limit is in the way: the message
   *   names it and the command that raises it.
   */
  static async create<const A extends string, T, I = T>(
    address: A,
    options: CreateOptions<SchemeOf<A>, T, I>,
  ): Promise<QueueOf<SchemeOf<A>, T, I>> {
    return make(address, 'create', options)
  }

  /** Opens the queue, or makes it when there is none. Of a queue that exists, its own sizes hold. */
  static async openOrCreate<const A extends string, T, I = T>(
    address: A,
    options: CreateOptions<SchemeOf<A>, T, I>,
  ): Promise<QueueOf<SchemeOf<A>, T, I>> {
    return make(address, 'openOrCreate', options)
  }
}

function make<T, S extends Scheme, I>(
  address: string,
  how: How,
  options: { codec: Codec<T, I> },
): QueueOf<S, T, I> {
  const { codec, ...others } = checkObject('options', options) as { codec: Codec<T, I> }
  if (typeof codec?.encode !== 'function' || typeof codec.decode !== 'function') {
    throw wrongType('codec', 'a codec such as json() or struct({...})', codec)
  }
  const parsed = parseAddress(address)
  refuseForeign(address, parsed.scheme, others)
  if (parsed.scheme === 'shm') {
    const handle = openShmQueue(parsed.name, how, codec.name, others)
    return new SharedQueue(new ShmTransport(parsed.name, handle), codec) as QueueOf<S, T, I>
  }
  return construct(transportOf(parsed, how, others), codec) as QueueOf<S, T, I>
}

function transportOf(address: Exclude<Address, { scheme: 'shm' }>, how: How, options: object): Transport {
  switch (address.scheme) {
    case 'posix':
      return new PosixTransport(address.name, openQueue(address.name, how, options), true)
    case 'sysv': {
      const { priorities, ...others } = options as SysvOpenOptions & SysvCreateOptions
      const withPriorities = priorities !== undefined && checkBoolean('priorities', priorities)
      return openTransport(address.name, how, others, withPriorities)
    }
    case 'fifo':
      return new FifoTransport(address.name, openFifoQueue(address.name, how, options))
    case 'memory':
      return new MemoryTransport(address.name, how, options)
  }
}
