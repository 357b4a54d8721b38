/**
 * A System V semaphore set, without waiting, blocking, and asked from a thread, which does the operation itself. The
 * kernel keeps the account of SEM_UNDO by process: it does not matter which thread did it.
 */
import { native } from '../binding.js'
import { errnoOf, type IpcError, RemovedError, type SystemFailure, systemError } from '../errors.js'
import { Asking, adviseOnWaiting, failureOf } from '../wait/asking.js'
import { closeWhenForgotten, wasClosed } from '../wait/forgotten.js'
import type { Gate } from '../wait/operation-line.js'
import { semaphoreLimits } from './semaphore-limits.js'
import { maxSetValue, type SetOperation } from './semaphore-operation.js'

/** What is known of a set. */
export interface SemaphoreSetStat {
  readonly address: string
  readonly id: number
  /** 0 for a private set. */
  readonly key: number
  /** How many semaphores it has. */
  readonly size: number
  readonly uid: number
  readonly gid: number
  /** Who made it. */
  readonly creatorUid: number
  readonly creatorGid: number
  /** Permission bits, as in `0o600`: read to look and to wait for zero, write to change values. */
  readonly mode: number
  /** Undefined when nothing was done with it yet. */
  readonly lastOperationTime: Date | undefined
  /** When it was made, or its values, owner or mode were set last. */
  readonly lastChangeTime: Date
}

/** Commands of semctl(2) that read a number of one semaphore. */
const commands = { lastPid: 11, value: 12, waitingForMore: 14, waitingForZero: 15 } as const

export class SemaphoreSetGate implements Gate<SetOperation> {
  readonly address: string
  readonly #handle: number
  readonly #asking = new Asking()
  #listener!: Parameters<Gate<SetOperation>['listen']>[0]
  #size: number | undefined
  /** Permits that are not given back yet; they need the handle. */
  #lent = 0
  #released = false

  constructor(address: string, handle: number) {
    this.address = address
    this.#handle = handle
    closeWhenForgotten(this, () => native.semsetDetach(handle))
  }

  /** How many semaphores the set has; it never changes. */
  get size(): number {
    this.#size ??= this.stat().size
    return this.#size
  }

