/** Conditions: waiting, with a lock released meanwhile, for something that another holder of it changes. */
import { native } from '../binding.js'
import { TimeoutError, timeoutError } from '../errors.js'
import type { How } from '../how.js'
import {
  checkInteger,
  checkObject,
  checkOptions,
  type SyncWaitOptions,
  syncWaitKeys,
  type WaitOptions,
  waitKeys,
  wrongType,
} from '../options.js'
import { checkSyncWait } from '../wait/countdown.js'
import { checkWait } from '../wait/pending.js'
import type { Guard } from './guard.js'
import { Lock } from './lock.js'
import { type AcquireOptions, type AcquireSyncOptions, type HolderOptions, Lockable } from './lockable.js'
import { SyncObject } from './object.js'
import { type CreateOptions, type OpenOptions, openSync, unlinkSync } from './open.js'
import { type SyncOperation, waitFor } from './operation.js'
import { RLock } from './rlock.js'

interface WithLock {
  /**
   * The lock of the condition. Every process that uses the condition gives the same one; several conditions may have one
   * lock. Default: one of its own.
   */
  lock?: Lock | RLock
}

/** Options of opening a condition. */
export interface OpenConditionOptions extends OpenOptions, WithLock {}
/** Options of making a condition. */
export interface CreateConditionOptions extends CreateOptions, WithLock {}

/** Wakes all who wait. */
const everyone = 2 ** 32 - 1

/** The lock that lies in a condition. */
class OwnLock extends Lockable {}

/**
 * A condition between unrelated processes, by name: whoever holds its lock may wait for what another one changes, and
 * the lock is released meanwhile.
 *
 * Its own lock is held by one call at a time, of this thread or others: {@link wait} is that of the call that holds it.
 * (A thread of Python or C that holds it may acquire it again.)
 *
 * A waiter that was notified and dies before it goes on has swallowed nothing: the next one goes on instead. As with all
 * conditions a waiter may also go on when nothing has changed: wait in a loop, or with {@link waitFor}.
 *
 * @example
 * ```ts
 * import { Condition } from 'ipckit/sync'
 *
 * const changed = Condition.openOrCreate('/board')
 * {
 *   await using guard = await changed.acquire()
 *   await changed.waitFor(() => board.isReady(), { timeoutMs: 1000 })
 * }
 * await changed.run(() => { // in another process
 *   board.makeReady()
 *   changed.notifyAll()
 * })
 * ```
 */
export class Condition extends SyncObject {
  readonly #lock: Lockable
  readonly #ownsLock: boolean

  private constructor(name: string, how: How, options: CreateConditionOptions = {}) {
    checkObject('options', options)
    const { lock, ...others } = options
    if (lock !== undefined && !(lock instanceof Lock || lock instanceof RLock))
      throw wrongType('lock', 'a Lock or an RLock', lock)
    super(openSync('Condition', name, how, others))
    this.#ownsLock = lock === undefined
    this.#lock = lock ?? new OwnLock(this.gate, this.line)
  }

  /** Opens a condition that exists; see {@link Lock.open}. */
  static open(name: string, options?: OpenConditionOptions): Condition {
    return new Condition(name, 'open', options)
  }

  /** Makes a condition that does not exist yet; see {@link Lock.create}. */
  static create(name: string, options?: CreateConditionOptions): Condition {
    return new Condition(name, 'create', options)
  }

  /** Opens the condition, or makes it when there is none. */
  static openOrCreate(name: string, options?: CreateConditionOptions): Condition {
    return new Condition(name, 'openOrCreate', options)
  }

  /** Removes the name of a condition, see {@link SyncObject.unlink}. */
  static unlink(name: string): void {
    unlinkSync('Condition', name)
  }

  /** Whether anybody holds its lock now, in whatever process. */
  get locked(): boolean {
    return this.#lock.locked
  }

  /** Acquires its lock, see {@link Lock.acquire}. */
  async acquire(options?: AcquireOptions): Promise<Guard> {
    return this.#lock.acquire(options)
  }

  /** Acquires its lock if that is possible now, see {@link Lock.tryAcquire}. */
  tryAcquire(options?: HolderOptions): Guard | undefined {
    return this.#lock.tryAcquire(options)
  }

  /** Acquires its lock, and blocks the thread until it does, see {@link Lock.acquireSync}. */
  acquireSync(options?: AcquireSyncOptions): Guard {
    return this.#lock.acquireSync(options)
  }

  /** Runs a function while its lock is held, see {@link Lock.run}. */
  async run<R>(work: (guard: Guard) => R | Promise<R>, options?: AcquireOptions): Promise<R> {
    return this.#lock.run(work, options)
  }

  /** Releases its lock, see {@link Lock.release}. */
  release(): void {
    this.#lock.release()
  }

