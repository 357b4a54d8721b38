/** Shared memory for the tests of `ipckit/sysv`, which is closed and removed after each of them. */
import { type CreateMemoryOptions, type ObjectName, type OpenMemoryOptions, SharedMemory } from 'ipckit/sysv'
import { afterEach } from 'vitest'

export class Memories {
  readonly #opened: SharedMemory[] = []
  readonly #ids = new Set<number>()

  constructor() {
    afterEach(() => this.clear())
  }

  /** A new segment, by default a private one of a page. */
  create(options: Partial<CreateMemoryOptions> = {}, name: ObjectName = 'private'): SharedMemory {
    return this.keep(SharedMemory.create(name, { sizeBytes: 4096, ...options }))
  }

  open(name: ObjectName, options?: OpenMemoryOptions): SharedMemory {
    return this.keep(SharedMemory.open(name, options))
  }

  /** To be closed and removed too. */
  keep(memory: SharedMemory): SharedMemory {
    this.#opened.push(memory)
    // One that may only be attached tells no more.
    this.#ids.add(memory.stat().id)
    return memory
  }

  clear(): void {
    for (const memory of this.#opened.splice(0)) memory.close()
    for (const id of this.#ids) {
      this.#ids.delete(id)
      try {
        using memory = SharedMemory.open({ id }, { readonly: true })
        memory.unlink()
      } catch {
        // Removed by the test.
      }
    }
  }
}