  attempt(operation: SetOperation): boolean {
    const { packed } = operation
    const result =
      packed.length === 3
        ? native.semopOne(this.#handle, packed[0] as number, packed[1] as number, packed[2] as number)
        : native.semop(this.#handle, packed)
    if (result === 0) return true
    if (result === -errnoOf.EAGAIN) return false
    throw this.#error(result, 'semop', 'operate on', operation)
  }

  block(operation: SetOperation, milliseconds: number): boolean {
    const result = native.semopWait(this.#handle, operation.packed, milliseconds)
    if (result < 0) throw this.#error(result, 'semtimedop', 'operate on', operation)
    return result === 1
  }

  ask(operation: SetOperation): void {
    try {
      this.#asking.begin(
        operation.key,
        (token) => native.semopCall(this.#handle, token, operation.packed),
        (result) => this.#onAnswer(operation, result),
      )
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      throw this.#error(errno, syscall, 'operate on', operation)
    }
  }

  forget(operation: SetOperation): void {
    this.#asking.end(operation.key)
  }

  takeBack(operation: SetOperation): void {
    // It can fail only where there is nothing left to give back to: the set was removed, or others have set its
    // values so high since that they can grow no more.
    native.semopTakeBack(this.#handle, operation.packed)
  }

  /** A thread does what it was asked for, and is never merely ready. */
  passOn(): void {}

  listen(listener: Parameters<Gate<SetOperation>['listen']>[0]): void {
    this.#listener = listener
  }

  release(): void {
    this.#released = true
    this.#detachWhenDone()
  }

  lend(): void {
    this.#lent++
  }

  giveBack(operation: SetOperation): void {
    this.#lent--
    try {
      // Giving waits for nobody.
      this.attempt(operation)
    } finally {
      if (this.#released) this.#detachWhenDone()
    }
  }

  query(semaphore: number, what: keyof typeof commands): number {
    const result = native.semsetQuery(this.#handle, semaphore, commands[what])
    if (result < 0) throw this.#error(result, 'semctl', 'read the state of', undefined, semaphore)
    return result
  }

  values(): number[] {
    const values = new Uint16Array(this.size)
    const result = native.semsetValues(this.#handle, values)
    if (result < 0) throw this.#error(result, 'semctl', 'read the values of')
    return Array.from(values)
  }

  setValue(semaphore: number, value: number): void {
    const result = native.semsetSetValue(this.#handle, semaphore, value)
    if (result < 0) throw this.#error(result, 'semctl', 'set a value of', undefined, semaphore)
  }

  setValues(values: readonly number[]): void {
    const result = native.semsetSetValues(this.#handle, Uint16Array.from(values))
    if (result < 0) throw this.#error(result, 'semctl', 'set the values of')
  }

  stat(): SemaphoreSetStat {
    const out = new Float64Array(10)
    this.#control('read the state of', () => native.semsetStatus(this.#handle, out))
    const [id = 0, key = 0, size = 0, uid = 0, gid = 0, creatorUid = 0, creatorGid = 0, mode = 0] = out
    const [operated = 0, changed = 0] = out.subarray(8)
    return {
      address: this.address,
      id,
      key,
      size,
      uid,
      gid,
      creatorUid,
      creatorGid,
      mode,
      lastOperationTime: operated === 0 ? undefined : new Date(operated * 1000),
      lastChangeTime: new Date(changed * 1000),
    }
  }

  /** IPC_SET: changes what is given. */
  set(changes: { uid?: number; gid?: number; mode?: number }): void {
    const now = this.stat()
    const { uid = now.uid, gid = now.gid, mode = now.mode } = changes
    this.#control('change', () => native.semsetSet(this.#handle, uid, gid, mode))
  }

  unlink(): void {
    this.#control('remove', () => native.semsetRemove(this.#handle))
  }

  #control(action: string, call: () => void): void {
    try {
      call()
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      throw this.#error(errno, syscall, action)
    }
  }

  #onAnswer(operation: SetOperation, result: number): void {
    if (result === 0) this.#listener(operation, 'done')
    else if (result === -errnoOf.ECANCELED) this.#listener(operation, 'ended')
    else this.#listener(operation, 'ended', this.#error(result, 'semop', 'operate on', operation))
  }

  #detachWhenDone(): void {
    if (this.#lent > 0) return
    wasClosed(this)
    native.semsetDetach(this.#handle)
  }

  #error(
    result: number,
    call: string,
    action: string,
    operation?: SetOperation,
    semaphore?: number,
  ): IpcError {
    const resource = this.address
    const { errno, syscall } = failureOf(result, call)
    const failure = { errno, syscall, action, resource }
    switch (Math.abs(errno)) {
      case errnoOf.ESTALE:
        return new RemovedError(
          `Cannot ${action} ${resource}: the set was removed, and its id belongs to another one by now; open it again`,
          { code: 'ERR_IPC_RECYCLED', resource },
        )
      case errnoOf.EINVAL:
        // The kernel says EINVAL of a semaphore that the set does not have, and of an id that is no more.
        if (!this.#exists())
          return systemError({ ...failure, errno: errnoOf.EIDRM, advice: 'the set was removed' })
        return systemError({
          ...failure,
          advice: semaphore === undefined ? undefined : this.#tooFew(semaphore),
        })
      case errnoOf.EFBIG:
        return systemError({ ...failure, advice: this.#tooFew(highest(operation)) })
      default:
        return systemError({ ...failure, advice: this.#advise(failure, operation) })
    }
  }

  #advise(
    failure: { errno: number; syscall: string; action: string },
    operation?: SetOperation,
  ): string | undefined {
    switch (Math.abs(failure.errno)) {
      case errnoOf.EIDRM:
        return 'the set was removed'
      case errnoOf.EACCES:
        return "the set's mode does not allow this user to do that; have its owner widen it with set({ mode })"
      case errnoOf.EPERM:
        return 'only its owner, its creator and root may change or remove a set'
      case errnoOf.ERANGE:
        return `the value would pass ${maxSetValue}, the largest there is, or what the kernel is to undo for this process would`
      case errnoOf.E2BIG:
        return `there are ${(operation?.packed.length ?? 0) / 3} operations, and one call takes at most ${semaphoreLimits().operations}, the third number of /proc/sys/kernel/sem; raise it, or do them in several calls`
      case errnoOf.ENOSPC:
        return 'the kernel has no room for another process that uses `undo`'
      default:
        return adviseOnWaiting(failure)
    }
  }

  #tooFew(semaphore: number): string {
    try {
      return `there is no semaphore ${semaphore}: the set has ${this.size}, counted from 0`
    } catch {
      return `there is no semaphore ${semaphore}`
    }
  }

  #exists(): boolean {
    try {
      native.semsetStatus(this.#handle, new Float64Array(0))
      return true
    } catch (error) {
      return (error as SystemFailure).errno === -errnoOf.EACCES
    }
  }
}

function highest(operation: SetOperation | undefined): number {
  let most = 0
  for (let at = 0; at < (operation?.packed.length ?? 0); at += 3) {
    most = Math.max(most, (operation?.packed[at] as number) & 0xffff)
  }
  return most
}
