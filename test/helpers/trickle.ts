/** Another process that puts messages one after the other; see test/fixtures/trickle.mjs. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'vitest'
import { type ByteQueue, drain, type Owner } from './kernels.ts'
import { Program } from './program.ts'

export interface TrickleOptions {
  seed: number
  /** So many types, at random; default one. System V. */
  types?: number
  /** Messages without text, whose type is their number. System V. */
  empty?: boolean
}

export class Trickle {
  readonly #program: Program

  constructor(owner: Owner, { address }: ByteQueue, options: TrickleOptions) {
    this.#program = new Program(owner, 'trickle.mjs', { address, ...options })
  }

  /** Ends it while taking what is left, as it may be waiting for room: how many it has put, and what was left. */
  async end<T = number>(
    queue: ByteQueue,
    takeAll: (queue: ByteQueue) => T[] = drain as (queue: ByteQueue) => T[],
  ): Promise<{ count: number; rest: T[] }> {
    this.#program.tellNothingMore()
    const rest: T[] = []
    let over = false
    const said = this.#program.says().finally(() => {
      over = true
    })
    while (!over) {
      rest.push(...takeAll(queue))
      await nextTurn()
    }
    rest.push(...takeAll(queue))
    expect(await this.#program.ended).toMatchObject({ code: 0, errors: '' })
    return { count: Number(await said), rest }
  }
}
