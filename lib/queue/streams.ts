/** A queue as Node streams. */
import { Readable, Writable } from 'node:stream'
import { ClosedError, unsupported } from '../errors.js'
import type { WaitOptions } from '../options.js'

/** Options of a stream of values. */
export interface ReadableOptions {
  /** How many values may be read ahead, 1 or more, default 1. They are lost when the process dies. */
  highWaterMark?: number | undefined
}

/** What a stream needs of a queue. */
interface Source<T, O> {
  readonly address: string
  get(options?: O & WaitOptions): Promise<T>
}

interface Sink<I, O> {
  put(value: I, options?: O & WaitOptions): Promise<void>
  putMany(values: Iterable<I>, options?: O & WaitOptions): Promise<number>
}

export function readableOf<T, O extends object>(
  queue: Source<T, O>,
  options?: ReadableOptions & O,
): Readable {
  const { highWaterMark = 1, ...getting } = options ?? ({} as ReadableOptions & O)
  const ending = new AbortController()
  const signal = endingSignal(ending, getting as WaitOptions)
  return new Readable({
    objectMode: true,
    highWaterMark,
    read() {
      queue.get({ ...getting, signal } as unknown as O & WaitOptions).then(
        (value) => {
          // null is how a stream says that it ends.
          if (value === null) {
            this.destroy(
              unsupported(queue.address, 'a stream of null values', 'use `for await`, or wrap the values'),
            )
          } else {
            this.push(value)
          }
        },
        (error) => {
          if (error instanceof ClosedError) this.push(null)
          else this.destroy(error as Error)
        },
      )
    },
    destroy(error, callback) {
      ending.abort(error ?? undefined)
      callback(error)
    },
  })
}

export function writableOf<I, O extends object>(queue: Sink<I, O>, options?: O): Writable {
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
