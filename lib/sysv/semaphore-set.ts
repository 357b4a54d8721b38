/**
 * A set of System V semaphores: every call of semop(2) and semctl(2), async, sync and without waiting.
 */
import {
  checkBoolean,
  checkInteger,
  checkKeys,
  checkObject,
  checkOptions,
  checkOwnership,
  outOfRange,
  type SyncWaitOptions,
  syncWaitKeys,
  type WaitOptions,
  waitKeys,
} from '../options.js'
import { Handle } from '../wait/handle.js'
import { OperationLine } from '../wait/operation-line.js'
import { Permit } from '../wait/permit.js'
import type { SemaphoreSetGate, SemaphoreSetStat } from './semaphore-gate.js'
import {
  type SemaphoreLimits,
  type SemaphoreUsage,
  semaphoreLimits,
  semaphoreUsage,
} from './semaphore-limits.js'
import { listSemaphoreSets, type SemaphoreSetEntry } from './semaphore-list.js'
import {
  type CreateSetOptions,
  checkValues,
  type OpenSetOptions,
  openSet,
  type SemaphoreSetName,
  unlinkSet,
} from './semaphore-open.js'
import {
  checkIndex,
  maxSetValue,
  packOperations,
  type SemaphoreOperation,
  type SetOperation,
  singleOperation,
} from './semaphore-operation.js'

/** Which permits are taken. */
export interface PermitOptions {
  /** Which semaphore of the set, from 0; default 0. */
  semaphore?: number | undefined
  /** How many at once, 1 to 32,767, default 1. */
  count?: number | undefined
  /** The kernel gives them back when this process ends, however it ends: SEM_UNDO. Default true. */
  undo?: boolean | undefined
}

export interface AcquireOptions extends PermitOptions, WaitOptions {}
export interface AcquireSyncOptions extends PermitOptions, SyncWaitOptions {}

/** What is given. */
export interface ReleaseOptions {
  /** Which semaphore of the set, from 0; default 0. */
  semaphore?: number | undefined
  /** How much is added, 1 to 32,767, default 1. */
  count?: number | undefined
  /**
   * The kernel takes it back when this process ends: SEM_UNDO. Default false, for what is given was not taken here;
   * permits that were taken are given back with `permit.release()`, which knows how they were taken.
   */
  undo?: boolean | undefined
}

/** Who waits for a semaphore. */
export interface SemaphoreWaiters {
  /** How many processes wait for its value to grow: GETNCNT. */
  readonly forMore: number
  /** How many wait for it to be 0: GETZCNT. */
  readonly forZero: number
}

/** What IPC_SET of semctl(2) changes. */
export interface SetChanges {
  /** The new owner. */
  uid?: number
  gid?: number
  /** Permission bits, 0 to 0o777. */
  mode?: number
}

const permitKeys = ['semaphore', 'count', 'undo'] as const
const acquireKeys = [...permitKeys, ...waitKeys]
const acquireSyncKeys = [...permitKeys, ...syncWaitKeys]

/**
 * A set of System V semaphores, on which several operations can be done at once, all or none.
 *
 * With `undo`, the default of {@link acquire}, the kernel gives back what a process has taken when it ends, also by
 * `kill -9`: a lock is never left behind. It restores the count, not the data that the lock protected: nobody is told
 * that a holder died. The account is kept by process: what a worker thread took is given back when the process
 * ends, not the thread.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/semop.2.html | semop(2)}
 * @example
 * ```ts
 * import { SemaphoreSet } from 'ipckit/sysv'
 *
 * await using forks = SemaphoreSet.openOrCreate(0x1234, { values: [1, 1, 1, 1, 1] })
 * // Both forks, or none of them.
 * await forks.operate([{ semaphore: 0, by: -1, undo: true }, { semaphore: 1, by: -1, undo: true }])
 * ```
 */
export class SemaphoreSet extends Handle {
  readonly #gate: SemaphoreSetGate
  readonly #line: OperationLine<SetOperation>

  private constructor(gate: SemaphoreSetGate) {
    const line = new OperationLine(gate, 'operate on')
    super(line)
    this.#gate = gate
    this.#line = line
  }