  /**
   * Releases the lock, waits until another holder of it notifies, and acquires it again, also when the wait ends with an
   * error; that may take longer than `timeoutMs`. Those who have waited longest are notified first.
   *
   * @throws {@link NotHeldError} when the lock is not held here; {@link TimeoutError}; the signal's reason. The lock is
   *   held all the same then. {@link ClosedError}; {@link RemovedError}.
   */
  async wait(options?: WaitOptions): Promise<void> {
    this.line.checkOpen()
    checkOptions(options, waitKeys)
    checkWait(options)
    const operation = this.#begin()
    const suspended = this.#lock.suspend()
    let failure: { reason: unknown } | undefined
    try {
      await this.line.do(operation, () => undefined, options)
    } catch (reason) {
      failure = { reason }
    }
    try {
      await this.#lock.resume(suspended)
    } catch (reason) {
      for (const guard of suspended) guard.end()
      failure ??= { reason }
    }
    if (failure !== undefined) throw failure.reason
  }

  /** Waits as {@link wait} does, and blocks the thread. Ctrl-C ends it with `EINTR`. */
  waitSync(options?: SyncWaitOptions): void {
    this.line.checkOpen()
    checkOptions(options, syncWaitKeys)
    checkSyncWait(options)
    const operation = this.#begin()
    const suspended = this.#lock.suspend()
    let failure: { reason: unknown } | undefined
    try {
      this.line.doSync(operation, options)
    } catch (reason) {
      failure = { reason }
    }
    try {
      this.#lock.resumeSync(suspended)
    } catch (reason) {
      for (const guard of suspended) guard.end()
      failure ??= { reason }
    }
    if (failure !== undefined) throw failure.reason
  }

  /**
   * Waits until a function returns something truthy: it is called at once, and whenever this waiter was notified, with
   * the lock held.
   *
   * @returns What it returned.
   * @throws as {@link wait}; what the function throws.
   */
  async waitFor<R>(predicate: () => R | Promise<R>, options?: WaitOptions): Promise<R> {
    checkOptions(options, waitKeys)
    checkPredicate(predicate)
    checkWait(options)
    this.#lock.checkHeld('wait with')
    const left = countdownOf(options)
    for (;;) {
      const result = await predicate()
      if (result) return result
      try {
        await this.wait({ ...options, timeoutMs: left() })
      } catch (error) {
        if (!isOver(error, options)) throw error
        // What it waited for may have come with the last of the time.
        const last = await predicate()
        if (last) return last
        throw timeoutError(this.address, 'wait for', options?.timeoutMs as number)
      }
    }
  }

  /** The same, while the thread is blocked; the function returns no promise. */
  waitForSync<R>(predicate: () => R, options?: SyncWaitOptions): R {
    checkOptions(options, syncWaitKeys)
    checkPredicate(predicate)
    checkSyncWait(options)
    this.#lock.checkHeld('wait with')
    const left = countdownOf(options)
    for (;;) {
      const result = predicate()
      if (result) return result
      try {
        this.waitSync({ timeoutMs: left() })
      } catch (error) {
        if (!isOver(error, options)) throw error
        const last = predicate()
        if (last) return last
        throw timeoutError(this.address, 'wait for', options?.timeoutMs as number)
      }
    }
  }

  /**
   * Lets those go on who have waited longest; waits for nobody. They go on when they have acquired the lock, which this
   * caller holds.
   *
   * @param count - how many, 1 to 4,294,967,295, default 1.
   * @returns How many there were.
   * @throws {@link NotHeldError} when the lock is not held here.
   */
  notify(count = 1): number {
    return this.#notify(checkInteger('count', count, 1, everyone))
  }

  /** Lets everyone go on who waits; returns how many there were. See {@link notify}. */
  notifyAll(): number {
    return this.#notify(everyone)
  }

  override async close(): Promise<void> {
    return this.#ownsLock ? this.#lock.close() : super.close()
  }

  /** Becomes a waiter while the lock is still held, so that no notice of the next holder is missed. */
  #begin(): SyncOperation {
    this.#lock.checkHeld('wait with')
    const operation = waitFor('condition')
    this.gate.begin(operation)
    return operation
  }

  #notify(count: number): number {
    this.line.checkOpen()
    this.#lock.checkHeld('notify with')
    const result = native.conditionNotify(this.gate.handle, count)
    if (result < 0) throw this.gate.error(result, 'notify')
    this.line.pokeAll()
    return result
  }
}

function checkPredicate(predicate: unknown): void {
  if (typeof predicate !== 'function') throw wrongType('predicate', 'a function', predicate)
}

/** What is left of the time. */
function countdownOf(options: { timeoutMs?: number | undefined } | undefined): () => number | undefined {
  const timeoutMs = options?.timeoutMs
  if (timeoutMs === undefined) return () => undefined
  const end = performance.now() + timeoutMs
  return () => Math.max(end - performance.now(), 0)
}

/** Whether the time of the whole call is up. */
function isOver(error: unknown, options: { timeoutMs?: number | undefined } | undefined): boolean {
  return error instanceof TimeoutError && options?.timeoutMs !== undefined
}
