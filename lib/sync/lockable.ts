/** Locks of every kind: acquired and released by their handle, by guards, or for as long as a function runs. */
import { errnoOf, IpcError, OwnerDiedError } from '../errors.js'
import {
  checkBoolean,
  checkKeys,
  checkObject,
  type SyncWaitOptions,
  type WaitOptions,
  wrongType,
} from '../options.js'
import { notHeldError } from '../shared/failure.js'
import { checkSyncWait } from '../wait/countdown.js'
import type { SyncGate } from './gate.js'
import { Guard, type Lender } from './guard.js'
import { SyncObject } from './object.js'
import { acquireOnce, acquireShared, type SyncOperation } from './operation.js'

/** What is to be done about holders that die. */
export interface HolderOptions {
  /**
   * Throw an {@link OwnerDiedError} when the last holder died while it held the lock, instead of telling it in the
   * guard. The lock is released again then, and the next holder is told nothing. Default false.
   */
  strict?: boolean | undefined
  /** Called when the lock is lost while it is held, see {@link Guard.lost}. */
  onLost?: ((reason: Error) => void) | undefined
}

/** Options of acquiring a lock. */
export interface AcquireOptions extends WaitOptions, HolderOptions {}
/** Options of acquiring a lock while the thread is blocked. */
export interface AcquireSyncOptions extends SyncWaitOptions, HolderOptions {}

const holderKeys = ['strict', 'onLost']
const syncKeys = ['timeoutMs', ...holderKeys]
const asyncKeys = ['signal', ...syncKeys]

/**
 * Acquiring and releasing a free lock are short from here down to the addon, and what is rare stands in methods of its
 * own: V8 compiles all of it into the caller as long as both have less than 920 bytes of bytecode together. With a
 * little more, calls and the making of the guard cost a third as much again (bench/sync, 2026-11).
 */
