/** A queue as simple as it can be, against which real ones are compared, and the dice that choose what happens. */
import type { TypeSelector } from 'ipckit'

/** Repeats itself from its seed: mulberry32. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }

  pick<V>(choices: readonly V[]): V {
    return choices[this.below(choices.length)] as V
  }
}

export interface Stored {
  readonly value: string
  /** A priority, or a type. */
  readonly label: number
}

/** Which messages are wanted; none of them: the next. */
export type Wish = TypeSelector

/** What limits a queue. */
export type Limit = { messages: number } | { bytes: number }

export class Model {
  readonly #byPriority: boolean
  readonly #limit: Limit
  /** In the order in which they are delivered when nobody wishes for others. */
  readonly messages: Stored[] = []

  constructor(byPriority: boolean, limit: Limit) {
    this.#byPriority = byPriority
    this.#limit = limit
  }

  get bytes(): number {
    return this.messages.reduce((sum, { value }) => sum + value.length, 0)
  }

  /** Puts it, or says that there is no room. */
  put(message: Stored): boolean {
    const { length } = this.messages
    const fits =
      'messages' in this.#limit
        ? length < this.#limit.messages
        : this.bytes + message.value.length <= this.#limit.bytes && length < this.#limit.bytes
    if (!fits) return false
    const behind = this.messages.findIndex(({ label }) => this.#byPriority && label < message.label)
    this.messages.splice(behind < 0 ? length : behind, 0, message)
    return true
  }

  get(wish: Wish = {}): Stored | undefined {
    const at = this.#find(wish)
    return at < 0 ? undefined : this.messages.splice(at, 1)[0]
  }

  #find({ type, maxType, except }: Wish): number {
    if (type !== undefined) return this.messages.findIndex(({ label }) => label === type)
    if (except !== undefined) return this.messages.findIndex(({ label }) => label !== except)
    if (maxType === undefined) return this.messages.length > 0 ? 0 : -1
    const lowest = Math.min(...this.messages.map(({ label }) => label).filter((label) => label <= maxType))
    return this.messages.findIndex(({ label }) => label === lowest)
  }
}
