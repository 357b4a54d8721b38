/** Shared memory for the tests of `ipckit/sysv`, which is closed and removed after each of them. */
import { type CreateMemoryOptions, type ObjectName, type OpenMemoryOptions, SharedMemory } from 'ipckit/sysv'
import { Opened } from '../helpers/opened.ts'

export class Memories extends Opened<SharedMemory, number> {
  /** A new segment, by default a private one of a page. */
  create(options: Partial<CreateMemoryOptions> = {}, name: ObjectName = 'private'): SharedMemory {
    return this.keep(SharedMemory.create(name, { sizeBytes: 4096, ...options }))
  }

  open(name: ObjectName, options?: OpenMemoryOptions): SharedMemory {
    return this.keep(SharedMemory.open(name, options))
  }

  protected override keyOf(memory: SharedMemory): number {
    // One that may only be attached tells no more.
    return memory.stat().id
  }

  protected override remove(id: number): void {
    using memory = SharedMemory.open({ id }, { readonly: true })
    memory.unlink()
  }
}
