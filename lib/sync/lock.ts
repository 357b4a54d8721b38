/** A lock that one at a time holds. */
import { Lockable } from './lockable.js'
import { type CreateOptions, type OpenOptions, openSync, unlinkSync } from './open.js'

/**
 * A lock between unrelated processes, by name: one at a time holds it, in whatever process, thread or async call. It is
 * not given twice to the same either: whoever acquires it again waits for himself; see {@link RLock}.
 *
 * When its holder dies, by whatever signal and at whatever instruction, the next one gets it within 250 ms, and is told
 * in {@link Guard.ownerDied}. A holder that is merely stopped or slow keeps it.
 *
 * @example
 * ```ts
 * import { Lock } from 'ipckit/sync'
 *
 * await using lock = Lock.openOrCreate('/accounts')
 * {
 *   await using guard = await lock.acquire({ timeoutMs: 500 })
 *   if (guard.ownerDied) await checkAccounts()
 *   await transfer()
 * } // released here
 * ```
 */
export class Lock extends Lockable {
  /**
   * Opens a lock that exists.
   *
   * @param name - a slash, then 1 to 200 bytes without another slash. Locks, queues in shared memory and all other
   *   objects of `ipckit/sync` share one space of names.
   * @throws {@link NotFoundError} when there is none of that name; `IpcError` with `ERR_IPC_KIND` when something else
   *   has it; with `ERR_IPC_REFUSED` when what lies there is not to be trusted, and `ERR_IPC_CORRUPT` when it is damaged.
   */
  static open(name: string, options?: OpenOptions): Lock {
    return new Lock(openSync('Lock', name, 'open', options))
  }

  /**
   * Makes a lock that does not exist yet.
   *
   * @throws {@link ExistsError} when there is something of that name.
   */
  static create(name: string, options?: CreateOptions): Lock {
    return new Lock(openSync('Lock', name, 'create', options))
  }

  /** Opens the lock, or makes it when there is none. */
  static openOrCreate(name: string, options?: CreateOptions): Lock {
    return new Lock(openSync('Lock', name, 'openOrCreate', options))
  }

  /** Removes the name of a lock, see {@link SyncObject.unlink}. */
  static unlink(name: string): void {
    unlinkSync('Lock', name)
  }
}
