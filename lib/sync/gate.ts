/**
 * An object of `ipckit/sync` as it is open here: tries, waits that have begun, and what this handle holds. Threads only
 * sleep at its words; what is taken, JavaScript takes.
 */
import { native } from '../binding.js'
import { errnoOf, type IpcError, type SystemFailure } from '../errors.js'
import { type Noun, notHeldError, ringError } from '../shared/failure.js'
import { adviseOnWaiting } from '../wait/asking.js'
import { expect, forget, newToken } from '../wait/engine.js'
import { closeWhenForgotten, wasClosed } from '../wait/forgotten.js'
import type { Gate } from '../wait/operation-line.js'
import { codes, type SyncOperation } from './operation.js'

type Listener = Parameters<Gate<SyncOperation>['listen']>[0]

/** The last holder, which died while it held the lock. */
export interface DeadOwner {
  /** As its own PID namespace had it. */
  readonly pid: number
  /** What it called itself. */
  readonly name: string
}

/** What a try says, beside what it could not do. */
const doneAfterDeath = 1
const actionIsMine = 2

const noTokens = new Int32Array(0)

/** What a thread was asked for, and those whom its answer concerns. */
interface Question {
  readonly token: number
  readonly operations: Set<SyncOperation>
}

/** One question does for all who wait for an event: they sleep at one word. */
const askedAs = ({ code, key }: SyncOperation) => (code === codes.event ? 'event' : key)

/** The handle by which this environment holds something. Of a lock that may be acquired again all handles have one. */
export interface Ownership {
  holder: SyncGate | undefined
}

/**
 * What each handle has of its own refers to it while it holds something: what was acquired stays so, also when nobody
 * has the handle in hand. A set of those that hold would cost as much as the locks.
 */
const places = new Set<Ownership>()

export class SyncGate implements Gate<SyncOperation> {
  readonly address: string
  readonly looksOnly = true
  readonly kind: Noun
  readonly #handle: number
  readonly #place: Ownership
  /** Another one than the handle's own where all handles of this environment are one owner. */
  ownership: Ownership
  #listener!: Listener
  /** Waits that have begun, by the key of their operation. */
  readonly #waits = new Map<string, number>()
  /** What threads were asked. */
  readonly #questions = new Map<string, Question>()
  /** Those who wait for what this handle itself holds. */
  readonly #behindOurselves = new Set<SyncOperation>()
  #held = 0
  /** Of these, those that let others read. */
  #shared = 0
  #death: DeadOwner | undefined
  #closing = false
  #closed = false
  /** What the barrier said last: whose turn the action is, and the place of who arrived. */
  actionWait: number | undefined
  index = 0

  constructor(address: string, kind: Noun, handle: number) {
    this.address = address
    this.kind = kind
    this.#handle = handle
    const place: Ownership = { holder: undefined }
    this.#place = place
    this.ownership = place
    places.add(place)
    closeWhenForgotten(this, () => {
      places.delete(place)
      native.syncClose(handle, noTokens)
    })
  }

  /** The addon's handle, for calls that never wait. */
  get handle(): number {
    return this.#handle
  }

  /** Whether it cannot be done before this very handle releases something. */
  waitsForItself({ exclusive, shared }: SyncOperation): boolean {
    return exclusive && this.#held > (shared ? this.#shared : 0)
  }

