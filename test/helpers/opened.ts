/** What the tests of a file open: closed, and removed whoever made it, after each of them. */
import { afterEach } from 'vitest'

/** A `Key` is what a handle's object is found by: its name, or its id. */
export abstract class Opened<Handle extends { close(): unknown }, Key> {
  readonly #opened: Handle[] = []
  readonly #keys = new Set<Key>()

  constructor() {
    afterEach(() => this.#clear())
  }

  /** To be closed and removed too. */
  keep(handle: Handle): Handle {
    this.#opened.push(handle)
    this.willRemove(this.keyOf(handle))
    return handle
  }

  protected willRemove(key: Key): Key {
    this.#keys.add(key)
    return key
  }

  protected abstract keyOf(handle: Handle): Key

  /** May fail: the test has removed it, or never made it. */
  protected abstract remove(key: Key): unknown

  async #clear(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((handle) => handle.close()))
    for (const key of this.#keys) {
      this.#keys.delete(key)
      try {
        await this.remove(key)
      } catch {
        // It is gone.
      }
    }
  }
}