export abstract class Lockable extends SyncObject {
  /** What acquiring it is. */
  protected readonly operation: SyncOperation = acquireOnce
  /** Those that this handle gave and nobody has released, the newest last. */
  readonly #guards: Guard[] = []
  /** What guards belong to: a plain object, as the methods are nobody else's. */
  readonly #lender: Lender = {
    giveBack: (guard) => {
      this.#leave(guard)
      this.holder.giveBack(guard.operation)
      this.poke()
    },
    forfeit: (guard) => {
      this.#leave(guard)
      // It is another's by now.
      this.holder.forfeit(guard.operation)
      this.poke()
    },
    refuse: () => notHeldError(this.address, 'release', 'it is released while a condition is waited for'),
    enter: (guard) => this.#guards.push(guard),
    leave: (guard) => this.#leave(guard),
    checkHolds: () => this.holder.checkHolds(),
  }
  readonly #takeExclusive = () => this.#take(this.operation)
  readonly #takeShared = () => this.#take(acquireShared)

  /** Whether anybody holds it now, in whatever process. */
  get locked(): boolean {
    const { holder, value, kind } = this.stat()
    return holder !== undefined || (kind === 'RWLock' && value > 0)
  }

  /**
   * Acquires the lock, and waits while another one holds it. Calls of one handle are served in the order in which they
   * were made; among processes nobody waits for ever.
   *
   * @throws {@link TimeoutError}; the signal's reason; {@link ClosedError}; {@link RemovedError}. Then nothing was
   *   acquired. {@link OwnerDiedError} when `strict`.
   */
  acquire(options?: AcquireOptions): Promise<Guard> {
    return this.acquireAs(this.operation, options)
  }

  /** Acquires the lock if nobody holds it now, and nobody of this handle waits for it; undefined otherwise. */
  tryAcquire(options?: HolderOptions): Guard | undefined {
    return this.tryAcquireAs(this.operation, options)
  }

  /**
   * Acquires the lock, and blocks the thread until it does. Ctrl-C ends it with `EINTR`.
   *
   * @throws as {@link acquire}; `IpcError` with `EDEADLK` when this very handle holds it, without a timeout: the thread
   *   that would release it is the one that would block.
   */
  acquireSync(options?: AcquireSyncOptions): Guard {
    return this.acquireSyncAs(this.operation, options)
  }

  /**
   * Runs a function while the lock is held, and releases it then, also when the function throws.
   *
   * @returns What the function returns, or what it resolves to.
   * @example
   * ```ts
   * const total = await lock.run(() => readAndWrite(), { timeoutMs: 500 })
   * ```
   */
  async run<R>(work: (guard: Guard) => R | Promise<R>, options?: AcquireOptions): Promise<R> {
    return this.runAs(this.operation, work, options)
  }

  /**
   * Releases what this handle acquired last; its guard is released then. Waits for nobody.
   *
   * @throws {@link NotHeldError} when this handle holds nothing.
   */
  release(): void {
    this.line.checkOpen()
    const guard = this.#guards.at(-1)
    if (guard === undefined) throw notHeldError(this.address, 'release')
    guard.release()
  }

  override async close(): Promise<void> {
    // Its waits end first, or the next of them would get what is released here.
    const closing = super.close()
    for (const guard of [...this.#guards].reverse()) {
      try {
        guard.release()
      } catch {
        // It was lost; there is nothing to give back.
      }
    }
    return closing
  }

  /** The handle that holds it, or would. */
  protected get holder(): SyncGate {
    return this.gate
  }

  /** Not an async function: its promise would cost as much as the lock. */
  protected acquireAs(operation: SyncOperation, options: AcquireOptions | undefined): Promise<Guard> {
    if (options !== undefined) return this.#acquireWith(operation, options)
    try {
      return this.line.do(operation, this.#takeOf(operation))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #acquireWith(operation: SyncOperation, options: AcquireOptions): Promise<Guard> {
    checkHolderOptions(options, asyncKeys)
    return this.#heed(await this.line.do(operation, this.#takeOf(operation), options), options)
  }

  #takeOf({ shared }: SyncOperation): () => Guard {
    return shared ? this.#takeShared : this.#takeExclusive
  }

  protected tryAcquireAs(operation: SyncOperation, options: HolderOptions | undefined): Guard | undefined {
    if (options !== undefined) return this.#tryAcquireWith(operation, options)
    return this.line.attempt(operation) ? this.#take(operation) : undefined
  }

  #tryAcquireWith(operation: SyncOperation, options: HolderOptions): Guard | undefined {
    checkHolderOptions(options, holderKeys)
    const guard = this.tryAcquireAs(operation, undefined)
    return guard === undefined ? undefined : this.#heed(guard, options)
  }

  protected acquireSyncAs(operation: SyncOperation, options: AcquireSyncOptions | undefined): Guard {
    if (options !== undefined) return this.#acquireSyncWith(operation, options)
    if (!this.line.attemptSync(operation)) this.#block(operation, options)
    return this.#take(operation)
  }

  #acquireSyncWith(operation: SyncOperation, options: AcquireSyncOptions): Guard {
    checkHolderOptions(options, syncKeys)
    checkSyncWait(options)
    if (!this.line.attemptSync(operation)) this.#block(operation, options)
    return this.#heed(this.#take(operation), options)
  }

  #block(operation: SyncOperation, options: AcquireSyncOptions | undefined): void {
    if (options?.timeoutMs === undefined && this.gate.waitsForItself(operation)) throw this.#deadlock()
    this.line.blockFor(operation, options)
  }

  protected async runAs<R>(
    operation: SyncOperation,
    work: (guard: Guard) => R | Promise<R>,
    options: AcquireOptions | undefined,
  ): Promise<R> {
    if (typeof work !== 'function') throw wrongType('work', 'a function', work)
    const guard = await this.acquireAs(operation, options)
    try {
      return await work(guard)
    } finally {
      guard.release()
    }
  }

  /**
   * @internal Releases everything that this environment holds, to wait for a condition.
   *
   * @returns The guards, for {@link resume}.
   * @throws {@link NotHeldError} when it holds nothing.
   */
  suspend(): readonly Guard[] {
    this.checkHeld('wait with')
    const guards = this.heldGuards()
    for (const guard of guards) {
      guard.suspend()
      this.holder.giveBack(this.operation)
    }
    this.poke()
    return guards
  }

  /** @internal Acquires again what {@link suspend} released. */
  async resume(guards: readonly Guard[]): Promise<void> {
    await this.line.do(this.operation, () => this.#retake(guards))
  }

  /** @internal The same, while the thread is blocked. */
  resumeSync(guards: readonly Guard[]): void {
    this.line.doSync(this.operation)
    this.#retake(guards)
  }

  /** @internal Whether this environment holds it: what a condition asks before it notifies. */
  checkHeld(action: string): void {
    this.line.checkOpen()
    if (this.heldGuards().length === 0) throw notHeldError(this.address, action)
  }

  /** The guards of everything that this environment holds. */
  protected heldGuards(): readonly Guard[] {
    return [...this.#guards]
  }

  /** Those of this environment who wait may try. */
  protected poke(): void {
    this.line.poke()
  }

  #retake(guards: readonly Guard[]): void {
    const { holder } = this
    const death = holder.lend(this.operation)
    for (const _ of guards.slice(1)) {
      holder.attempt(this.operation)
      holder.lend(this.operation)
    }
    for (const guard of guards) guard.resume(death)
  }

  #take(operation: SyncOperation): Guard {
    const guard = new Guard(this.#lender, operation, this.holder.lend(operation))
    this.#guards.push(guard)
    // Whoever waits in this environment by another handle owns it as well now.
    if (!operation.exclusive) this.poke()
    return guard
  }

  #leave(guard: Guard): void {
    const newest = this.#guards.pop()
    if (newest !== guard) this.#leaveEarly(guard, newest)
  }

  /** Those that were acquired after it are held still. */
  #leaveEarly(guard: Guard, newest: Guard | undefined): void {
    if (newest !== undefined) this.#guards.push(newest)
    this.#guards.splice(this.#guards.indexOf(guard) >>> 0, 1)
  }

  /** Does to a new guard what the caller asked for. */
  #heed(guard: Guard, { strict, onLost }: HolderOptions): Guard {
    if (strict === true && guard.ownerDied !== undefined) {
      const { pid, name } = guard.ownerDied
      guard.release()
      throw new OwnerDiedError(
        `The last holder of ${this.address}, process ${pid} (${name}), died while it held it: what it protects may be half changed; repair it, and acquire it again`,
        { resource: this.address, pid, participant: name },
      )
    }
    if (onLost !== undefined) {
      guard.lost.addEventListener('abort', () => onLost(guard.lost.reason as Error), { once: true })
    }
    return guard
  }

  #deadlock(): IpcError {
    return new IpcError(
      `Cannot acquire ${this.address}: this handle holds it already, and would block the thread that releases it; release it first, use acquire(), which waits without blocking, or an RLock`,
      { code: 'EDEADLK', errno: -errnoOf.EDEADLK, resource: this.address },
    )
  }
}

function checkHolderOptions(options: HolderOptions, known: readonly string[]): void {
  checkKeys('options', checkObject('options', options), known)
  const { strict, onLost } = options
  if (strict !== undefined) checkBoolean('strict', strict)
  if (onLost !== undefined && typeof onLost !== 'function') throw wrongType('onLost', 'a function', onLost)
}
