/** Semaphore sets for the tests of `ipckit/sysv`, which are removed after each of them. */
import { type CreateSetOptions, type OpenSetOptions, SemaphoreSet, type SemaphoreSetName } from 'ipckit/sysv'
import { afterEach } from 'vitest'

export class Sets {
  readonly #opened: SemaphoreSet[] = []
  readonly #ids = new Set<number>()

  constructor() {
    afterEach(() => this.clear())
  }

  /** A new private set with these values. */
  create(
    values: number[] = [1],
    options?: CreateSetOptions,
    name: SemaphoreSetName = 'private',
  ): SemaphoreSet {
    return this.keep(SemaphoreSet.create(name, { values, ...options }))
  }

  open(name: SemaphoreSetName, options?: OpenSetOptions): SemaphoreSet {
    return this.keep(SemaphoreSet.open(name, options))
  }

  /** Another handle on the same set. */
  again(set: SemaphoreSet): SemaphoreSet {
    return this.open({ id: set.stat().id })
  }

  /** To be closed and removed too. */
  keep(set: SemaphoreSet): SemaphoreSet {
    this.#opened.push(set)
    this.#ids.add(set.stat().id)
    return set
  }

  async clear(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((set) => set.close()))
    for (const id of this.#ids) {
      this.#ids.delete(id)
      try {
        const set = SemaphoreSet.open({ id }, { assumeInitialized: true })
        set.unlink()
        await set.close()
      } catch {
        // Removed by the test.
      }
    }
  }
}
