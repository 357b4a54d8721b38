/**
 * FIFOs as bytes: fifo(7). Opening never blocks, whoever is missing at the other end; who wants to wait for that says
 * so, with a timeout and a signal. Nothing waits on libuv's pool.
 */
import { constants } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { native } from '../binding.js'
import { errnoOf, type SystemFailure, unsupported } from '../errors.js'
import { type How, openOrMake } from '../how.js'
import {
  checkBytes,
  checkInteger,
  checkKeys,
  checkMode,
  checkObject,
  type WaitOptions,
  wrongType,
} from '../options.js'
import { again } from '../wait/attempt-line.js'
import { End, ReadBuffer, writeAll } from './end.js'
import { failure, pipeError } from './failure.js'
import { checkOwner, checkPath, type OwnerOption } from './path.js'
import { checkRead, checkRoom, checkWaitKeys } from './pipe.js'
import { type ReadableOptions, readableOf, type WritableOptions, writableOf } from './streams.js'

/** What a handle on a FIFO may do. */
export type FifoAccess = 'read' | 'write' | 'readwrite'

/** Options of opening a FIFO. */
export interface FifoOpenOptions extends OwnerOption {
  /**
   * `'read'`: sees the end of the file when the last writer leaves. `'write'`: waits for a reader, and meets `EPIPE` when
   * the last one leaves. `'readwrite'`, the default: is both itself, so that it waits for nobody, loses nothing while it
   * is open, and is never at an end.
   */
  access?: FifoAccess
}

/** Options of making a FIFO. */
export interface FifoCreateOptions extends FifoOpenOptions {
  /** Permission bits, 0 to 0o777, default 0o600. Exact: the umask is not applied. */
  mode?: number
}

/** One look at a FIFO. */
export interface FifoStat {
  readonly path: string
  readonly uid: number
  readonly gid: number
  /** Permission bits, as in `0o600`. */
  readonly mode: number
  /** The name is gone. */
  readonly unlinked: boolean
}

const flags: Record<FifoAccess, number> = {
  read: constants.O_RDONLY,
  write: constants.O_WRONLY,
  readwrite: constants.O_RDWR,
}
/** Names the FIFO without opening it; Node does not list it: open(2). */
const pathOnly = 0o10000000
/** Bits of poll(2). */
const hungUp = 0x10
const broken = 0x8
const defaultRead = 65_536
const maxSize = 2 ** 31 - 1

/**
 * Goes on with less than both directions. What makes a FIFO has it open for both, and is its first writer: a reader must
 * come when that has gone, or it would see the end of the file at once.
 */
function narrow(both: number, path: string, access: FifoAccess): number {
  let place: number
  try {
    place = native.fifoReopen(both, path, pathOnly)
  } finally {
    native.pipeClose(both, 0)
  }
  if (access === 'write') return place
  try {
    return native.fifoReopen(place, path, flags[access])
  } finally {
    native.pipeClose(place, 0)
  }
}

/**
 * A FIFO, open for reading, for writing, or for both.
 *
 * @see {@link https://man7.org/linux/man-pages/man7/fifo.7.html | fifo(7)}
 * @example
 * ```ts
 * import { Fifo } from 'ipckit/pipe'
 *
 * const commands = Fifo.openOrCreate('/run/app/commands', { access: 'read' })
 * for (;;) {
 *   const chunk = await commands.read()
 *   if (chunk === null) console.log('the last writer has left; waiting for the next')
 *   else handle(chunk)
 * }
 * ```
 */
export class Fifo {
  readonly path: string
  readonly access: FifoAccess
  /** What is read and written with; for writing alone it has a descriptor only while there is a reader. */
  readonly #end: End
  /** Names the FIFO while it is not open, for writing alone. */
  readonly #place: End | undefined
  readonly #memory = new ReadBuffer()
  /** Whether a writer has been seen since the last end of the file. */
  #sawWriter = false
  readonly #reading = (bytes: Uint8Array, size: number) => this.#readInto(bytes, size)
  readonly #writing = (bytes: Uint8Array, offset: number) => this.#write(bytes, offset)

  private constructor(path: string, access: FifoAccess, handle: number) {
    const resource = `fifo:${path}`
    this.path = path
    this.access = access
    this.#place = access === 'write' ? new End(resource, handle) : undefined
    this.#end = new End(resource, access === 'write' ? -1 : handle)
  }

