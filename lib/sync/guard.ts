/** A lock that is held: released once, and watched where somebody needs to know that it was lost. */
import type { IpcError } from '../errors.js'
import type { DeadOwner } from './gate.js'
import type { SyncOperation } from './operation.js'

/** Who gave a guard. */
export interface Lender {
  giveBack(guard: Guard): void
  /** It was lost: there is nothing to give back. */
  forfeit(guard: Guard): void
  /** Why it cannot be given back while a condition is waited for. */
  refuse(): IpcError
  /** It is held, or not, until further notice; nothing is acquired or released. */
  enter(guard: Guard): void
  leave(guard: Guard): void
  /** Why it is not held any more; undefined while it is. */
  checkHolds(): IpcError | undefined
}

/** How often those who asked are told, at the latest. */
const lookEveryMs = 100

const watched = new Map<Guard, AbortController>()
let timer: NodeJS.Timeout | undefined

function look(): void {
  for (const [guard, controller] of watched) {
    const why = guard.isLost()
    if (why !== undefined) {
      watched.delete(guard)
      controller.abort(why)
    } else if (guard.released) watched.delete(guard)
  }
  if (watched.size > 0) return
  clearInterval(timer)
  timer = undefined
}

/**
 * A lock that this handle holds, released by {@link release} or at the end of a `using` block. One that is dropped
 * without being released stays held for as long as its handle is open and this process lives.
 *
 * @example
 * ```ts
 * await using guard = await lock.acquire()
 * if (guard.ownerDied) await repair()
 * await work()
 * ```
 */
export class Guard {
  /** @internal What acquired it. */
  readonly operation: SyncOperation
  #lender: Lender | undefined
  #ownerDied: DeadOwner | undefined
  #loss: AbortController | undefined
  #isSuspended = false

  /** @internal */
  constructor(lender: Lender, operation: SyncOperation, ownerDied: DeadOwner | undefined) {
    this.#lender = lender
    this.operation = operation
    this.#ownerDied = ownerDied
  }

  /** For reading alone, with others: of {@link RWLock}. */
  get shared(): boolean {
    return this.operation.shared
  }

  /**
   * The holder before this one, when it died while it held the lock: what the lock protects may be half changed. It is
   * told once, to the next holder. Within a {@link Condition} also a holder that died while this one waited.
   */
  get ownerDied(): DeadOwner | undefined {
    return this.#ownerDied
  }

  /** Whether it was released, here or with its handle. */
  get released(): boolean {
    return this.#lender === undefined
  }

  /**
   * Aborted when the lock is not this holder's any more although it did not release it: its name was removed, so that
   * others can lock another one of that name, or its memory was damaged. The reason is the error. It is looked at every
   * 100 ms from the first time that this is asked for, until the release.
   *
   * @example
   * ```ts
   * guard.lost.addEventListener('abort', () => stopLeading(guard.lost.reason))
   * ```
   */
  get lost(): AbortSignal {
    if (this.#loss !== undefined) return this.#loss.signal
    this.#loss = new AbortController()
    if (this.#lender !== undefined) {
      watched.set(this, this.#loss)
      // Whoever only waits to hear of a loss does not keep the process alive.
      timer ??= setInterval(look, lookEveryMs).unref()
    }
    return this.#loss.signal
  }

  /**
   * Releases the lock; waits for nobody. Releasing twice is silent.
   *
   * @throws {@link NotHeldError} when the lock was not held any more, and {@link lost} had not told so.
   */
  release(): void {
    const lender = this.#lender
    if (lender === undefined) return
    if (this.#isSuspended || this.#loss !== undefined) {
      this.#releaseWatched(lender)
      return
    }
    this.#lender = undefined
    lender.giveBack(this)
  }

  #releaseWatched(lender: Lender): void {
    // While a condition is waited for it is not there to be released, and will be held again.
    if (this.#isSuspended) throw lender.refuse()
    this.end()
    if (this.#loss?.signal.aborted === true) lender.forfeit(this)
    else lender.giveBack(this)
  }

  [Symbol.dispose](): void {
    this.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release()
  }

  /** @internal The lock is released while a condition is waited for. */
  suspend(): void {
    this.#isSuspended = true
    this.#lender?.leave(this)
  }

  /** @internal It is held again; perhaps another holder died meanwhile. */
  resume(death: DeadOwner | undefined): void {
    this.#isSuspended = false
    this.#lender?.enter(this)
    if (death !== undefined) this.#ownerDied = death
  }

  /** @internal It is not held any more, and there is nothing to give back. */
  end(): void {
    this.#lender = undefined
    if (this.#loss !== undefined) watched.delete(this)
  }

  /** @internal Looks whether it still is held. */
  isLost(): IpcError | undefined {
    return this.#isSuspended ? undefined : this.#lender?.checkHolds()
  }
}
