/**
 * A POSIX semaphore, without waiting, blocking, and asked from a thread. What waits takes nothing: it says when the
 * value was above 0, and whoever is first in line tries then.
 */
import { native } from '../binding.js'
import { errnoOf, type IpcError, type SystemFailure, systemError } from '../errors.js'
import { Asking, adviseOnWaiting, failureOf } from '../wait/asking.js'
import { closeWhenForgotten, wasClosed } from '../wait/forgotten.js'
import type { Gate, Operation } from '../wait/operation-line.js'

/** sem_wait(3), the only operation of a POSIX semaphore that may wait. */
export const down: Operation = { key: '', takes: [0], returnable: true }

/** What is known of a POSIX semaphore. */
export interface PosixSemaphoreStat {
  readonly address: string
  readonly value: number
  readonly uid: number
  readonly gid: number
  /** Permission bits, as in `0o600`. */
  readonly mode: number
  /** The name is gone: sem_unlink(3). */
  readonly unlinked: boolean
}

export class SemaphoreGate implements Gate<Operation> {
  readonly address: string
  readonly #handle: number
  readonly #asking = new Asking()
  #listener!: Parameters<Gate<Operation>['listen']>[0]
  /** Permits that are not given back yet; they need the handle. */
  #lent = 0
  #released = false

  constructor(address: string, handle: number) {
    this.address = address
    this.#handle = handle
    closeWhenForgotten(this, () => native.semClose(handle))
  }

  attempt(): boolean {
    return native.semTryWait(this.#handle) === 0
  }

  block(_: Operation, milliseconds: number): boolean {
    const result = native.semWait(this.#handle, milliseconds)
    if (result < 0) throw this.#error(result, 'sem_wait', 'acquire')
    return result === 1 && this.attempt()
  }

  ask(operation: Operation): void {
    try {
      this.#asking.begin(
        operation.key,
        (token) => native.semCall(this.#handle, token),
        (result) => this.#onAnswer(result),
      )
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      throw this.#error(errno, syscall, 'acquire')
    }
  }

  forget(operation: Operation): void {
    this.#asking.end(operation.key)
  }

  /** No thread ever takes anything. */
  takeBack(): void {}

  passOn(): void {
    native.semPassOn(this.#handle)
  }

  listen(listener: Parameters<Gate<Operation>['listen']>[0]): void {
    this.#listener = listener
  }

  release(): void {
    this.#released = true
    this.#closeWhenDone()
  }

  lend(): void {
    this.#lent++
  }

  giveBack(): void {
    this.#lent--
    try {
      this.post(1)
    } finally {
      if (this.#released) this.#closeWhenDone()
    }
  }

  post(count: number): void {
    const result = native.semPost(this.#handle, count)
    if (result === count) return
    const done = Math.max(result, 0)
    const advice = `its value is ${2 ** 31 - 1}, the largest there is${done > 0 ? `; ${done} of ${count} were done before` : ''}`
    throw this.#error(result < 0 ? result : -errnoOf.EOVERFLOW, 'sem_post', 'release', advice)
  }

  value(): number {
    return native.semValue(this.#handle)
  }

  stat(): PosixSemaphoreStat {
    const out = new Float64Array(5)
    try {
      native.semStatus(this.#handle, out)
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      throw this.#error(errno, syscall, 'read the state of')
    }
    const [value = 0, uid = 0, gid = 0, mode = 0, links = 0] = out
    return { address: this.address, value, uid, gid, mode, unlinked: links === 0 }
  }

  #onAnswer(result: number): void {
    const error =
      result < 0 && result !== -errnoOf.ECANCELED ? this.#error(result, 'sem_wait', 'acquire') : undefined
    this.#listener(down, result === 0 ? 'ready' : 'ended', error)
  }

  #closeWhenDone(): void {
    if (this.#lent > 0) return
    wasClosed(this)
    native.semClose(this.#handle)
  }

  #error(result: number, call: string, action: string, advice?: string): IpcError {
    const { errno, syscall } = failureOf(result, call)
    return systemError({
      errno,
      syscall,
      action,
      resource: this.address,
      advice: advice ?? adviseOnWaiting({ errno, syscall }),
    })
  }
}
