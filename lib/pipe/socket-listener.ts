/** A name at which unrelated processes connect: socket(2), bind(2), listen(2), accept(2) on a Unix stream socket. */
import { native } from '../binding.js'
import { closedError, errnoOf, type IpcError, type SystemFailure, systemError } from '../errors.js'
import {
  checkBoolean,
  checkInteger,
  checkMode,
  checkOptions,
  type WaitOptions,
  waitKeys,
} from '../options.js'
import { type Attempt, AttemptLine, again } from '../wait/attempt-line.js'
import { expect, forget, newToken } from '../wait/engine.js'
import { closeWhenForgotten, wasClosed } from '../wait/forgotten.js'
import { KeepAlive } from '../wait/keep-alive.js'
import { addressOf, checkSocketName } from './connect.js'
import { type Connection, connectionOf } from './connection.js'
import { type ConnectionOptions, checkConnectionOptions } from './connection-options.js'
import { Socket } from './socket.js'

/** Options of {@link Listener.listen}; those of connections hold for the ones that are accepted. */
export interface ListenOptions<T, I = T> extends ConnectionOptions<T, I> {
  /**
   * Permission bits of the socket's file, 0 to 0o777, default 0o600: who may connect needs to write. Exact: the umask
   * is not applied. A name of the abstract namespace has none: anybody in the network namespace may connect.
   */
  mode?: number
  /** How many connections wait to be accepted, 1 to 2^31 - 1, default 128; fs.somaxconn limits it. */
  backlog?: number
  /**
   * Whether a socket file of this user that nobody listens at any more, left by a process that was killed, makes room.
   * Default false: it is refused with `EADDRINUSE`. A link, another file or one of another user is never removed.
   */
  replaceStale?: boolean
}

/**
 * Accepts connections of other processes, as Python's `multiprocessing.connection.Listener` without an authkey.
 *
 * Its file goes when it is closed, if it is still its own.
 *
 * @see {@link https://man7.org/linux/man-pages/man7/unix.7.html | unix(7)}
 * @example
 * ```ts
 * import { Connection, Listener } from 'ipckit/pipe'
 *
 * const listener = Listener.listen('/run/user/1000/logs.sock')
 * const connection = await listener.accept()
 * const { uid } = connection.peerCredentials()
 * ```
 */
export class Listener<T = unknown, I = T> implements AsyncIterable<Connection<T, I>> {
  /** `unix:/path`, or `unix:@name` of the abstract namespace. */
  readonly address: string
  readonly #handle: number
  readonly #token = newToken()
  readonly #line: AttemptLine
  readonly #accept: Attempt<number, Connection<T, I>>
  #closed = false
  readonly #alive = new KeepAlive(() => this.#line.waiting)

