/**
 * One end of a connection between two processes: values, bytes and descriptors, with Python's names and Python's
 * bytes on the wire (multiprocessing.connection), over a Unix stream socket.
 */
import { native } from '../binding.js'
import type { Codec } from '../codec/codec.js'
import { json } from '../codec/index.js'
import {
  ClosedError,
  closedError,
  EOFError,
  type SystemFailure,
  TimeoutError,
  unsupported,
} from '../errors.js'
import {
  checkBytes,
  checkInteger,
  checkOptions,
  checkSignal,
  checkTimeout,
  outOfRange,
  type SyncWaitOptions,
  syncWaitKeys,
  type WaitOptions,
  waitKeys,
  wrongType,
} from '../options.js'
import { type Attempt, AttemptLine, again } from '../wait/attempt-line.js'
import { checkSyncWait, countdown } from '../wait/countdown.js'
import { heeding, heedSignals } from '../wait/engine.js'
import { KeepAlive } from '../wait/keep-alive.js'
import { adoptSocket, connectSocket, pairOfSockets } from './connect.js'
import { ConnectionCodec } from './connection-codec.js'
import {
  type ConnectionOptions,
  checkConnectionOptions,
  defaultMaxMessageBytes,
} from './connection-options.js'
import type { Socket } from './socket.js'
import { type Arrived, type ArrivedDescriptors, Incoming, maxDescriptorBytes } from './socket-incoming.js'
import { type Outgoing, SocketWriter } from './socket-writer.js'

/** Who was at the other end when the connection was made: SO_PEERCRED of unix(7). */
export interface PeerCredentials {
  /** 0 when it is in a PID namespace that this process does not see. */
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

/** A descriptor that was received. */
export interface ReceivedFd {
  /** Yours from now on: close it with `fs.closeSync`. It is close-on-exec. */
  readonly fd: number
  /** What came with it. */
  readonly bytes: Buffer
}

/** Descriptors that were received together. */
export interface ReceivedFds {
  /** Yours from now on, in the order in which they were sent; each is close-on-exec. */
  readonly fds: number[]
  /** What came with them. */
  readonly bytes: Buffer
  /** True when there were more than were asked for, or than this process had room for: those are closed. */
  readonly truncated: boolean
}

/** Options of receiving descriptors. */
export interface RecvFdsOptions extends WaitOptions {
  /** How many to take at most, 1 to 253, default 253; more that came together are closed. */
  max?: number | undefined
}

/** Options of {@link Connection.connect}. */
export interface ConnectOptions<T, I = T> extends ConnectionOptions<T, I>, WaitOptions {}

/** How many descriptors go at once: SCM_MAX_FD of the kernel. */
const maxDescriptors = 253

/** Makes a connection of a handle of the addon; for the rest of this folder. */
export let connectionOf: <T, I>(
  socket: Socket,
  options: ConnectionOptions<T, I>,
  direction?: { readable: boolean; writable: boolean },
) => Connection<T, I>

/**
 * One end of a connection, as Python's `multiprocessing.connection.Connection`.
 *
 * Messages arrive whole, in order, once. Calls of one direction are served in the order in which they were made. A
 * wait that is cancelled or timed out has taken nothing; a `send` that is ended when a part of its message is on the
 * wire already leaves the rest to follow ({@link unsentBytes}), so that the other end is never confused.
 *
 * @typeParam T - what `recv` gives.
 * @typeParam I - what `send` takes; the same type, unless a schema in between transforms.
 * @see {@link https://man7.org/linux/man-pages/man7/unix.7.html | unix(7)}
 * @see {@link https://docs.python.org/3/library/multiprocessing.html#connection-objects | Python's connections}
 * @example
 * ```ts
 * import { socketPair } from 'ipckit/pipe'
 *
 * const [ours, theirs] = socketPair<{ id: number }>()
 * await ours.send({ id: 7 })
 * console.log(await theirs.recv())
 * ```
 */
export class Connection<T = unknown, I = T> implements AsyncIterable<T> {
  readonly #socket: Socket
  readonly #incoming: Incoming
  readonly #arrivals: AttemptLine
  readonly #writer: SocketWriter
  readonly #codec: ConnectionCodec<T, I>
  readonly #value: Attempt<Arrived, T>
  readonly #bytes: Attempt<Arrived, Buffer>
  readonly #ready: Attempt<true>
  /** True when messages can be received from this end. */
  readonly readable: boolean
  /** True when messages can be sent from this end. */
  readonly writable: boolean
  /** The largest message that is sent or received, bytes. */
  readonly maxMessageBytes: number
  #closed = false
  readonly #alive = new KeepAlive(() => this.#arrivals.waiting || this.#writer.waiting)

