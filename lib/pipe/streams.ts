/** Ends of pipes as Node streams, with the back-pressure of the pipe: when it is full, writers wait. */
import { Readable, Writable } from 'node:stream'
import { ClosedError, closedError } from '../errors.js'
import { checkBoolean, checkInteger, checkKeys, checkObject, wrongType } from '../options.js'
import { type Attempt, again } from '../wait/attempt-line.js'
import { mayGoOn } from '../wait/fairness.js'
import { chunksOf, type End, writeAll } from './end.js'

/** Options of a stream of what is read. */
export interface ReadableOptions {
  /** How many bytes are read at once, and read ahead, 1 to 2^30; default 65,536. */
  highWaterMark?: number
  /**
   * What becomes of the stream when the last writer has left: `'end'` (the default) ends it; `'stay'` emits the event
   * `eof` and goes on with the next writer, which only a FIFO can have.
   */
  eof?: 'end' | 'stay'
  /**
   * Lay chunks into the same eight pieces of memory in turn: twice as fast, as new memory is what costs most. A chunk is
   * good until seven others have come; who keeps one longer, copies it. Default false: every chunk has its own.
   */
  reuseMemory?: boolean
  /** Whether the end of the stream, and destroying it, closes what it reads from; default true. */
  autoClose?: boolean
}

/** Options of a stream of what is written. */
export interface WritableOptions {
  /** How many bytes may wait in this process before `write` returns false, 1 to 2^30; default 65,536. */
  highWaterMark?: number
  /** Whether the end of the stream, and destroying it, closes what it writes to; default true. */
  autoClose?: boolean
}

/** What is read from. */
export interface StreamSource {
  readonly end: End
  /** Reads up to `size` bytes into memory; 0 at the end. */
  readInto(bytes: Uint8Array, size: number): number | typeof again
  close(): Promise<void>
}

/** What is written to. */
export interface StreamSink {
  readonly end: End
  /** Writes from `offset` on: how many bytes had room. */
  write(bytes: Uint8Array, offset: number): number | typeof again
  close(): Promise<void>
}

type Chunk = Buffer | null

const reusedPieces = 8

/** Reads chunks that lie in the same memory in turn. */
function intoPieces(source: StreamSource, size: number): Attempt<Chunk> {
  const pieces = Array.from({ length: reusedPieces }, () => Buffer.allocUnsafeSlow(size))
  let next = 0
  return {
    take() {
      const piece = pieces[next] as Buffer
      const length = source.readInto(piece, size)
      if (length === again) return again
      if (length === 0) return null
      next = (next + 1) % reusedPieces
      return length === size ? piece : piece.subarray(0, length)
    },
  }
}

const defaultBytes = 65_536

function check(options: { highWaterMark?: number }, known: readonly string[]): number {
  checkKeys('options', checkObject('options', options), known)
  const { highWaterMark = defaultBytes } = options
  return checkInteger('highWaterMark', highWaterMark, 1, 2 ** 30)
}

export function readableOf(source: StreamSource, options: ReadableOptions = {}): Readable {
  const highWaterMark = check(options, ['highWaterMark', 'eof', 'reuseMemory', 'autoClose'])
  const { eof = 'end', reuseMemory = false, autoClose = true } = options
  if (eof !== 'end' && eof !== 'stay') throw wrongType('eof', "'end' or 'stay'", eof)
  checkBoolean('autoClose', autoClose)
  const { end } = source
  const attempt = checkBoolean('reuseMemory', reuseMemory)
    ? intoPieces(source, highWaterMark)
    : chunksOf(source.readInto, highWaterMark)
  let waiting: Promise<Chunk> | undefined
  const give = (stream: Readable, chunk: Chunk): void => {
    if (chunk !== null || eof === 'end') {
      stream.push(chunk)
      return
    }
    stream.emit('eof')
    if (!stream.destroyed) read(stream)
  }
  const read = (stream: Readable): void => {
    let chunk: Chunk | typeof again
    try {
      end.checkOpen()
      chunk = end.reading.soon(attempt)
    } catch (error) {
      fail(stream, error)
      return
    }
    if (chunk === again) {
      waiting = end.reading.wait(attempt, undefined, end.keepsAlive)
      waiting.then(
        (later) => give(stream, later),
        (error) => fail(stream, error),
      )
    } else if (mayGoOn()) {
      give(stream, chunk)
    } else {
      // While the other end keeps up, a loop of these would keep the event loop from ever turning.
      setImmediate(give, stream, chunk)
    }
  }
  const fail = (stream: Readable, error: unknown): void => {
    if (error instanceof ClosedError) stream.push(null)
    else stream.destroy(error as Error)
  }
  return new Readable({
    // Who is told of an end has everything that came before it: then nothing is read ahead.
    highWaterMark: eof === 'stay' ? 0 : highWaterMark,
    read() {
      read(this)
    },
    destroy(error, callback) {
      if (waiting !== undefined) end.reading.withdraw(waiting, error ?? closedError(end.address))
      finish(source, autoClose, error, callback)
    },
  })
}

export function writableOf(sink: StreamSink, options: WritableOptions = {}): Writable {
  const highWaterMark = check(options, ['highWaterMark', 'autoClose'])
  const { autoClose = true } = options
  checkBoolean('autoClose', autoClose)
  const { end } = sink
  let waiting: Promise<number> | undefined
  return new Writable({
    highWaterMark,
    write(chunk: Buffer, _encoding, callback) {
      let written: number | typeof again
      const attempt = writeAll(chunk, sink.write)
      try {
        end.checkOpen()
        written = end.writing.soon(attempt)
      } catch (error) {
        callback(error as Error)
        return
      }
      if (written === again) {
        waiting = end.writing.wait(attempt, undefined, end.keepsAlive)
        // Cut short, because the handle was closed or the stream destroyed.
        waiting.then((done) => callback(done < chunk.length ? closedError(end.address) : null), callback)
      } else if (mayGoOn()) {
        callback()
      } else {
        setImmediate(callback)
      }
    },
    destroy(error, callback) {
      if (waiting !== undefined) end.writing.withdraw(waiting, error ?? closedError(end.address))
      finish(sink, autoClose, error, callback)
    },
  })
}

function finish(
  what: { close(): Promise<void> },
  autoClose: boolean,
  error: Error | null,
  callback: (error: Error | null) => void,
): void {
  if (autoClose) what.close().then(() => callback(error), callback)
  else callback(error)
}
