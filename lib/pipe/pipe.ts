/**
 * Anonymous pipes: pipe(7). Two ends of one stream of bytes, inside this process or, handed over, in its children.
 * Nothing waits on libuv's pool.
 */
import type { Readable, Writable } from 'node:stream'
import { native } from '../binding.js'
import { errnoOf } from '../errors.js'
import {
  checkBoolean,
  checkBytes,
  checkInteger,
  checkKeys,
  checkObject,
  checkOptions,
  outOfRange,
  type WaitOptions,
  waitKeys,
} from '../options.js'
import { again } from '../wait/attempt-line.js'
import { End, ReadBuffer, writeAll } from './end.js'
import { failure, pipeError } from './failure.js'
import { type ReadableOptions, readableOf, type WritableOptions, writableOf } from './streams.js'

/** Options of a new pipe. */
export interface PipeOptions {
  /**
   * Every write of 1 to 4096 bytes is read as a piece of its own (O_DIRECT); longer ones are cut into pieces of 4096.
   * Default false: bytes flow together. A piece takes a page of the pipe, 16 of them fit unless it is made larger.
   */
  packets?: boolean
  /**
   * Bytes that the pipe holds, 1 to 2^31 - 1, rounded up by the kernel to a power of two of pages; default 65,536, at
   * most fs.pipe-max-size, 1 MiB unless raised.
   */
  capacity?: number
}

const maxSize = 2 ** 31 - 1
const defaultRead = 65_536

export function checkRead(maxBytes: unknown): number {
  return checkInteger('maxBytes', maxBytes, 1, maxSize)
}

/** Memory to read into. */
export function checkRoom(bytes: unknown): void {
  if (checkBytes('bytes', bytes).length === 0) throw outOfRange('bytes', 'at least one byte', bytes)
}

export function checkWaitKeys(options: object | undefined): void {
  checkOptions(options, waitKeys)
}

/** What both ends of a pipe have. */
export abstract class PipeEnd {
  /** @internal */
  protected readonly end: End

  /** @internal */
  constructor(end: End) {
    this.end = end
  }

  /**
   * The number of its descriptor. It stays the property of this object, non-blocking and closed on exec: to give it to a
   * child process use {@link handOver}.
   *
   * @throws {@link ClosedError} after `close()` or `handOver()`.
   */
  get fd(): number {
    this.end.checkOpen()
    return native.pipeDescriptor(this.end.handle)
  }

  get closed(): boolean {
    return this.end.closed
  }

  /** Bytes that the pipe holds: F_GETPIPE_SZ. */
  get capacity(): number {
    return this.end.capacity(0)
  }

  /**
   * Changes how many bytes the pipe holds: F_SETPIPE_SZ.
   *
   * @param bytes - 1 to 2^31 - 1; the kernel rounds up to a power of two of pages.
   * @returns What the kernel gave.
   * @throws `IpcError` with `EPERM` when it is more than fs.pipe-max-size, or than this user may have; with `EBUSY` when
   *   what is in it would not fit.
   */
  setCapacity(bytes: number): number {
    return this.end.capacity(checkInteger('bytes', bytes, 1, maxSize))
  }

  /** Bytes in the pipe that nobody has read yet: FIONREAD. */
  get unread(): number {
    return this.end.unread()
  }

  /**
   * Gives the descriptor away, in blocking mode as other programs expect theirs, and closes this object. Whoever takes
   * it closes it: after `spawn` has copied it into the child, `closeSync(fd)`; as long as it is open here, the other end
   * sees no end of file.
   *
   * @example
   * ```ts
   * const { reader, writer } = pipe()
   * const fd = writer.handOver()
   * spawn('date', { stdio: ['ignore', fd, 'inherit'] })
   * closeSync(fd)
   * for await (const chunk of reader) console.log(String(chunk))
   * ```
   */
  handOver(): number {
    return this.end.handOver()
  }

  /** Waits of this end keep the process alive; that is so unless {@link unref} was called. */
  ref(): this {
    this.end.ref()
    return this
  }

  /** Lets the process end although this end waits. */
  unref(): this {
    this.end.unref()
    return this
  }

