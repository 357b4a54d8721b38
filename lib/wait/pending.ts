/**
 * One call that waits: its promise, its timer and its signal. However it ends, it ends once, and its timer
 * and listener are gone then.
 */
import { IpcError, timeoutError } from '../errors.js'
import { checkSignal, checkTimeout, maxTimeoutMs, type WaitOptions } from '../options.js'
import { inTurn } from './fairness.js'

/** Checks the options of a call that may wait, and throws the reason of a signal that is aborted already. */
export function checkWait(options: WaitOptions | undefined): void {
  if (options === undefined) return
  if (options.timeoutMs !== undefined) checkTimeout(options.timeoutMs)
  if (options.signal !== undefined && checkSignal(options.signal).aborted) throw options.signal.reason
}

/** Those who wait with one signal share a listener: Node warns of more than ten. */
const listeners = new WeakMap<AbortSignal, { ring: () => void; waiting: Set<() => void> }>()

function listen(signal: AbortSignal, onAbort: () => void): void {
  const standing = listeners.get(signal)
  if (standing !== undefined) {
    standing.waiting.add(onAbort)
    return
  }
  const waiting = new Set([onAbort])
  const ring = () => {
    for (const each of [...waiting]) if (waiting.has(each)) each()
  }
  listeners.set(signal, { ring, waiting })
  signal.addEventListener('abort', ring, { once: true })
}

function unlisten(signal: AbortSignal, onAbort: () => void): void {
  const standing = listeners.get(signal)
  standing?.waiting.delete(onAbort)
  if (standing?.waiting.size !== 0) return
  listeners.delete(signal)
  signal.removeEventListener('abort', standing.ring)
}

export class Pending<R> {
  readonly promise: Promise<R>
  #resolve!: (value: R) => void
  #reject!: (reason: unknown) => void
  #timer: NodeJS.Timeout | undefined
  #signal: AbortSignal | undefined
  #onAbort: (() => void) | undefined
  /** Where the call was made; an error that comes later shows this place, not ours. */
  readonly #site: { stack?: string } = {}
  done = false

  /**
   * `onEnd` is called when the time is up or the signal is aborted; it decides when the call ends. `brief`: the wait is
   * likely over before finding the place of the call, 2 us, has paid; an error then shows where it was found out.
   */
  constructor(
    resource: string,
    action: string,
    options: WaitOptions | undefined,
    keepsAlive: boolean,
    onEnd: (pending: Pending<R>, reason: unknown) => void,
    brief = false,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (!brief || options !== undefined) Error.captureStackTrace(this.#site, new.target)
    const timeoutMs = options?.timeoutMs
    if (timeoutMs !== undefined) {
      // Node's timers count whole milliseconds and come up to one early.
      const delay = Math.min(Math.ceil(timeoutMs) + 1, maxTimeoutMs)
      this.#timer = setTimeout(() => onEnd(this, timeoutError(resource, action, timeoutMs)), delay)
      if (!keepsAlive) this.#timer.unref()
    }
    const signal = options?.signal
    if (signal !== undefined) {
      this.#onAbort = () => onEnd(this, signal.reason)
      this.#signal = signal
      listen(signal, this.#onAbort)
    }
  }

  resolve(value: R): void {
    if (this.#end()) inTurn(() => this.#resolve(value))
  }

  reject(reason: unknown): void {
    if (!this.#end()) return
    // The reason of the signal is the user's, and handed on as it is.
    if (reason instanceof IpcError && reason !== this.#signal?.reason && this.#site.stack !== undefined) {
      const frames = this.#site.stack.split('\n').slice(1).join('\n')
      reason.stack = `${reason.name}: ${reason.message}\n${frames}`
    }
    this.#reject(reason)
  }

  ref(): void {
    this.#timer?.ref()
  }

  unref(): void {
    this.#timer?.unref()
  }

  #end(): boolean {
    if (this.done) return false
    this.done = true
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    if (this.#signal !== undefined) unlisten(this.#signal, this.#onAbort as () => void)
    return true
  }
}