  /**
   * Opens a set that exists, by key, by the file its key is made of, or by id: semget(2).
   *
   * @throws {@link NotFoundError} when there is none; `IpcError` with `EACCES` without permission; with
   *   `ERR_IPC_UNINITIALIZED` when whoever made it has not given it its values, see {@link OpenSetOptions}.
   */
  static open(name: SemaphoreSetName, options?: OpenSetOptions): SemaphoreSet {
    return new SemaphoreSet(openSet(name, 'open', options))
  }

  /**
   * Makes a set that does not exist yet: semget(2) with IPC_CREAT and IPC_EXCL. `'private'` makes one that only its
   * id leads to, which `stat().id` tells.
   *
   * @throws {@link ExistsError} when there is one of that key; `IpcError` with `ENOSPC` or `EINVAL` when a limit of
   *   kernel.sem is in the way.
   */
  static create(name: SemaphoreSetName, options?: CreateSetOptions): SemaphoreSet {
    return new SemaphoreSet(openSet(name, 'create', options))
  }

  /**
   * Opens the set, or makes it when there is none. Of a set that exists, its own values hold.
   *
   * @throws `IpcError` with `EINVAL` when there is one with fewer semaphores than `values`.
   */
  static openOrCreate(name: SemaphoreSetName, options?: CreateSetOptions): SemaphoreSet {
    return new SemaphoreSet(openSet(name, 'openOrCreate', options))
  }

  /**
   * Removes a set for everyone, without opening it: IPC_RMID. Whoever waits, anywhere, gets a {@link RemovedError}.
   *
   * @throws {@link NotFoundError} when there is none; `IpcError` with `EPERM` when this user is neither owner nor creator.
   *   The mode does not matter.
   */
  static unlink(name: SemaphoreSetName): void {
    unlinkSet(name)
  }

  /** Lists all sets of this IPC namespace, sorted by id. */
  static list(): SemaphoreSetEntry[] {
    return listSemaphoreSets()
  }

  /** The limits of this IPC namespace: IPC_INFO. */
  static limits(): SemaphoreLimits {
    return semaphoreLimits()
  }

  /** How much of them is used: SEM_INFO. */
  static usage(): SemaphoreUsage {
    return semaphoreUsage()
  }

  /** The set's address, `sysv:0x00001234` or `sysv:id=5`. */
  get address(): string {
    return this.#gate.address
  }

  /** How many semaphores it has; it never changes. */
  get size(): number {
    this.#line.checkOpen()
    return this.#gate.size
  }

  /**
   * Does all of the operations at once, as soon as they can all be done: semop(2), semtimedop(2). Operations that
   * take from the same semaphore are done in the order in which they were asked for; others pass them.
   *
   * @throws {@link TimeoutError}; the signal's reason; {@link ClosedError}; {@link RemovedError}. Then nothing was
   *   done. `IpcError` with `ERANGE` when a value would pass 32,767, `EFBIG` when the set has no such semaphore,
   *   `E2BIG` when they are more than kernel.sem allows.
   */
  async operate(operations: readonly SemaphoreOperation[], options?: WaitOptions): Promise<void> {
    checkOptions(options, waitKeys)
    return this.#line.do(packOperations(operations), () => undefined, options)
  }

  /** Does all of the operations if they can all be done now: semop(2) with IPC_NOWAIT. */
  tryOperate(operations: readonly SemaphoreOperation[]): boolean {
    return this.#line.attempt(packOperations(operations))
  }

  /** Does all of the operations, and blocks the thread until they can be done. Ctrl-C ends it with `EINTR`. */
  operateSync(operations: readonly SemaphoreOperation[], options?: SyncWaitOptions): void {
    checkOptions(options, syncWaitKeys)
    this.#line.doSync(packOperations(operations), options)
  }

  /**
   * Takes a permit of one semaphore, and waits for it. With `undo`, the default, the kernel gives it back when this
   * process ends.
   */
  async acquire(options?: AcquireOptions): Promise<Permit> {
    const operation = taking(options, acquireKeys)
    return this.#line.do(operation, () => this.#permit(operation), options)
  }

  /** Takes a permit if it can be had now, and nobody of this handle waits for one. */
  tryAcquire(options?: PermitOptions): Permit | undefined {
    const operation = taking(options, permitKeys)
    return this.#line.attempt(operation) ? this.#permit(operation) : undefined
  }

