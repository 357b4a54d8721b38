/** Ends of pipes as Node streams, with the back-pressure of the pipe: when it is full, writers wait. */
import { Readable, Writable } from 'node:stream'
import { ClosedError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import { checkBoolean, checkInteger, checkKeys, checkObject, wrongType } from '../options.js'
import { mayGoOn } from '../wait/fairness.js'

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

interface Source {
  read(maxBytes: number, options?: WaitOptions): Promise<Buffer | null>
  tryRead(maxBytes: number): Buffer | null | undefined
  readInto(bytes: Uint8Array, options?: WaitOptions): Promise<number>
  tryReadInto(bytes: Uint8Array): number | undefined
  close(): Promise<void>
}

/** Reads one chunk after the other. */
type Chunks = Pick<Source, 'read' | 'tryRead'>

const reusedPieces = 8

/** The same source, whose chunks lie in the same memory in turn. */
function reusing(source: Source, size: number): Chunks {
  const pieces = Array.from({ length: reusedPieces }, () => Buffer.allocUnsafeSlow(size))
  let next = 0
  const chunkOf = (piece: Buffer, length: number) => {
    if (length === 0) return null
    next = (next + 1) % reusedPieces
    return piece.subarray(0, length)
  }
  return {
    async read(_maxBytes, options) {
      const piece = pieces[next] as Buffer
      return chunkOf(piece, await source.readInto(piece, options))
    },
    tryRead() {
      const piece = pieces[next] as Buffer
      const length = source.tryReadInto(piece)
      return length === undefined ? undefined : chunkOf(piece, length)
    },
  }
}

interface Sink {
  write(bytes: Uint8Array, options?: WaitOptions): Promise<number>
  tryWrite(bytes: Uint8Array): number
  close(): Promise<void>
}

const defaultBytes = 65_536

function check(options: { highWaterMark?: number }, known: readonly string[]): number {
  checkKeys('options', checkObject('options', options), known)
  const { highWaterMark = defaultBytes } = options
  return checkInteger('highWaterMark', highWaterMark, 1, 2 ** 30)
}

export function readableOf(source: Source, options: ReadableOptions = {}): Readable {
  const highWaterMark = check(options, ['highWaterMark', 'eof', 'reuseMemory', 'autoClose'])
  const { eof = 'end', reuseMemory = false, autoClose = true } = options
  if (eof !== 'end' && eof !== 'stay') throw wrongType('eof', "'end' or 'stay'", eof)
  checkBoolean('autoClose', autoClose)
  const chunks = checkBoolean('reuseMemory', reuseMemory) ? reusing(source, highWaterMark) : source
  const ending = new AbortController()
  const give = (stream: Readable, chunk: Buffer | null): void => {
    if (chunk !== null || eof === 'end') {
      stream.push(chunk)
      return
    }
    stream.emit('eof')
    if (!stream.destroyed) read(stream)
  }
  const read = (stream: Readable): void => {
    let chunk: Buffer | null | undefined
    try {
      chunk = chunks.tryRead(highWaterMark)
    } catch (error) {
      end(stream, error)
      return
    }
    if (chunk === undefined) {
      chunks.read(highWaterMark, { signal: ending.signal }).then(
        (later) => give(stream, later),
        (error) => end(stream, error),
      )
    } else if (mayGoOn()) {
      give(stream, chunk)
    } else {
      // While the other end keeps up, a loop of these would keep the event loop from ever turning.
      const now = chunk
      setImmediate(() => give(stream, now))
    }
  }
  const end = (stream: Readable, error: unknown): void => {
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
      ending.abort(error ?? undefined)
      finish(source, autoClose, error, callback)
    },
  })
}

export function writableOf(sink: Sink, options: WritableOptions = {}): Writable {
  const highWaterMark = check(options, ['highWaterMark', 'autoClose'])
  const { autoClose = true } = options
  checkBoolean('autoClose', autoClose)
  const ending = new AbortController()
  const write = async (bytes: Uint8Array, from: number): Promise<void> => {
    // A write that was begun and is then cut short by the end of the stream has no more to say.
    for (let done = from; done < bytes.length; ) {
      done += await sink.write(bytes.subarray(done), { signal: ending.signal })
    }
  }
  return new Writable({
    highWaterMark,
    write(chunk: Buffer, _encoding, callback) {
      let done: number
      try {
        done = sink.tryWrite(chunk)
      } catch (error) {
        callback(error as Error)
        return
      }
      if (done < chunk.length) write(chunk, done).then(() => callback(), callback)
      else if (mayGoOn()) callback()
      else setImmediate(callback)
    },
    destroy(error, callback) {
      ending.abort(error ?? undefined)
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
