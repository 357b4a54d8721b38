/** Shared memory for the tests of `ipckit/posix`, which is closed and removed after each of them. */
import { type CreateMemoryOptions, type OpenMemoryOptions, SharedMemory } from 'ipckit/posix'
import { afterEach } from 'vitest'
import { newName } from '../helpers/names.ts'

export class Memories {
  readonly #opened: SharedMemory[] = []
  readonly #names = new Set<string>()

  constructor() {
    afterEach(() => this.clear())
  }

  /** A new name, of which the memory is removed in the end, whoever makes it. */
  name(): string {
    const name = newName()
    this.#names.add(name)
    return name
  }

  /** A new memory, of a page unless said otherwise. */
  create(options: Partial<CreateMemoryOptions> = {}, name = this.name()): SharedMemory {
    return this.keep(SharedMemory.create(name, { sizeBytes: 4096, ...options }))
  }

  open(name: string, options?: OpenMemoryOptions): SharedMemory {
    return this.keep(SharedMemory.open(name, options))
  }

  /** To be closed too. */
  keep(memory: SharedMemory): SharedMemory {
    this.#opened.push(memory)
    this.#names.add(memory.name)
    return memory
  }

  clear(): void {
    for (const memory of this.#opened.splice(0)) memory.close()
    for (const name of this.#names) {
      this.#names.delete(name)
      try {
        SharedMemory.unlink(name)
      } catch {
        // Removed by the test, or never made.
      }
    }
  }
}

/** The file that a name is. */
export const fileOf = (name: string): string => `/dev/shm${name}`
