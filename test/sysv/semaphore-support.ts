/** Semaphore sets for the tests of `ipckit/sysv`, which are removed after each of them. */
import { type CreateSetOptions, type OpenSetOptions, SemaphoreSet, type SemaphoreSetName } from 'ipckit/sysv'
import { Opened } from '../helpers/opened.ts'

export class Sets extends Opened<SemaphoreSet, number> {
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

  protected override keyOf(set: SemaphoreSet): number {
    return set.stat().id
  }

  protected override async remove(id: number): Promise<void> {
    const set = SemaphoreSet.open({ id }, { assumeInitialized: true })
    set.unlink()
    await set.close()
  }
}
