/**
 * One handle on one end of a pipe: its descriptor, who waits on it, and what keeps the process alive. Pipes and FIFOs
 * are built of these; nothing here is public.
 */
import { native } from '../binding.js'
import { closedError, errnoOf } from '../errors.js'
import { type Attempt, AttemptLine, again, type Source } from '../wait/attempt-line.js'
import { expect, forget, newToken } from '../wait/engine.js'
import { closeWhenForgotten, wasClosed } from '../wait/forgotten.js'
import { KeepAlive } from '../wait/keep-alive.js'
import { failure, pipeError } from './failure.js'

/** Bits of an event: epoll(7). An error or a hang-up wakes both sides, and trying again tells more. */
const mayRead = 0x1 | 0x8 | 0x10
const mayWrite = 0x4 | 0x8 | 0x10

/** Where no event tells when to try again: how long until the next try, at first and at most. */
const firstNapMs = 1
const longestNapMs = 20

/** What closes the descriptor of a forgotten end; it must not refer to the end. */
interface Descriptor {
  handle: number
  readonly token: number
}

export class End implements Source {
  /** What errors call it. */
  readonly address: string
  readonly reading: AttemptLine
  readonly writing: AttemptLine
  /** Those who wait for somebody at the other end, of whom no event tells. */
  readonly meeting: AttemptLine
  readonly #descriptor: Descriptor
  readonly #asked = new Set<AttemptLine>()
  #napping: NodeJS.Timeout | undefined
  #napMs = firstNapMs
  #woke = 0
  #closed = false
  readonly #alive = new KeepAlive(() => this.reading.waiting || this.writing.waiting || this.meeting.waiting)

  /** `handle` of the addon, or -1 while there is nothing to poll yet. */
  constructor(address: string, handle: number) {
    this.address = address
    this.reading = new AttemptLine(this, 'read from')
    this.writing = new AttemptLine(this, 'write to')
    this.meeting = new AttemptLine(this, 'wait for the other end of')
    const descriptor: Descriptor = { handle, token: newToken() }
    this.#descriptor = descriptor
    closeWhenForgotten(this, () => native.pipeClose(descriptor.handle, descriptor.token))
  }

  get handle(): number {
    return this.#descriptor.handle
  }

  get closed(): boolean {
    return this.#closed
  }

  get keepsAlive(): boolean {
    return this.#alive.wanted
  }

