/**
 * A named POSIX semaphore: every call of sem_overview(7), async, sync and without waiting.
 */
import {
  checkInteger,
  checkOptions,
  type SyncWaitOptions,
  syncWaitKeys,
  type WaitOptions,
  waitKeys,
} from '../options.js'
import { Handle } from '../wait/handle.js'
import { OperationLine } from '../wait/operation-line.js'
import { Permit } from '../wait/permit.js'
import { down, type PosixSemaphoreStat, type SemaphoreGate } from './semaphore-gate.js'
import { listSemaphores, type PosixSemaphoreEntry } from './semaphore-list.js'
import {
  type CreateSemaphoreOptions,
  nameless,
  type OpenSemaphoreOptions,
  openSemaphore,
  unlinkSemaphore,
} from './semaphore-open.js'

/** SEM_VALUE_MAX of Linux. */
export const maxSemaphoreValue = 2 ** 31 - 1

/**
 * A named POSIX semaphore, which unrelated processes open by name: C programs with sem_open(3), Python with
 * posix_ipc.
 *
 * **A permit stays taken when its holder dies.** The kernel knows nothing of who holds what: after a crash the
 * value is one too low until somebody posts for the dead. Where holders may die use `SemaphoreSet` of
 * `ipckit/sysv`, whose permits the kernel gives back. Who merely waits here holds nothing, and may be killed.
 *
 * @see {@link https://man7.org/linux/man-pages/man7/sem_overview.7.html | sem_overview(7)}
 * @example
 * ```ts
 * import { Semaphore } from 'ipckit/posix'
 *
 * await using slots = Semaphore.openOrCreate('/slots', { value: 4 })
 * {
 *   using permit = await slots.acquire({ timeoutMs: 500 })
 *   await work()
 * }
 * ```
 */
export class Semaphore extends Handle {
  readonly #gate: SemaphoreGate
  readonly #line: OperationLine<typeof down>

  private constructor(gate: SemaphoreGate) {
    const line = new OperationLine(gate, 'acquire')
    super(line)
    this.#gate = gate
    this.#line = line
  }

  /**
   * Opens a semaphore that exists: sem_open(3).
   *
   * @throws {@link NotFoundError} when there is none of that name; `IpcError` with `EACCES` when its mode does not
   *   allow reading and writing; with `ERR_IPC_UNSAFE` when it belongs to another user than this one and root, or
   *   everybody may write to it, unless `trustOthers`; with `EINVAL` when what has that name is no semaphore.
   */
  static open(name: string, options?: OpenSemaphoreOptions): Semaphore {
    return new Semaphore(openSemaphore(name, 'open', options))
  }

  /**
   * Makes a semaphore that does not exist yet: sem_open(3) with O_CREAT and O_EXCL.
   *
   * @throws {@link ExistsError} when there is one of that name; `RangeError` when `value` is over 2,147,483,647.
   */
  static create(name: string, options?: CreateSemaphoreOptions): Semaphore {
    return new Semaphore(openSemaphore(name, 'create', options))
  }

  /** Opens the semaphore, or makes it when there is none. Of one that exists, its own value holds. */
  static openOrCreate(name: string, options?: CreateSemaphoreOptions): Semaphore {
    return new Semaphore(openSemaphore(name, 'openOrCreate', options))
  }

  /** Removes the name: sem_unlink(3). Who has the semaphore open goes on with it. */
  static unlink(name: string): void {
    unlinkSemaphore(name)
  }

  /** Lists the named semaphores that this process can find, those in its /dev/shm, sorted by name. */
  static list(): PosixSemaphoreEntry[] {
    return listSemaphores()
  }

  /** The semaphore's address, `posix:/name`. */
  get address(): string {
    return this.#gate.address
  }

  /** The value now, 0 and more: sem_getvalue(3). It may be another one by the time that it is read. */
  get value(): number {
    this.#line.checkOpen()
    return this.#gate.value()
  }

  /**
   * Takes a permit, and waits for one while the value is 0: sem_wait(3), sem_clockwait(3). Calls are served in the
   * order in which they were made.
   *
   * @throws {@link TimeoutError}; the signal's reason; {@link ClosedError}. Then nothing was taken.
   */
  async acquire(options?: WaitOptions): Promise<Permit> {
    checkOptions(options, waitKeys)
    return this.#line.do(down, () => this.#permit(), options)
  }

  /** Takes a permit if there is one now, and nobody of this handle waits for one: sem_trywait(3). */
  tryAcquire(): Permit | undefined {
    return this.#line.attempt(down) ? this.#permit() : undefined
  }

  /** Takes a permit, and blocks the thread until there is one: sem_timedwait(3). Ctrl-C ends it with `EINTR`. */
  acquireSync(options?: SyncWaitOptions): Permit {
    checkOptions(options, syncWaitKeys)
    this.#line.doSync(down, options)
    return this.#permit()
  }

  /**
   * Adds to the value and wakes as many waiters: sem_post(3). For semaphores that count what is there; permits are
   * given back with `permit.release()`.
   *
   * @param count - How much, 1 to 2,147,483,647, default 1.
   * @throws `IpcError` with `EOVERFLOW` when the value is 2,147,483,647 already; the message tells how many of them
   *   were done before.
   */
  release(count = 1): void {
    this.#line.checkOpen()
    this.#gate.post(checkInteger('count', count, 1, maxSemaphoreValue))
  }

  /** One look at the semaphore and its file. */
  stat(): PosixSemaphoreStat {
    this.#line.checkOpen()
    return this.#gate.stat()
  }

  /**
   * Gives up this handle: sem_close(3). Its waits end with a {@link ClosedError}. Permits that it gave stay taken,
   * and can be released all the same.
   */
  async close(): Promise<void> {
    return this.#line.close()
  }

  /**
   * Removes the semaphore's name: sem_unlink(3). Who has it open goes on with it, also this handle.
   *
   * @throws {@link NotFoundError} when somebody has removed it already: the name may be another semaphore's by now.
   */
  unlink(): void {
    if (this.stat().unlinked) throw nameless(this.address)
    unlinkSemaphore(this.address.slice('posix:'.length))
  }

  [Symbol.dispose](): void {
    void this.close()
  }

  #permit(): Permit {
    const gate = this.#gate
    gate.lend()
    return new Permit(() => gate.giveBack())
  }
}
