/** Shared memory for the tests of `ipckit/posix`, which is closed and removed after each of them. */
import { type CreateMemoryOptions, type OpenMemoryOptions, SharedMemory } from 'ipckit/posix'
import { newName } from '../helpers/names.ts'
import { Opened } from '../helpers/opened.ts'

export class Memories extends Opened<SharedMemory, string> {
  /** A new name, of which the memory is removed in the end, whoever makes it. */
  name(): string {
    return this.willRemove(newName())
  }

  /** A new memory, of a page unless said otherwise. */
  create(options: Partial<CreateMemoryOptions> = {}, name = this.name()): SharedMemory {
    return this.keep(SharedMemory.create(name, { sizeBytes: 4096, ...options }))
  }

  open(name: string, options?: OpenMemoryOptions): SharedMemory {
    return this.keep(SharedMemory.open(name, options))
  }

  protected override keyOf(memory: SharedMemory): string {
    return memory.name
  }

  protected override remove(name: string): void {
    SharedMemory.unlink(name)
  }
}

/** The file that a name is. */
export const fileOf = (name: string): string => `/dev/shm${name}`