  private constructor(handle: number, address: string, options: ConnectionOptions<T, I>) {
    this.address = address
    this.#handle = handle
    const token = this.#token
    const source = {
      address,
      ask: () => this.#ask(),
      forget: () => forget(token),
      waitingChanged: () => this.#alive.update(),
    }
    this.#line = new AttemptLine(source, 'accept a connection of')
    this.#accept = {
      take: () => {
        const accepted = native.listenerAccept(handle)
        if (accepted === -errnoOf.EAGAIN) return again
        if (accepted < 0) throw this.#error(accepted, 'accept4')
        return accepted
      },
      finish: (accepted) => connectionOf<T, I>(new Socket(accepted, `${address} (accepted)`), options),
    }
    closeWhenForgotten(this, () => native.listenerClose(handle, token))
  }

  /**
   * Listens at a name.
   *
   * @param path - a path, or a name of the abstract namespace behind a NUL: `'\0name'`. 1 to 107 bytes.
   * @throws `IpcError` with `EADDRINUSE` when the name is taken: the sentence says by what; with `ENOENT` or `EACCES` when
   *   the folder is not there or may not be written to.
   */
  static listen<T = unknown, I = T>(path: string, options: ListenOptions<T, I> = {}): Listener<T, I> {
    const name = checkSocketName(path)
    checkConnectionOptions(options, ['mode', 'backlog', 'replaceStale'])
    const { mode = 0o600, backlog = 128, replaceStale = false, ...others } = options
    checkMode(mode)
    checkInteger('backlog', backlog, 1, 2 ** 31 - 1)
    checkBoolean('replaceStale', replaceStale)
    try {
      const handle = native.listenerOpen(name, mode, backlog, replaceStale ? 1 : 0)
      return new Listener(handle, addressOf(name), others)
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      const resource = addressOf(name)
      throw systemError({ errno, syscall, action: 'listen at', resource, advice: advise(errno, name) })
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Accepts the next connection, and waits for one. Calls are served in order.
   *
   * @throws {@link TimeoutError}; the signal's reason; {@link ClosedError}; `IpcError` with `EMFILE` when this process has
   *   too many descriptors open: who wants to connect then waits on.
   */
  async accept(options?: WaitOptions): Promise<Connection<T, I>> {
    this.#checkOpen()
    checkOptions(options, waitKeys)
    return this.#line.run(this.#accept, options, this.#alive.wanted)
  }

  /** Accepts a connection if somebody has connected. */
  tryAccept(): Connection<T, I> | undefined {
    this.#checkOpen()
    const accepted = this.#line.try(this.#accept)
    return accepted === again ? undefined : (accepted as Connection<T, I>)
  }

  /** Accepts connections until this listener is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Connection<T, I>, void, undefined> {
    while (!this.#closed) {
      try {
        yield await this.#line.run(this.#accept, undefined, this.#alive.wanted)
      } catch (error) {
        if (this.#closed) return
        throw error
      }
    }
  }

  /** Waits of this listener keep the process alive; that is so unless {@link unref} was called. */
  ref(): this {
    this.#alive.wanted = true
    this.#line.ref()
    return this
  }

  /** Lets the process end although this listener waits. */
  unref(): this {
    this.#alive.wanted = false
    this.#line.unref()
    return this
  }

  /**
   * Ends listening, and removes the file if it is still this listener's. Waits end with a {@link ClosedError}, who has
   * connected and was not accepted finds the end of the stream; accepted connections stay. Closing twice is silent.
   */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#line.close(() => closedError(this.address))
    wasClosed(this)
    forget(this.#token)
    native.listenerClose(this.#handle, this.#token)
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

  #ask(): void {
    expect(this.#token, () => {
      forget(this.#token)
      this.#line.onReady()
    })
    const result = native.listenerArm(this.#handle, this.#token)
    if (result < 0) throw this.#error(result, 'epoll_ctl')
  }

  #error(errno: number, syscall: string): IpcError {
    const advice =
      errno === -errnoOf.EMFILE
        ? 'this process has too many descriptors open; close some, or raise the limit with: ulimit -n'
        : undefined
    return systemError({ errno, syscall, action: 'accept a connection of', resource: this.address, advice })
  }
}

/** What native.socketFile says, as sentences. */
const taken = [
  undefined,
  'there is a symbolic link, which is never replaced; remove it if it is yours',
  'there is another file; choose another name',
  'there is a socket of another user; choose a folder that only you may write to',
  'there is a socket that nobody listens at any more, left by a process that was killed; listen with replaceStale: true, or remove the file',
  'somebody listens there already',
]

function advise(errno: number, name: string): string | undefined {
  switch (-errno) {
    case errnoOf.EADDRINUSE:
      return name.startsWith('\0') ? 'somebody listens there already' : taken[native.socketFile(name)]
    case errnoOf.ENOENT:
      return 'there is no such folder'
    case errnoOf.EACCES:
      return 'this user may not make files in that folder'
    case errnoOf.EBUSY:
      return 'another process holds the lock (flock) of the folder'
    default:
      return undefined
  }
}
