/** Semaphores whose permits come back when their holder dies. */
import { native } from '../binding.js'
import {
  checkInteger,
  checkKeys,
  checkObject,
  type SyncWaitOptions,
  type WaitOptions,
  wrongType,
} from '../options.js'
import type { KindName } from '../shared/failure.js'
import { Permit } from '../wait/permit.js'
import type { SyncGate } from './gate.js'
import { SyncObject } from './object.js'
import { type CreateOptions, type OpenOptions, openSync, unlinkSync } from './open.js'
import { acquirePermits, type SyncOperation } from './operation.js'
import { statOf } from './stat.js'

/** The largest value of a semaphore. */
const most = 2 ** 31 - 1

/** Options of making a semaphore. */
export interface CreateSemaphoreOptions extends CreateOptions {
  /** The value that it begins with, 0 to 2,147,483,647, default 1. */
  value?: number
}

interface Permits {
  /** How many permits, all at once: 1 to 2,147,483,647, default 1. */
  permits?: number | undefined
}

/** Options of acquiring permits. */
export interface AcquirePermitsOptions extends WaitOptions, Permits {}
/** Options of acquiring permits while the thread is blocked. */
export interface AcquirePermitsSyncOptions extends SyncWaitOptions, Permits {}

const syncKeys = ['timeoutMs', 'permits']
const asyncKeys = ['signal', ...syncKeys]

/**
 * A number between unrelated processes, by name, that they take from and give to, and wait for while it is 0. Permits of
 * a holder that dies come back, within 250 ms.
 *
 * What a handle gave with {@link release} beyond what it has taken is the semaphore's, and stays: a semaphore may also
 * count what is there, one side giving and the other taking.
 *
 * @example
 * ```ts
 * import { Semaphore } from 'ipckit/sync'
 *
 * await using slots = Semaphore.openOrCreate('/slots', { value: 4 })
 * {
 *   using permit = await slots.acquire({ timeoutMs: 500 })
 *   await work()
 * }
 * ```
 */
export class Semaphore extends SyncObject {
  /** Opens a semaphore that exists; see {@link Lock.open}. */
  static open(name: string, options?: OpenOptions): Semaphore {
    return new Semaphore(openSync('Semaphore', name, 'open', options))
  }

  /** Makes a semaphore that does not exist yet; see {@link Lock.create}. */
  static create(name: string, options?: CreateSemaphoreOptions): Semaphore {
    return new Semaphore(openSemaphore('Semaphore', name, 'create', options))
  }

  /** Opens the semaphore, or makes it when there is none. Of one that exists, its own value holds. */
  static openOrCreate(name: string, options?: CreateSemaphoreOptions): Semaphore {
    return new Semaphore(openSemaphore('Semaphore', name, 'openOrCreate', options))
  }

  /** Removes the name of a semaphore, see {@link SyncObject.unlink}. */
  static unlink(name: string): void {
    unlinkSync('Semaphore', name)
  }

  /** The value now: permits that are free. It may be another one by the time that it is read. */
  get value(): number {
    this.line.checkOpen()
    return statOf(this.address, this.gate.handle).value
  }

  /**
   * Takes permits, and waits until there are so many. Calls of one handle are served in the order in which they were
   * made.
   *
   * @throws {@link TimeoutError}; the signal's reason; {@link ClosedError}; {@link RemovedError}. Then nothing was taken.
   */
  async acquire(options?: AcquirePermitsOptions): Promise<Permit> {
    const operation = operationOf(options, asyncKeys)
    return this.line.do(operation, () => this.#permit(operation), options)
  }

  /** Takes permits if there are so many now, and nobody of this handle waits; undefined otherwise. */
  tryAcquire(options?: Permits): Permit | undefined {
    const operation = operationOf(options, ['permits'])
    return this.line.attempt(operation) ? this.#permit(operation) : undefined
  }

  /** Takes permits, and blocks the thread until there are so many. Ctrl-C ends it with `EINTR`. */
  acquireSync(options?: AcquirePermitsSyncOptions): Permit {
    const operation = operationOf(options, syncKeys)
    this.line.doSync(operation, options)
    return this.#permit(operation)
  }

  /**
   * Runs a function while permits are held, and gives them back then, also when the function throws.
   *
   * @returns What the function returns, or what it resolves to.
   */
  async run<R>(work: (permit: Permit) => R | Promise<R>, options?: AcquirePermitsOptions): Promise<R> {
    if (typeof work !== 'function') throw wrongType('work', 'a function', work)
    const permit = await this.acquire(options)
    try {
      return await work(permit)
    } finally {
      permit.release()
    }
  }

  /**
   * Adds to the value, and wakes those who wait; waits for nobody. Permits are given back with `permit.release()`; this
   * is for counting what is there, and for who does not hold a permit in hand.
   *
   * @param count - How much, 1 to 2,147,483,647, default 1.
   * @throws `IpcError` with `ERR_IPC_BOUND` when the value would be above the bound of a {@link BoundedSemaphore}, and
   *   with `EOVERFLOW` above 2,147,483,647. Then nothing was added.
   */
  release(count = 1): void {
    this.line.checkOpen()
    const result = native.syncRelease(this.gate.handle, checkInteger('count', count, 1, most))
    if (result < 0) throw this.gate.error(result, 'release')
    this.line.poke()
  }

  #permit(operation: SyncOperation): Permit {
    const { gate, line } = this
    gate.lend(operation)
    return new Permit(() => {
      gate.giveBack(operation)
      line.poke()
    })
  }
}

/**
 * A {@link Semaphore} whose value never is above the one that it was made with: a permit that is released twice by
 * mistake is an error, `ERR_IPC_BOUND`.
 */
export class BoundedSemaphore extends Semaphore {
  /** Opens a semaphore that exists; see {@link Lock.open}. */
  static override open(name: string, options?: OpenOptions): BoundedSemaphore {
    return new BoundedSemaphore(openSync('BoundedSemaphore', name, 'open', options))
  }

  /** Makes a semaphore that does not exist yet; see {@link Lock.create}. */
  static override create(name: string, options?: CreateSemaphoreOptions): BoundedSemaphore {
    return new BoundedSemaphore(openSemaphore('BoundedSemaphore', name, 'create', options))
  }

  /** Opens the semaphore, or makes it when there is none. Of one that exists, its own value holds. */
  static override openOrCreate(name: string, options?: CreateSemaphoreOptions): BoundedSemaphore {
    return new BoundedSemaphore(openSemaphore('BoundedSemaphore', name, 'openOrCreate', options))
  }

  /** Removes the name of a semaphore, see {@link SyncObject.unlink}. */
  static override unlink(name: string): void {
    unlinkSync('BoundedSemaphore', name)
  }
}

function openSemaphore(
  kind: KindName,
  name: string,
  how: 'create' | 'openOrCreate',
  options: CreateSemaphoreOptions = {},
): SyncGate {
  const { value = 1 } = checkObject('options', options) as CreateSemaphoreOptions
  return openSync(kind, name, how, options, { value: checkInteger('value', value, 0, most) }, ['value'])
}

const one = acquirePermits(1)

function operationOf(options: Permits | undefined, known: readonly string[]): SyncOperation {
  if (options === undefined) return one
  checkKeys('options', checkObject('options', options), known)
  const { permits } = options
  return permits === undefined ? one : acquirePermits(checkInteger('permits', permits, 1, most))
}