  checkOpen(): void {
    if (this.#closed) throw closedError(this.address)
  }

  /** Goes on with another descriptor; -1: with none, for now. */
  replace(handle: number): void {
    const { handle: before, token } = this.#descriptor
    this.#descriptor.handle = handle
    native.pipeClose(before, token)
    // Who waits has asked the old one.
    for (const line of [...this.#asked]) this.ask(line)
  }

  /** Reads up to `size` bytes into memory; 0 when there is nothing and no writer; {@link again}. */
  readInto(bytes: Uint8Array, size: number): number | typeof again {
    const result = native.pipeRead(this.handle, bytes, 0, size)
    if (result >= 0) return result
    if (result === -errnoOf.EAGAIN) return again
    throw failure(result, 'read', 'read from', this.address)
  }

  /** Writes from `offset` on: how many had room, or the negative errno. */
  writeFrom(bytes: Uint8Array, offset: number): number {
    return native.pipeWrite(this.handle, bytes, offset, bytes.length - offset)
  }

  ask(line: AttemptLine): void {
    this.#asked.add(line)
    if (this.handle < 0 || line === this.meeting) {
      this.#nap()
      return
    }
    expect(this.#descriptor.token, this.#onEvent)
    const toWrite = line === this.writing ? 1 : 0
    const result = native.pipeArm(this.handle, this.#descriptor.token, toWrite)
    if (result === 0) return
    this.forget(line)
    const syscall = result === -errnoOf.EAGAIN ? 'pthread_create' : 'epoll_ctl'
    throw failure(result, syscall, toWrite === 1 ? 'write to' : 'read from', this.address)
  }

  forget(line: AttemptLine): void {
    this.#asked.delete(line)
    if (this.#asked.size > 0) return
    // The engine holds on to those of whom it expects something; others may be forgotten.
    forget(this.#descriptor.token)
    clearTimeout(this.#napping)
    this.#napping = undefined
  }

  waitingChanged(): void {
    this.#alive.update()
  }

  ref(): void {
    this.#alive.wanted = true
    this.reading.ref()
    this.writing.ref()
    this.meeting.ref()
  }

  unref(): void {
    this.#alive.wanted = false
    this.reading.unref()
    this.writing.unref()
    this.meeting.unref()
  }

  /** The size of the pipe; sets it first unless it is 0. */
  capacity(bytes: number): number {
    this.checkOpen()
    const result = native.pipeCapacity(this.handle, bytes)
    if (result >= 0) return result
    throw failure(result, 'fcntl', bytes === 0 ? 'read the size of' : 'change the size of', this.address)
  }

  /** Bytes that nobody has read yet. */
  unread(): number {
    this.checkOpen()
    const result = native.pipeUnread(this.handle)
    if (result >= 0) return result
    throw failure(result, 'ioctl', 'read the state of', this.address)
  }

  close(): void {
    if (this.#closed) return
    this.#end()
    native.pipeClose(this.handle, this.#descriptor.token)
  }

  /** Closes this and gives its descriptor away, in blocking mode. */
  handOver(): number {
    this.checkOpen()
    let descriptor: number
    try {
      descriptor = native.pipeHandOver(this.handle, this.#descriptor.token)
    } catch (error) {
      throw pipeError(error, 'hand over', this.address)
    }
    this.#end()
    return descriptor
  }

  #end(): void {
    this.#closed = true
    wasClosed(this)
    const reason = () => closedError(this.address)
    this.reading.close(reason)
    this.writing.close(reason)
    this.meeting.close(reason)
    forget(this.#descriptor.token)
  }

  readonly #onEvent = (events: number): void => {
    const toRead = this.#asked.has(this.reading) && (events & mayRead) !== 0
    const toWrite = this.#asked.has(this.writing) && (events & mayWrite) !== 0
    if (toRead) this.#tell(this.reading)
    if (toWrite) this.#tell(this.writing)
  }

  #tell(line: AttemptLine): void {
    if (!this.#asked.has(line)) return
    this.forget(line)
    line.onReady()
  }

  #nap(): void {
    if (this.#napping !== undefined) return
    // A wait that begins, and does not go on, looks often at first.
    if (performance.now() - this.#woke > longestNapMs) this.#napMs = firstNapMs
    this.#napping = setTimeout(() => {
      this.#napping = undefined
      this.#napMs = Math.min(this.#napMs * 2, longestNapMs)
      this.#woke = performance.now()
      for (const line of [...this.#asked]) this.#tell(line)
    }, this.#napMs)
    // Whoever waits keeps the process alive, unless unref'd; the nap does not.
    this.#napping.unref()
  }
}

/** Memory for one read. What was read is handed out where it lies, unless it is so little that a copy is cheaper. */
export class ReadBuffer {
  #spare: Buffer | undefined

  /** What `readInto` reads of up to `size` bytes, for the caller to keep; `null` when that is the end. */
  chunk(
    readInto: (bytes: Uint8Array, size: number) => number | typeof again,
    size: number,
  ): Buffer | null | typeof again {
    const spare = this.#spare
    this.#spare = undefined
    const memory = spare !== undefined && spare.length >= size ? spare : Buffer.allocUnsafeSlow(size)
    const length = readInto(memory, size)
    if (length !== again && length * 4 > memory.length) return memory.subarray(0, length)
    this.#spare = memory
    if (length === again) return again
    return length === 0 ? null : Buffer.from(memory.subarray(0, length))
  }
}

/** An attempt to read a chunk, made many times. */
export function chunksOf(
  readInto: (bytes: Uint8Array, size: number) => number | typeof again,
  size: number,
): Attempt<Buffer | null> {
  const memory = new ReadBuffer()
  return { take: () => memory.chunk(readInto, size) }
}

/** An attempt to write all of it; when it ends early it tells how much was written. */
export function writeAll(
  bytes: Uint8Array,
  write: (bytes: Uint8Array, offset: number) => number | typeof again,
): Attempt<number> {
  let done = 0
  return {
    take() {
      while (done < bytes.length) {
        const written = write(bytes, done)
        if (written === again) return again
        done += written
      }
      return done
    },
    progress: () => done,
    partly: () => (done > 0 ? done : undefined),
  }
}
