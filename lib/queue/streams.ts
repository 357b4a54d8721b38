/**
 * A queue as Node streams. A readable one takes a value only when it can hand it on at once: what is in the hands of a
 * stream that is destroyed is lost.
 */
import { Readable, Writable } from 'node:stream'
import { unsupported } from '../errors.js'
import type { WaitOptions } from '../options.js'
import type { Channel } from '../wait/channel.js'
import { doneAtOnce } from '../wait/fairness.js'
import { checkWait } from '../wait/pending.js'
import { nothing, type Take } from '../wait/receive-line.js'
import { isEnd } from './iterate.js'
import type { Selector } from './transport.js'

/** Options of a stream of values. */
export interface ReadableOptions {
  /**
   * How many values are read ahead of who reads the stream, 0 to 2^20, default 0. They are lost when the stream is
   * destroyed, by an error or by leaving its loop, and when the process dies. A stream that is paused while it waits
   * takes one value nevertheless.
   */
  highWaterMark?: number | undefined
}

/**
 * Node's `Readable` of values of one type. What Node's own helpers (`map`, `filter`, `reduce` and so on) make of them
 * is `any`, as for every stream.
 */
export interface QueueReadable<T> extends Readable {
  read(size?: number): T | null
  // Nobody can call it. For Node's types it makes this a stream to pipe from, and those are all of bytes or text.
  read(size: never): never

  toArray(options?: { signal?: AbortSignal }): Promise<T[]>
  iterator(options?: { destroyOnReturn?: boolean }): NodeJS.AsyncIterator<T, undefined>
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<T, undefined>
  addListener: OnValue<T, this>
  on: OnValue<T, this>
  once: OnValue<T, this>
}

interface OnValue<T, R> {
  (event: 'data', listener: (value: T) => void): R
  (event: 'error', listener: (error: Error) => void): R
  // biome-ignore lint/suspicious/noExplicitAny: what an event of any other name tells is its own affair
  (event: string | symbol, listener: (...args: any[]) => void): R
}

/**
 * Node's `Writable` for values of one type. What `pipe` and `pipeline` bring is not checked: Node's types do not tell
 * what a source gives.
 */
export interface QueueWritable<I> extends Writable {
  // Nobody can call those with `never`. For Node's types they make this a stream to pipe to, which are all of bytes or
  // text.
  write(value: never, callback?: (error?: Error | null) => void): boolean
  write(value: never, encoding?: BufferEncoding, callback?: (error?: Error | null) => void): boolean
  write(value: I, callback?: (error: Error | null | undefined) => void): boolean
  write(value: I, encoding: BufferEncoding, callback?: (error: Error | null | undefined) => void): boolean

  end(value: never, callback?: () => void): this
  end(value: never, encoding?: BufferEncoding, callback?: () => void): this
  end(callback?: () => void): this
  end(value: I, callback?: () => void): this
  end(value: I, encoding: BufferEncoding, callback?: () => void): this
}

/** What a stream needs of a queue. */
interface Sink<I, O> {
  put(value: I, options?: O & WaitOptions): Promise<void>
  putMany(values: Iterable<I>, options?: O & WaitOptions): Promise<number>
}

export function readableOf<T>(
  channel: Channel,
  selector: Selector,
  take: Take<T>,
  options: WaitOptions,
  highWaterMark: number,
): QueueReadable<T> {
  let wait: Promise<void> | undefined
  const stream = new Readable({
    objectMode: true,
    highWaterMark,
    read() {
      // A value that failed further on is heard of before the next one is taken.
      doneAtOnce().then(takeNext)
    },
    destroy(error, callback) {
      if (wait !== undefined) channel.withdraw(wait, undefined)
      callback(error)
    },
  })

  function takeNext(): void {
    if (stream.destroyed) return
    let value: T | typeof nothing
    try {
      checkWait(options)
      value = channel.receiveNow(selector, take, 1)
      if (value === nothing) {
        wait = channel.wait(selector, takeAndDeliver, 1, options)
        wait.catch(fail)
        return
      }
    } catch (error) {
      fail(error)
      return
    }
    deliver(value)
  }

  /** The promise of a wait settles later, when the stream may have been destroyed: so not by way of it. */
  const takeAndDeliver: Take<void> = (box, at, count) => {
    const value = take(box, at, count)
    wait = undefined
    try {
      deliver(value)
    } catch (error) {
      // A listener's, and none of the wait's.
      Promise.reject(error)
    }
  }

  function deliver(value: T): void {
    // null is how a stream says that it ends.
    if (value !== null) stream.push(value)
    else {
      const what = 'a stream of null values'
      stream.destroy(unsupported(channel.transport.address, what, 'use `for await`, or wrap the values'))
    }
  }

  function fail(error: unknown): void {
    if (stream.destroyed) return
    if (isEnd(error)) stream.push(null)
    else stream.destroy(error as Error)
  }

  return stream as QueueReadable<T>
}

export function writableOf<I, O extends object>(queue: Sink<I, O>, options?: O): QueueWritable<I> {
  const ending = new AbortController()
  const putting = { ...options, signal: endingSignal(ending, options as WaitOptions) } as unknown as O &
    WaitOptions
  return new Writable({
    objectMode: true,
    write(value: I, _encoding, callback) {
      queue.put(value, putting).then(() => callback(), callback)
    },
    writev(chunks, callback) {
      putAll(
        queue,
        chunks.map(({ chunk }) => chunk as I),
        putting,
      ).then(() => callback(), callback)
    },
    destroy(error, callback) {
      ending.abort(error ?? undefined)
      callback(error)
    },
  })
}

/** putMany may end early with a part; then the rest meets the error that ended it. */
async function putAll<I, O>(queue: Sink<I, O>, values: I[], options: O & WaitOptions): Promise<void> {
  for (let sent = 0; sent < values.length; ) sent += await queue.putMany(values.slice(sent), options)
}

/** Destroying the stream ends its wait, and so does the user's signal. */
function endingSignal(ending: AbortController, options: WaitOptions | undefined): AbortSignal {
  return options?.signal === undefined ? ending.signal : AbortSignal.any([ending.signal, options.signal])
}