  attempt(operation: SyncOperation): boolean {
    // Mostly nobody here holds it or waits for it.
    if (this.ownership.holder !== undefined || this.#waits.size > 0 || !operation.plain) {
      return this.#attempt(operation)
    }
    const result = native.syncAcquire(this.#handle)
    return result === undefined || this.#isDone(result)
  }

  #attempt(operation: SyncOperation): boolean {
    const { holder } = this.ownership
    if (holder !== undefined && holder !== this) return holder.attempt(operation)
    if (this.waitsForItself(operation)) return false
    const wait = this.#waits.get(operation.key)
    if (wait === undefined) return this.#isDone(native.syncTry(this.#handle, operation.code, operation.count))
    const result = native.syncAttempt(this.#handle, wait)
    if (result === -errnoOf.EAGAIN) return false
    this.#waits.delete(operation.key)
    if (result === actionIsMine) this.actionWait = wait
    else this.index = native.syncEnd(this.#handle, wait)
    // A thread that goes on sleeping for this wait would hear nothing that is meant for the next one.
    if (this.#questions.size > 0 && this.#unask(operation)) this.#tellEnd(operation)
    return this.#isDone(result)
  }

  #isDone(result: number): boolean {
    if (result === -errnoOf.EAGAIN) return false
    if (result < 0) throw this.error(result, 'acquire')
    if (result === doneAfterDeath) this.#death = native.syncDead(this.#handle)
    return true
  }

  mayCome(operation: SyncOperation): boolean {
    return !this.waitsForItself(operation)
  }

  /** Announces a wait: whatever happens from now on counts for it. */
  begin(operation: SyncOperation): number {
    const wait = native.syncBegin(this.#handle, operation.code, operation.count)
    if (wait < 0) throw this.error(wait, 'wait for')
    this.#waits.set(operation.key, wait)
    return wait
  }

  block(operation: SyncOperation, milliseconds: number): boolean {
    const wait = this.#waits.get(operation.key) ?? this.begin(operation)
    const result = native.syncBlock(this.#handle, wait, milliseconds)
    if (result < 0) throw this.error(result, 'wait for', 'futex')
    return result === 1 && this.attempt(operation)
  }

  ask(operation: SyncOperation): void {
    if (this.waitsForItself(operation)) {
      this.#behindOurselves.add(operation)
      return
    }
    const key = askedAs(operation)
    const standing = this.#questions.get(key)
    if (standing !== undefined) {
      standing.operations.add(operation)
      return
    }
    const wait = this.#waits.get(operation.key) ?? this.begin(operation)
    const question = { token: newToken(), operations: new Set([operation]) }
    expect(question.token, () => {
      this.#questions.delete(key)
      forget(question.token)
      for (const each of question.operations) this.#listener(each, 'ready')
    })
    const result = native.syncArm(this.#handle, wait, question.token)
    if (result === 0) {
      this.#questions.set(key, question)
      return
    }
    forget(question.token)
    if (result < 0) throw this.error(result, 'wait for', 'pthread_create')
    queueMicrotask(() => this.#listener(operation, 'ready'))
  }

  forget(operation: SyncOperation): void {
    this.#behindOurselves.delete(operation)
    this.#unask(operation)
    this.drop(operation)
    this.#tellEnd(operation)
  }

  /** No thread ever takes anything. */
  takeBack(): void {}

  passOn(operation: SyncOperation): void {
    this.drop(operation)
  }

  giveUp(operation: SyncOperation): boolean {
    // Others may wait for the same by this wait.
    return !(operation.takes.length > 0 && this.#questions.has(operation.key)) && this.#cancel(operation)
  }

  drop(operation: SyncOperation): void {
    // One that is done all the same is undone: it was a lock, or permits.
    if (this.#cancel(operation) && operation.takes.length > 0) this.#undo(operation)
  }

  listen(listener: Listener): void {
    this.#listener = listener
  }

  /**
   * Takes note of what {@link attempt} took; until {@link giveBack} the handle is not forgotten.
   *
   * @returns The last holder, when it died and this handle was the first to hear of it since.
   */
  lend({ shared }: SyncOperation): DeadOwner | undefined {
    if (shared) this.#shared++
    this.#held++
    this.ownership.holder = this
    const death = this.#death
    this.#death = undefined
    return death
  }

  /** Gives back what was taken; nothing when the handle was closed, which gave everything back. */
  giveBack(operation: SyncOperation): void {
    if (this.#closing || this.#behindOurselves.size > 0 || !operation.plain) {
      this.#giveBack(operation)
      return
    }
    if (--this.#held === 0) this.ownership.holder = undefined
    const result = native.syncReleaseOne(this.#handle)
    if (result !== undefined) throw this.error(result, 'release')
  }

  #giveBack(operation: SyncOperation): void {
    if (this.#closed) return
    this.forfeit(operation)
    const result = this.#undo(operation)
    if (this.#behindOurselves.size > 0) this.#hear()
    if (this.#closing && this.#held === 0) this.#close()
    if (result < 0) throw this.error(result, 'release')
  }

  /** What was held is not any more, by whoever's doing. */
  forfeit({ shared }: SyncOperation): void {
    if (shared) this.#shared--
    if (this.#held > 0 && --this.#held === 0) this.ownership.holder = undefined
  }

  /** Why this handle does not hold it any more; undefined while it does. */
  checkHolds(): IpcError | undefined {
    const result = native.syncHolds(this.#handle)
    if (result > 0) return undefined
    return result === 0
      ? notHeldError(this.address, 'hold', 'another one took it from this handle')
      : this.error(result, 'hold')
  }

  release(): void {
    this.#closing = true
    // Another handle of this environment goes on with what it acquired by this one.
    if (this.ownership !== this.#place && this.ownership.holder === this) return
    this.#close()
  }

  /** A text that all handles on this object have, and no other object has. */
  identity(): string {
    return this.#whole(() => native.syncIdentity(this.#handle))
  }

  /** The bytes of a value: a handle of memory. */
  map(): number {
    return this.#whole(() => native.syncMap(this.#handle))
  }

  /** What throws its failure. */
  #whole<R>(call: () => R): R {
    try {
      return call()
    } catch (reason) {
      const { errno, syscall } = reason as SystemFailure
      throw this.error(-Math.abs(errno), 'use', syscall)
    }
  }

  /** The error of a call of this object. */
  error(errno: number, action: string, syscall: string = action): IpcError {
    const advice = adviseOnWaiting({ errno, syscall })
    return ringError({ errno, syscall, action, resource: this.address, kind: this.kind, advice })
  }

  /** Takes a question back: whether there was one. */
  #unask(operation: SyncOperation): boolean {
    const key = askedAs(operation)
    const question = this.#questions.get(key)
    if (question?.operations.delete(operation) !== true) return false
    if (question.operations.size === 0) {
      this.#questions.delete(key)
      forget(question.token)
      native.ringForget(question.token)
    }
    return true
  }

  /** Nothing is asked any more. */
  #tellEnd(operation: SyncOperation): void {
    queueMicrotask(() => this.#listener(operation, 'ended'))
  }

  /** Whether it was done already. */
  #cancel({ key }: SyncOperation): boolean {
    const wait = this.#waits.get(key)
    if (wait === undefined) return false
    this.#waits.delete(key)
    const result = native.syncCancel(this.#handle, wait)
    this.index = native.syncEnd(this.#handle, wait)
    return result === 1
  }

  #undo({ shared, count }: SyncOperation): number {
    return shared ? native.syncReleaseShared(this.#handle) : native.syncRelease(this.#handle, count)
  }

  /** It was given back here: those behind try. */
  #hear(): void {
    const asked = [...this.#behindOurselves]
    this.#behindOurselves.clear()
    for (const operation of asked) this.#listener(operation, 'ready')
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    wasClosed(this)
    if (this.#held > 0) this.ownership.holder = undefined
    places.delete(this.#place)
    native.syncClose(
      this.#handle,
      Int32Array.from(this.#questions.values(), ({ token }) => token),
    )
  }
}