  /**
   * Opens a FIFO that exists. Nobody need be at the other end.
   *
   * @throws {@link NotFoundError} when there is none; `IpcError` with `ENOTSUP` when what stands there is no FIFO, with
   *   `ELOOP` when it is a symbolic link, with `EPERM` when it belongs to somebody else, with `EACCES` without permission.
   */
  static open(path: string, options?: FifoOpenOptions): Fifo {
    return Fifo.#make(path, 'open', options)
  }

  /**
   * Makes a FIFO that does not exist yet: mkfifo(3).
   *
   * @throws {@link ExistsError} when there is anything of that name; `IpcError` with `EACCES` without permission.
   */
  static create(path: string, options?: FifoCreateOptions): Fifo {
    return Fifo.#make(path, 'create', options)
  }

  /** Opens the FIFO, or makes it when there is none. */
  static openOrCreate(path: string, options?: FifoCreateOptions): Fifo {
    return Fifo.#make(path, 'openOrCreate', options)
  }

  static #make(name: string, how: How, options: FifoCreateOptions = {}): Fifo {
    const path = checkPath(name)
    const known = how === 'open' ? ['access', 'owner'] : ['access', 'owner', 'mode']
    checkKeys('options', checkObject('options', options), known)
    const { access = 'readwrite' } = options
    if (!Object.hasOwn(flags, access)) throw wrongType('access', "'read', 'write' or 'readwrite'", access)
    const owner = checkOwner(options.owner)
    const mode = options.mode === undefined ? 0o600 : checkMode(options.mode)
    const wanted = access === 'write' ? pathOnly : flags[access]
    const attempt = (action: string, call: () => number) => {
      try {
        return call()
      } catch (error) {
        throw pipeError(error, action, `fifo:${path}`)
      }
    }
    const open = () => attempt('open', () => native.fifoOpen(path, wanted, owner))
    const make = () =>
      attempt('create', () => {
        const both = native.fifoMake(path, mode)
        return access === 'readwrite' ? both : narrow(both, path, access)
      })
    return new Fifo(path, access, openOrMake(how, open, make))
  }

  get closed(): boolean {
    return this.#end.closed
  }

  /**
   * Reads what is there, and waits for the first byte; with `access: 'read'` also for the first writer. Calls are served
   * in the order in which they were made.
   *
   * @param maxBytes - 1 to 2^31 - 1, default 65,536.
   * @returns The bytes, in memory of their own; `null`, once, when the last writer has left and everything was read. The
   *   next call waits for the next writer.
   * @throws {@link TimeoutError}, the signal's reason, {@link ClosedError}: then nothing was read. `IpcError` with
   *   `ERR_IPC_UNSUPPORTED` when it is open for writing alone.
   */
  async read(maxBytes: number = defaultRead, options?: WaitOptions): Promise<Buffer | null> {
    this.#check('read')
    checkRead(maxBytes)
    checkWaitKeys(options)
    return this.#end.reading.run(
      { take: () => this.#memory.chunk(this.#reading, maxBytes) },
      options,
      this.#end.keepsAlive,
    )
  }

  /** Reads what is there now; `undefined` when that is nothing, or others wait to read; `null` as {@link read}. */
  tryRead(maxBytes: number = defaultRead): Buffer | null | undefined {
    this.#check('read')
    checkRead(maxBytes)
    const chunk = this.#end.reading.try({ take: () => this.#memory.chunk(this.#reading, maxBytes) })
    return chunk === again ? undefined : chunk
  }

  /**
   * Reads what is there into memory of the caller's, and waits for the first byte; faster than {@link read}, as memory
   * that was used before is.
   *
   * @param bytes - at least one byte; it must not be used until the promise settles.
   * @returns How many bytes; 0, once, when the last writer has left and everything was read.
   * @throws As {@link read}.
   */
  async readInto(bytes: Uint8Array, options?: WaitOptions): Promise<number> {
    this.#check('read')
    checkRoom(bytes)
    checkWaitKeys(options)
    return this.#end.reading.run({ take: () => this.#readInto(bytes) }, options, this.#end.keepsAlive)
  }

  /** Reads what is there now as {@link readInto}; `undefined` when that is nothing, or others wait to read. */
  tryReadInto(bytes: Uint8Array): number | undefined {
    this.#check('read')
    checkRoom(bytes)
    const length = this.#end.reading.try({ take: () => this.#readInto(bytes) })
    return length === again ? undefined : length
  }

  /**
   * Writes all of it, and waits while the FIFO is full; with `access: 'write'` also for the first reader. Up to 4096
   * bytes (PIPE_BUF) go whole or not at all, and never mix with those of other writers. Calls are served in the order in
   * which they were made. The bytes must not change until the promise settles.
   *
   * @returns How many were written: all, unless the time was up, the signal aborted or the handle was closed when some
   *   had been written. When none had, it rejects.
   * @throws `IpcError` with `EPIPE`, never a signal, when the last reader left while it wrote: what was not read is lost,
   *   and the next call waits for the next reader. {@link TimeoutError}, the signal's reason, {@link ClosedError}: then
   *   nothing was written. `IpcError` with `ERR_IPC_UNSUPPORTED` when it is open for reading alone.
   */
  async write(bytes: Uint8Array, options?: WaitOptions): Promise<number> {
    this.#check('write')
    checkBytes('bytes', bytes)
    checkWaitKeys(options)
    const attempt = writeAll(bytes, this.#writing)
    return this.#end.writing.run(attempt, options, this.#end.keepsAlive)
  }

  /** Writes what there is room for now, and tells how many bytes; 0 also without a reader, or when others wait to write. */
  tryWrite(bytes: Uint8Array): number {
    this.#check('write')
    checkBytes('bytes', bytes)
    if (bytes.length === 0) return 0
    const written = this.#end.writing.try({ take: () => this.#write(bytes, 0) })
    return written === again ? 0 : written
  }

  /**
   * Waits until somebody has the FIFO open for reading. For `access: 'write'`.
   *
   * @throws {@link TimeoutError}, the signal's reason, {@link ClosedError}; {@link RemovedError} when the FIFO was
   *   removed; `IpcError` with `ERR_IPC_UNSUPPORTED` with another access: a handle that reads is a reader itself.
   */
  async waitForReader(options?: WaitOptions): Promise<void> {
    this.#meet('write', 'waiting for a reader')
    checkWaitKeys(options)
    return this.#end.meeting.run(
      { take: () => (this.#hasReader() ? undefined : again) },
      options,
      this.#end.keepsAlive,
    )
  }

  /**
   * Waits until somebody has the FIFO open for writing, or has left something in it. For `access: 'read'`.
   *
   * @throws As {@link waitForReader}.
   */
  async waitForWriter(options?: WaitOptions): Promise<void> {
    this.#meet('read', 'waiting for a writer')
    checkWaitKeys(options)
    return this.#end.meeting.run(
      { take: () => (this.#hasWriter() ? undefined : again) },
      options,
      this.#end.keepsAlive,
    )
  }

  /** Whether somebody has the FIFO open for reading now. For `access: 'write'`. */
  get hasReader(): boolean {
    this.#meet('write', 'asking for readers')
    return this.#hasReader()
  }

  /** Whether somebody has the FIFO open for writing now, or has left something in it. For `access: 'read'`. */
  get hasWriter(): boolean {
    this.#meet('read', 'asking for writers')
    return this.#hasWriter()
  }

  /** Bytes that the FIFO holds: F_GETPIPE_SZ. For writing alone, only while there is a reader. */
  get capacity(): number {
    this.#connect('read the size of')
    return this.#end.capacity(0)
  }

  /**
   * Changes how many bytes the FIFO holds: F_SETPIPE_SZ. The size is gone with the last who has the FIFO open.
   *
   * @param bytes - 1 to 2^31 - 1; the kernel rounds up to a power of two of pages.
   * @returns What the kernel gave.
   * @throws `IpcError` with `EPERM` when it is more than fs.pipe-max-size, or than this user may have; with `EBUSY` when
   *   what is in it would not fit.
   */
  setCapacity(bytes: number): number {
    checkInteger('bytes', bytes, 1, maxSize)
    this.#connect('change the size of')
    return this.#end.capacity(bytes)
  }

  /** Bytes in the FIFO that nobody has read yet: FIONREAD. */
  get unread(): number {
    this.#connect('read the state of')
    return this.#end.unread()
  }

  /**
   * A stream of what is read. With `eof: 'stay'` it outlives its writers: when the last one leaves it emits `eof`, and
   * goes on with the next. It owns this handle: its end, and destroying it, closes it, unless `autoClose` is false.
   */
  readable(options?: ReadableOptions): Readable {
    this.#check('read')
    return readableOf({ end: this.#end, readInto: this.#reading, close: () => this.close() }, options)
  }

  /** A stream of what is written. It owns this handle: ending it, and destroying it, closes it, unless `autoClose` is false. */
  writable(options?: WritableOptions): Writable {
    this.#check('write')
    return writableOf({ end: this.#end, write: this.#writing, close: () => this.close() }, options)
  }

  /** Who owns it, and who may use it: fstat(2). */
  stat(): FifoStat {
    this.#end.checkOpen()
    const out = new Float64Array(4)
    try {
      native.fifoStatus((this.#place ?? this.#end).handle, out)
    } catch (error) {
      throw pipeError(error, 'read the state of', this.#end.address)
    }
    const [uid, gid, mode, linked] = out as unknown as [number, number, number, number]
    return { path: this.path, uid, gid, mode, unlinked: linked === 0 }
  }

  /** Waits of this handle keep the process alive; that is so unless {@link unref} was called. */
  ref(): this {
    this.#end.ref()
    return this
  }

  /** Lets the process end although this handle waits. */
  unref(): this {
    this.#end.unref()
    return this
  }

  /**
   * Removes the name of the FIFO: unlink(2). Those who have it open go on.
   *
   * @throws {@link RemovedError} when the name is gone, or leads to something else by now.
   */
  unlink(): void {
    this.#end.checkOpen()
    try {
      native.fifoUnlink((this.#place ?? this.#end).handle, this.path)
    } catch (error) {
      throw pipeError(error, 'remove', this.#end.address)
    }
  }

  /** Closes this handle; waits end with a {@link ClosedError}. The FIFO stays. Closing twice is silent. */
  async close(): Promise<void> {
    this.#end.close()
    this.#place?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #check(what: 'read' | 'write'): void {
    this.#end.checkOpen()
    if (this.access === what || this.access === 'readwrite') return
    const instead = `it was opened with access: '${this.access}'`
    throw unsupported(this.#end.address, what === 'read' ? 'reading' : 'writing', instead)
  }

  #meet(access: FifoAccess, what: string): void {
    this.#end.checkOpen()
    if (this.access === access) return
    throw unsupported(
      this.#end.address,
      what,
      `it was opened with access: '${this.access}'; open it with access: '${access}'`,
    )
  }

  /** Calls about the pipe itself need it open. */
  #connect(action: string): void {
    this.#end.checkOpen()
    if (this.access !== 'write' || this.#hasReader()) return
    throw failure(errnoOf.ENXIO, 'open', action, this.#end.address)
  }

  #readInto(bytes: Uint8Array, size = bytes.length): number | typeof again {
    const length = this.#end.readInto(bytes, size)
    if (length !== 0) {
      this.#sawWriter = true
      return length
    }
    // Nobody has it open for writing: the end of the file, unless nobody ever had.
    const hadWriter = this.#sawWriter || (native.pipePoll(this.#end.handle) & hungUp) !== 0
    if (!hadWriter) return again
    this.#sawWriter = false
    this.#startAnew()
    return 0
  }

  /** Polled again, this descriptor would tell of the same end for ever: another one knows only of writers to come. */
  #startAnew(): void {
    let handle: number
    try {
      handle = native.fifoReopen(this.#end.handle, this.path, flags.read)
    } catch {
      // Removed, or out of descriptors: the old one still reads, and a writer may still have it open.
      return
    }
    this.#end.replace(handle)
  }

  #write(bytes: Uint8Array, offset: number): number | typeof again {
    if (this.access === 'write' && !this.#open()) return again
    const written = this.#end.writeFrom(bytes, offset)
    if (written >= 0) return written
    if (written === -errnoOf.EAGAIN) return again
    // The next call waits for the next reader.
    if (written === -errnoOf.EPIPE && this.access === 'write') this.#end.replace(-1)
    throw failure(written, 'write', 'write to', this.#end.address)
  }

  /** Opens the FIFO for writing; false while nobody has it open for reading. */
  #open(): boolean {
    if (this.#end.handle >= 0) return true
    try {
      this.#end.replace(native.fifoReopen((this.#place as End).handle, this.path, flags.write))
      return true
    } catch (error) {
      if ((error as SystemFailure).errno === -errnoOf.ENXIO) return false
      throw pipeError(error, 'open', this.#end.address)
    }
  }

  #hasReader(): boolean {
    if (this.#end.handle >= 0 && (native.pipePoll(this.#end.handle) & broken) !== 0) this.#end.replace(-1)
    return this.#open()
  }

  #hasWriter(): boolean {
    const result = native.fifoHasWriter(this.#end.handle)
    if (result < 0) throw failure(result, 'tee', 'wait for a writer of', this.#end.address)
    return result === 1
  }
}