  /** Closes this end; waits end with a {@link ClosedError}. Closing twice is silent. */
  async close(): Promise<void> {
    this.end.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** The end of a pipe from which is read. */
export class PipeReader extends PipeEnd implements AsyncIterable<Buffer> {
  readonly #memory = new ReadBuffer()
  readonly #readInto = (bytes: Uint8Array, size: number) => this.end.readInto(bytes, size)

  /**
   * Reads what is there, and waits for the first byte. Calls are served in the order in which they were made.
   *
   * @param maxBytes - 1 to 2^31 - 1, default 65,536.
   * @returns The bytes, in memory of their own; `null` when all writers have closed their end and everything was read.
   * @throws {@link TimeoutError}, the signal's reason, {@link ClosedError}: then nothing was read.
   * @example
   * ```ts
   * for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) use(chunk)
   * ```
   */
  async read(maxBytes: number = defaultRead, options?: WaitOptions): Promise<Buffer | null> {
    this.end.checkOpen()
    checkRead(maxBytes)
    checkWaitKeys(options)
    return this.end.reading.run(
      { take: () => this.#memory.chunk(this.#readInto, maxBytes) },
      options,
      this.end.keepsAlive,
    )
  }

  /** Reads what is there now; `undefined` when that is nothing, or others wait to read; `null` at the end. */
  tryRead(maxBytes: number = defaultRead): Buffer | null | undefined {
    this.end.checkOpen()
    checkRead(maxBytes)
    const chunk = this.end.reading.try({ take: () => this.#memory.chunk(this.#readInto, maxBytes) })
    return chunk === again ? undefined : chunk
  }

  /**
   * Reads what is there into memory of the caller's, and waits for the first byte; faster than {@link read}, as memory
   * that was used before is.
   *
   * @param bytes - at least one byte; it must not be used until the promise settles.
   * @returns How many bytes; 0 when all writers have closed their end and everything was read.
   * @throws As {@link read}.
   */
  async readInto(bytes: Uint8Array, options?: WaitOptions): Promise<number> {
    this.end.checkOpen()
    checkRoom(bytes)
    checkWaitKeys(options)
    return this.end.reading.run(
      { take: () => this.end.readInto(bytes, bytes.length) },
      options,
      this.end.keepsAlive,
    )
  }

  /** Reads what is there now as {@link readInto}; `undefined` when that is nothing, or others wait to read. */
  tryReadInto(bytes: Uint8Array): number | undefined {
    this.end.checkOpen()
    checkRoom(bytes)
    const length = this.end.reading.try({ take: () => this.end.readInto(bytes, bytes.length) })
    return length === again ? undefined : length
  }

  /** A stream of what is read. It owns this end: its end, and destroying it, closes it, unless `autoClose` is false. */
  readable(options?: ReadableOptions): Readable {
    this.end.checkOpen()
    return readableOf({ end: this.end, readInto: this.#readInto, close: () => this.close() }, options)
  }

  /** Reads until all writers have closed their end. Breaking out of the loop closes nothing. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    for (let chunk = await this.read(); chunk !== null; chunk = await this.read()) yield chunk
  }
}

/** The end of a pipe into which is written. */
export class PipeWriter extends PipeEnd {
  readonly #write = (bytes: Uint8Array, offset: number): number | typeof again => {
    const written = this.end.writeFrom(bytes, offset)
    if (written >= 0) return written
    if (written === -errnoOf.EAGAIN) return again
    throw failure(written, 'write', 'write to', this.end.address)
  }

  /**
   * Writes all of it, and waits while the pipe is full. Up to 4096 bytes (PIPE_BUF) go whole or not at all, and never
   * mix with those of other writers. Calls are served in the order in which they were made. The bytes must not change
   * until the promise settles.
   *
   * @returns How many were written: all, unless the time was up, the signal aborted or this end was closed when some had
   *   been written. When none had, it rejects.
   * @throws `IpcError` with `EPIPE` when nobody has the pipe open for reading: never a signal; {@link TimeoutError}, the
   *   signal's reason, {@link ClosedError}: then nothing was written.
   */
  async write(bytes: Uint8Array, options?: WaitOptions): Promise<number> {
    this.end.checkOpen()
    checkBytes('bytes', bytes)
    checkWaitKeys(options)
    const attempt = writeAll(bytes, this.#write)
    return this.end.writing.run(attempt, options, this.end.keepsAlive)
  }

  /** Writes what there is room for now, and tells how many bytes; 0 also when others wait to write. */
  tryWrite(bytes: Uint8Array): number {
    this.end.checkOpen()
    checkBytes('bytes', bytes)
    if (bytes.length === 0) return 0
    const written = this.end.writing.try({ take: () => this.#write(bytes, 0) })
    return written === again ? 0 : written
  }

  /** A stream of what is written. It owns this end: ending it, and destroying it, closes it, unless `autoClose` is false. */
  writable(options?: WritableOptions): Writable {
    this.end.checkOpen()
    return writableOf({ end: this.end, write: this.#write, close: () => this.close() }, options)
  }
}

/** The two ends of a new pipe. */
export interface Pipe {
  readonly reader: PipeReader
  readonly writer: PipeWriter
}

/**
 * Makes a pipe: pipe2(2). Both ends are closed on exec, so that no child inherits them by accident.
 *
 * @throws `IpcError` with `EMFILE` when this process has too many descriptors open, with `EPERM` when the capacity is
 *   over a limit: the message names it and the command that raises it.
 * @see {@link https://man7.org/linux/man-pages/man7/pipe.7.html | pipe(7)}
 * @example
 * ```ts
 * import { pipe } from 'ipckit/pipe'
 *
 * const { reader, writer } = pipe({ capacity: 1 << 20 })
 * source.pipe(writer.writable())
 * for await (const chunk of reader) handle(chunk)
 * ```
 */
export function pipe(options: PipeOptions = {}): Pipe {
  checkKeys('options', checkObject('options', options), ['packets', 'capacity'])
  const { packets = false, capacity } = options
  checkBoolean('packets', packets)
  if (capacity !== undefined) checkInteger('capacity', capacity, 1, maxSize)
  const out = new Float64Array(2)
  try {
    native.pipeMake(packets ? 1 : 0, out)
  } catch (error) {
    throw pipeError(error, 'make', 'a pipe')
  }
  const [reading, writing] = out as unknown as [number, number]
  const reader = new PipeReader(new End('the reading end of a pipe', reading))
  const writer = new PipeWriter(new End('the writing end of a pipe', writing))
  try {
    if (capacity !== undefined) writer.setCapacity(capacity)
  } catch (error) {
    void reader.close()
    void writer.close()
    throw error
  }
  return { reader, writer }
}