  static {
    connectionOf = (socket, options, direction) => new Connection(socket, options, direction)
  }

  private constructor(
    socket: Socket,
    {
      codec = json() as unknown as Codec<T, I>,
      maxMessageBytes = defaultMaxMessageBytes,
    }: ConnectionOptions<T, I>,
    { readable, writable } = { readable: true, writable: true },
  ) {
    this.#socket = socket
    this.readable = readable
    this.writable = writable
    this.maxMessageBytes = maxMessageBytes
    const waitingChanged = () => this.#alive.update()
    const incoming = new Incoming(socket, maxMessageBytes)
    this.#incoming = incoming
    const source = {
      address: socket.address,
      ask: () => socket.ask(0),
      forget: () => socket.forget(0),
      waitingChanged,
    }
    this.#arrivals = new AttemptLine(source, 'receive from')
    this.#writer = new SocketWriter(socket, waitingChanged)
    this.#codec = new ConnectionCodec(codec, socket.address, maxMessageBytes)
    const progress = () => incoming.progress
    const finish = (arrived: Arrived) => this.#codec.decode(arrived)
    this.#value = { take: () => incoming.message(false), finish, progress }
    this.#bytes = { take: () => incoming.message(true), finish: bytesOf, progress }
    this.#ready = { take: incoming.ready }
    socket.listen({ arrival: () => this.#arrivals.onReady(), room: () => this.#writer.onRoom() })
  }

  /**
   * Takes over a descriptor that this process was given: by its parent (`stdio` of `child_process.spawn`), by Python's
   * `pass_fds`, or by {@link recvFd}. From now on it is this object's to close, and close-on-exec.
   *
   * @throws `IpcError` with `EBADF`, `ENOTSOCK`, `EAFNOSUPPORT`, `EPROTOTYPE` or `ENOTCONN` when it is no connected
   *   Unix stream socket, with `EBUSY` when a connection of this thread has it already; the descriptor then stays yours. A pipe is none: give Python's `Pipe()` its default,
   *   `duplex=True`.
   * @example
   * ```ts
   * // The fourth entry of the parent's stdio
   * const parent = Connection.fromFd<Job>(3)
   * for await (const job of parent) await handle(job)
   * ```
   */
  static fromFd<T = unknown, I = T>(fd: number, options: ConnectionOptions<T, I> = {}): Connection<T, I> {
    checkInteger('fd', fd, 0, 2 ** 31 - 1)
    checkConnectionOptions(options)
    return new Connection(adoptSocket(fd), options)
  }

  /**
   * Connects to a {@link Listener} of any process, or to Python's `multiprocessing.connection.Listener` without an
   * authkey. Waits only while the listener's backlog is full.
   *
   * @param path - a path, or a name of the abstract namespace behind a NUL: `'\0name'`. 1 to 107 bytes.
   * @throws {@link NotFoundError} when there is no such file; `IpcError` with `ECONNREFUSED` when nobody listens,
   *   `EACCES` without permission to write to it, `ELOOP` when it is a symbolic link, `ENOTSOCK` when it is no socket;
   *   {@link TimeoutError}; the signal's reason.
   */
  static async connect<T = unknown, I = T>(
    path: string,
    options: ConnectOptions<T, I> = {},
  ): Promise<Connection<T, I>> {
    checkConnectionOptions(options, waitKeys)
    return new Connection(await connectSocket(path, options), options)
  }

  /** What errors call this end. */
  get address(): string {
    return this.#socket.address
  }

  /**
   * The number of the descriptor, for `stdio` of `child_process.spawn` and for {@link sendFd} of another connection. It
   * stays this object's: neither close it nor use it after {@link close}.
   */
  get fd(): number {
    this.#checkOpen()
    return native.socketDescriptor(this.#socket.handle)
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Bytes of a message that was begun and is not yet with the kernel, 0 when there is none: what a `send` that was ended
   * in the middle has left to follow.
   */
  get unsentBytes(): number {
    return this.#writer.unsentBytes
  }

  /**
   * Sends a value; resolves when all of it is with the kernel, which waits for the other end to receive when more
   * than about 200 KiB are on their way.
   *
   * @throws `IpcError` with `EPIPE` when the other end is closed, `EMSGSIZE` when the message is larger than
   *   {@link maxMessageBytes}, `ERR_IPC_ENCODE` when the codec cannot write the value; {@link TimeoutError}, the
   *   signal's reason, {@link ClosedError}. Of the message nothing was sent then, unless the sentence of the error or
   *   {@link unsentBytes} says so.
   */
  async send(value: I, options?: WaitOptions): Promise<void> {
    this.#checkSend(options, waitKeys)
    return this.#writer.send(this.#codec.encode(value), options, this.#alive.wanted)
  }

  /**
   * Sends a value if there is room for any of it now; false when there is none, or others wait to send. What the kernel
   * has no room for follows by itself.
   */
  trySend(value: I): boolean {
    this.#checkSend()
    return this.#writer.trySend(this.#codec.encode(value))
  }

  /** Sends a value, and blocks the thread until all of it is with the kernel. Ctrl-C ends it with `EINTR`. */
  sendSync(value: I, options?: SyncWaitOptions): void {
    this.#checkSend(options, syncWaitKeys)
    this.#sendSync(this.#codec.encode(value), options)
  }

  /** Sends bytes as one message, 0 and more; see {@link send}. */
  async sendBytes(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    this.#checkSend(options, waitKeys)
    return this.#writer.send(this.#outgoing(bytes), options, this.#alive.wanted)
  }

  /** Sends bytes if there is room for any of them now; see {@link trySend}. */
  trySendBytes(bytes: Uint8Array): boolean {
    this.#checkSend()
    return this.#writer.trySend(this.#outgoing(bytes))
  }

  /** Sends bytes, and blocks the thread; see {@link sendSync}. */
  sendBytesSync(bytes: Uint8Array, options?: SyncWaitOptions): void {
    this.#checkSend(options, syncWaitKeys)
    this.#sendSync(this.#outgoing(bytes), options)
  }

  /**
   * Receives the next value, and waits for it.
   *
   * @throws {@link EOFError} when the other end is closed and everything it sent was received; `IpcError` with
   *   `ERR_IPC_TRUNCATED` when it ended amid a message, which says how much came, with `EMSGSIZE` when it announces a
   *   message larger than {@link maxMessageBytes}, with `EPROTO` when a descriptor comes next;
   *   {@link DecodeError} with the bytes; {@link TimeoutError}, the signal's reason, {@link ClosedError}, after which
   *   nothing was taken.
   */
  async recv(options?: WaitOptions): Promise<T> {
    this.#checkRecv(options, waitKeys)
    return this.#arrivals.run(this.#value, options, this.#alive.wanted)
  }

  /** Receives the next value if all of it is here; `undefined` when it is not, or others wait to receive. */
  tryRecv(): T | undefined {
    this.#checkRecv()
    return definedOf(this.#arrivals.try(this.#value))
  }

  /** Receives the next value, and blocks the thread until it is here. Ctrl-C ends it with `EINTR`. */
  recvSync(options?: SyncWaitOptions): T {
    this.#checkRecv(options, syncWaitKeys)
    return this.#recvSync(this.#value, options)
  }

  /** Receives the bytes of the next message, in memory of their own; see {@link recv}. */
  async recvBytes(options?: WaitOptions): Promise<Buffer> {
    this.#checkRecv(options, waitKeys)
    return this.#arrivals.run(this.#bytes, options, this.#alive.wanted)
  }

  /** Receives the bytes of the next message if all of it is here; see {@link tryRecv}. */
  tryRecvBytes(): Buffer | undefined {
    this.#checkRecv()
    return definedOf(this.#arrivals.try(this.#bytes))
  }

  /** Receives the bytes of the next message, and blocks the thread; see {@link recvSync}. */
  recvBytesSync(options?: SyncWaitOptions): Buffer {
    this.#checkRecv(options, syncWaitKeys)
    return this.#recvSync(this.#bytes, options)
  }

  /**
   * Tells whether receiving would find something: a message, of which perhaps only a part is here, a descriptor, or
   * the end. Takes nothing.
   *
   * @param timeoutMs - how long to wait for it, 0 to 2,147,483,647, default 0; `Infinity` waits for ever.
   */
  async poll(timeoutMs = 0, options: Pick<WaitOptions, 'signal'> = {}): Promise<boolean> {
    if (timeoutMs !== Number.POSITIVE_INFINITY) checkTimeout(timeoutMs)
    this.#checkRecv(options, ['signal'])
    const { signal } = options
    if (signal !== undefined && checkSignal(signal).aborted) throw signal.reason
    if (this.#arrivals.try(this.#ready) === true) return true
    if (timeoutMs === 0) return false
    const limit = timeoutMs === Number.POSITIVE_INFINITY ? undefined : timeoutMs
    try {
      return await this.#arrivals.run(this.#ready, { timeoutMs: limit, signal }, this.#alive.wanted)
    } catch (error) {
      if (error instanceof TimeoutError && error !== signal?.reason) return false
      throw error
    }
  }

  /**
   * Sends a descriptor: the other end gets one of its own on the same open file. It stays yours too; close it, if you
   * like, when the promise has settled. On the wire this is Python's `multiprocessing.reduction.send_handle`.
   *
   * @param bytes - what goes with it, 1 to 2048 bytes; default the one byte 1, which Python's `recv_handle` expects.
   *   `socket.recv_fds` takes any.
   * @throws `IpcError` with `EBADF` when it is no open descriptor; see {@link send} for the others.
   */
  async sendFd(fd: number, bytes?: Uint8Array, options?: WaitOptions): Promise<void> {
    checkInteger('fd', fd, 0, 2 ** 31 - 1)
    return this.sendFds([fd], bytes, options)
  }

  /**
   * Sends descriptors together, 1 to 253; see {@link sendFd}.
   *
   * @param bytes - what goes with them, 1 to 2048 bytes; default one byte, their number modulo 256, as Python's
   *   `multiprocessing.reduction.sendfds` has it.
   */
  async sendFds(fds: readonly number[], bytes?: Uint8Array, options?: WaitOptions): Promise<void> {
    this.#checkSend(options, waitKeys)
    if (!Array.isArray(fds)) throw wrongType('fds', 'an array of descriptors', fds)
    if (fds.length < 1 || fds.length > maxDescriptors) {
      throw outOfRange('fds', `1 to ${maxDescriptors} descriptors`, fds)
    }
    for (const fd of fds) checkInteger('fds', fd, 0, 2 ** 31 - 1)
    const data = bytes === undefined ? Uint8Array.of(fds.length) : checkBytes('bytes', bytes)
    if (data.length < 1 || data.length > maxDescriptorBytes) {
      throw outOfRange('bytes', `1 to ${maxDescriptorBytes} bytes`, data)
    }
    const message = { bytes: data, length: data.length, descriptors: Int32Array.from(fds) }
    return this.#writer.send(message, options, this.#alive.wanted)
  }

  /**
   * Receives a descriptor, and waits for it: what {@link sendFd}, Python's `send_handle` or `socket.send_fds` sent. More
   * that came with it are closed.
   *
   * @throws `IpcError` with `EMFILE` when this process has no room for it, and then it stays where it is;
   *   with `EBADMSG` when a message comes next; see {@link recv} for the others.
   * @example
   * ```ts
   * const { fd } = await connection.recvFd()
   * const log = fs.createWriteStream('', { fd })
   * ```
   */
  async recvFd(options?: WaitOptions): Promise<ReceivedFd> {
    this.#checkRecv(options, waitKeys)
    return this.#recvDescriptors(1, options, ({ descriptors, bytes }) => ({
      fd: descriptors[0] as number,
      bytes,
    }))
  }

  /** Receives descriptors that were sent together; see {@link recvFd}. */
  async recvFds(options: RecvFdsOptions = {}): Promise<ReceivedFds> {
    this.#checkRecv(options, [...waitKeys, 'max'])
    const { max = maxDescriptors, ...wait } = options
    checkInteger('max', max, 1, maxDescriptors)
    return this.#recvDescriptors(max, wait, ({ descriptors, bytes, truncated }) => ({
      fds: descriptors,
      bytes,
      truncated,
    }))
  }

  /** Who was at the other end when the connection was made; of a {@link socketPair} that is who made it. */
  peerCredentials(): PeerCredentials {
    this.#checkOpen()
    const out = new Float64Array(3)
    try {
      native.socketPeer(this.#socket.handle, out)
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      throw this.#socket.error(errno, syscall, 'read the peer of')
    }
    const [pid, uid, gid] = out as unknown as [number, number, number]
    return { pid, uid, gid }
  }

  /**
   * Receives values until the other end is closed, or this one. Breaking out of the loop closes nothing, and what it
   * had not received is still there.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    this.#checkRecv()
    const end: IteratorReturnResult<undefined> = { value: undefined, done: true }
    const waits = new Set<Promise<unknown>>()
    let ended = false
    return {
      next: async () => {
        if (ended || this.#closed) return end
        let wait: Promise<T> | undefined
        try {
          wait = this.#arrivals.run(this.#value, undefined, this.#alive.wanted)
          waits.add(wait)
          return { value: await wait, done: false }
        } catch (error) {
          if (error === end || error instanceof ClosedError || error instanceof EOFError) return end
          throw error
        } finally {
          if (wait !== undefined) waits.delete(wait)
        }
      },
      return: async () => {
        ended = true
        // What they would take, nobody would see.
        for (const wait of waits) this.#arrivals.withdraw(wait, end)
        return end
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  /** Waits of this end keep the process alive; that is so unless {@link unref} was called. */
  ref(): this {
    this.#alive.wanted = true
    this.#arrivals.ref()
    this.#writer.ref()
    return this
  }

  /** Lets the process end although this end waits. */
  unref(): this {
    this.#alive.wanted = false
    this.#arrivals.unref()
    this.#writer.unref()
    return this
  }

  /**
   * Closes this end: waits end with a {@link ClosedError}, and the other end finds the end of the stream after what was
   * sent, unless another process has this end too. Closing twice is silent.
   */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const reason = () => closedError(this.address) as ClosedError
    this.#arrivals.close(reason)
    this.#writer.close(reason)
    this.#incoming.close()
    this.#socket.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  [Symbol.dispose](): void {
    void this.close()
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError(this.address)
  }

  #checkSend(options?: object, known: readonly string[] = []): void {
    this.#checkOpen()
    checkOptions(options, known)
    if (!this.writable) throw unsupported(this.address, 'sending', 'this is the receiving end of the pair')
  }