  /** Takes a permit, and blocks the thread until it can be had. Ctrl-C ends it with `EINTR`. */
  acquireSync(options?: AcquireSyncOptions): Permit {
    const operation = taking(options, acquireSyncKeys)
    this.#line.doSync(operation, options)
    return this.#permit(operation)
  }

  /** Adds to a semaphore, which never waits. For semaphores that count what is there, not for permits. */
  release(options?: ReleaseOptions): void {
    checkOptions(options, permitKeys)
    const { semaphore = 0, count = 1, undo = false } = options ?? {}
    this.#line.attempt(
      singleOperation(
        checkIndex(semaphore),
        checkInteger('count', count, 1, maxSetValue),
        checkBoolean('undo', undo),
      ),
    )
  }

  /** The value of a semaphore: GETVAL. */
  value(semaphore = 0): number {
    this.#line.checkOpen()
    return this.#gate.query(checkIndex(semaphore), 'value')
  }

  /** All values, read at once: GETALL. */
  values(): number[] {
    this.#line.checkOpen()
    return this.#gate.values()
  }

  /**
   * Sets the value of a semaphore, and wakes who can go on: SETVAL. What the kernel was to undo for processes that
   * use it is forgotten.
   */
  setValue(semaphore: number, value: number): void {
    this.#line.checkOpen()
    this.#gate.setValue(checkIndex(semaphore), checkInteger('value', value, 0, maxSetValue))
  }

  /** Sets all values at once: SETALL. What the kernel was to undo for processes that use them is forgotten. */
  setValues(values: readonly number[]): void {
    this.#line.checkOpen()
    checkValues(values)
    if (values.length !== this.#gate.size) {
      throw outOfRange('values', `${this.#gate.size} values, one for each semaphore`, values)
    }
    this.#gate.setValues(values)
  }

  /** How many processes wait for a semaphore, in the kernel: GETNCNT, GETZCNT. */
  waiters(semaphore = 0): SemaphoreWaiters {
    this.#line.checkOpen()
    checkIndex(semaphore)
    return {
      forMore: this.#gate.query(semaphore, 'waitingForMore'),
      forZero: this.#gate.query(semaphore, 'waitingForZero'),
    }
  }

  /** The pid that operated on a semaphore last, 0 when none did or it is not visible from here: GETPID. */
  lastPid(semaphore = 0): number {
    this.#line.checkOpen()
    return this.#gate.query(checkIndex(semaphore), 'lastPid')
  }

  /** One look at the set: IPC_STAT. Read from the kernel each time. */
  stat(): SemaphoreSetStat {
    this.#line.checkOpen()
    return this.#gate.stat()
  }

  /**
   * Changes owner or mode of the set: IPC_SET.
   *
   * @throws `IpcError` with `EPERM` when this user is neither owner nor creator.
   */
  set(changes: SetChanges): void {
    this.#line.checkOpen()
    checkKeys('changes', checkObject('changes', changes), ['uid', 'gid', 'mode'])
    checkOwnership(changes)
    this.#gate.set(changes)
  }

  /**
   * Gives up this handle. Its waits end with a {@link ClosedError}. The set stays, and permits that it gave stay
   * taken, and can be released all the same.
   */
  async close(): Promise<void> {
    return this.#line.close()
  }

  /** Removes the set for everyone, at once: IPC_RMID. Whoever waits, anywhere, gets a {@link RemovedError}. */
  unlink(): void {
    this.#line.checkOpen()
    this.#gate.unlink()
  }

  [Symbol.dispose](): void {
    void this.close()
  }

  #permit({ packed }: SetOperation): Permit {
    const gate = this.#gate
    const [semaphore = 0, by = 0, flags = 0] = packed
    gate.lend()
    return new Permit(() => gate.giveBack(singleOperation(semaphore & 0xffff, -by, flags !== 0)))
  }
}

const plain = singleOperation(0, -1, true)

function taking(options: PermitOptions | undefined, known: readonly string[]): SetOperation {
  if (options === undefined) return plain
  checkKeys('options', checkObject('options', options), known)
  const { semaphore = 0, count = 1, undo = true } = options
  checkIndex(semaphore)
  checkInteger('count', count, 1, maxSetValue)
  return singleOperation(semaphore, -count, checkBoolean('undo', undo))
}
