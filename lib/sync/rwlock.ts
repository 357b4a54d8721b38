/** A lock for many readers, or one writer. */
import type { Guard } from './guard.js'
import { type AcquireOptions, type AcquireSyncOptions, type HolderOptions, Lockable } from './lockable.js'
import { type CreateOptions, type OpenOptions, openSync, unlinkSync } from './open.js'
import { acquireShared } from './operation.js'

/**
 * A lock between unrelated processes, by name, that many may hold to read, or one to write. {@link RWLock.acquire} keeps
 * everybody else out; {@link RWLock.acquireShared} only those who would write. A writer who waits lets no new readers
 * pass for long, nor writers the readers.
 *
 * A reader that dies is no reader any more; when a writer dies, the next holder is told, reader or writer.
 *
 * Whoever reads and wants to write releases first: two who waited for each other to stop reading would wait for ever.
 *
 * @example
 * ```ts
 * import { RWLock } from 'ipckit/sync'
 *
 * const lock = RWLock.openOrCreate('/index')
 * const hit = await lock.runShared(() => search(words))
 * await lock.run(() => rebuild())
 * ```
 */
export class RWLock extends Lockable {
  /** Opens a lock that exists; see {@link Lock.open}. */
  static open(name: string, options?: OpenOptions): RWLock {
    return new RWLock(openSync('RWLock', name, 'open', options))
  }

  /** Makes a lock that does not exist yet; see {@link Lock.create}. */
  static create(name: string, options?: CreateOptions): RWLock {
    return new RWLock(openSync('RWLock', name, 'create', options))
  }

  /** Opens the lock, or makes it when there is none. */
  static openOrCreate(name: string, options?: CreateOptions): RWLock {
    return new RWLock(openSync('RWLock', name, 'openOrCreate', options))
  }

  /** Removes the name of a lock, see {@link SyncObject.unlink}. */
  static unlink(name: string): void {
    unlinkSync('RWLock', name)
  }

  /** Acquires it to read, together with others who read; waits and throws as {@link acquire} does. */
  acquireShared(options?: AcquireOptions): Promise<Guard> {
    return this.acquireAs(acquireShared, options)
  }

  /** Acquires it to read if that is possible now; undefined otherwise. */
  tryAcquireShared(options?: HolderOptions): Guard | undefined {
    return this.tryAcquireAs(acquireShared, options)
  }

  /** Acquires it to read, and blocks the thread until it does; see {@link acquireSync}. */
  acquireSharedSync(options?: AcquireSyncOptions): Guard {
    return this.acquireSyncAs(acquireShared, options)
  }

  /** Runs a function while the lock is held to read; see {@link run}. */
  async runShared<R>(work: (guard: Guard) => R | Promise<R>, options?: AcquireOptions): Promise<R> {
    return this.runAs(acquireShared, work, options)
  }
}