  #checkRecv(options?: object, known: readonly string[] = []): void {
    this.#checkOpen()
    checkOptions(options, known)
    if (!this.readable) throw unsupported(this.address, 'receiving', 'this is the sending end of the pair')
  }

  #outgoing(bytes: Uint8Array): Outgoing {
    const { length } = checkBytes('bytes', bytes)
    this.#codec.refuseIfTooLarge(length)
    return { bytes, length }
  }

  #sendSync(message: Outgoing, options: SyncWaitOptions | undefined): void {
    checkSyncWait(options)
    heed()
    this.#writer.sendSync(message, countdown(this.address, 'send to', options))
  }

  #recvSync<A, R>(attempt: Attempt<A, R>, options: SyncWaitOptions | undefined): R {
    checkSyncWait(options)
    heed()
    const timeLeft = countdown(this.address, 'receive from', options)
    return this.#arrivals.sync(attempt, () => this.#socket.block(0, timeLeft()))
  }

  #recvDescriptors<R>(
    max: number,
    options: WaitOptions | undefined,
    finish: (arrived: ArrivedDescriptors) => R,
  ): Promise<R> {
    const take = () => this.#incoming.descriptors(max)
    return this.#arrivals.run({ take, finish }, options, this.#alive.wanted)
  }
}

/**
 * Makes two ends that are connected with each other, as Python's `multiprocessing.Pipe()`: socketpair(2).
 *
 * With `duplex: false` the first end only receives and the second only sends.
 *
 * @throws `IpcError` with `EMFILE` when this process has too many descriptors open.
 * @see {@link https://man7.org/linux/man-pages/man2/socketpair.2.html | socketpair(2)}
 * @example
 * ```ts
 * const [ours, theirs] = socketPair({ codec: json<Job>() })
 * const child = spawn('python3', ['worker.py'], { stdio: ['inherit', 'inherit', 'inherit', theirs.fd] })
 * await theirs.close() // The child has its own now; ours sees its end.
 * await ours.send({ id: 7 })
 * ```
 */
export function socketPair<T = unknown, I = T>(
  options: SocketPairOptions<T, I> = {},
): [Connection<T, I>, Connection<T, I>] {
  checkConnectionOptions(options, ['duplex'])
  const { duplex = true, ...others } = options
  if (typeof duplex !== 'boolean') throw wrongType('duplex', 'true or false', duplex)
  const [first, second] = pairOfSockets(duplex)
  return [
    connectionOf(first, others, { readable: true, writable: duplex }),
    connectionOf(second, others, { readable: duplex, writable: true }),
  ]
}

/** Options of {@link socketPair}. */
export interface SocketPairOptions<T, I = T> extends ConnectionOptions<T, I> {
  /** Whether both ends send and receive; default true. */
  duplex?: boolean
}

function heed(): void {
  if (!heeding()) heedSignals()
}

function bytesOf({ bytes, offset, length, memory }: Arrived): Buffer {
  const view = bytes.subarray(offset, offset + length)
  // A message that was begun for recv() may lie in memory that is larger by far.
  if (memory === undefined || memory.length > length) return Buffer.from(view)
  return Buffer.from(view.buffer, view.byteOffset, length)
}

function definedOf<R>(result: R | typeof again): R | undefined {
  return result === again ? undefined : (result as R)
}
