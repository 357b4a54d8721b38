/** What all objects of `ipckit/sync` have in common. */
import { native } from '../binding.js'
import { errnoOf } from '../errors.js'
import { Handle } from '../wait/handle.js'
import { OperationLine } from '../wait/operation-line.js'
import type { SyncGate } from './gate.js'
import { unlinkSync } from './open.js'
import type { SyncOperation } from './operation.js'
import { type SyncStat, statOf } from './stat.js'

/** An object in shared memory that unrelated processes open by name; made by the classes of its kinds. */
export abstract class SyncObject extends Handle {
  /** @internal */
  protected readonly gate: SyncGate
  /** @internal */
  protected readonly line: OperationLine<SyncOperation>

  /** @internal */
  constructor(gate: SyncGate, line: OperationLine<SyncOperation> = new OperationLine(gate, 'acquire')) {
    super(line)
    this.gate = gate
    this.line = line
  }

  /** The object's name, `/name`. */
  get name(): string {
    return this.gate.address.slice('shm:'.length)
  }

  /** The object's address, `shm:/name`. */
  get address(): string {
    return this.gate.address
  }

  /** One look at the object: who holds it and since when, who waits, who has it open. */
  stat(): SyncStat {
    this.line.checkOpen()
    return statOf(this.gate.address, this.gate.handle)
  }

  /**
   * A duplicate of the descriptor by which this handle lives, for a child process that is to keep what the handle holds
   * when this process dies: passed on in `stdio`, it is held until the child has ended as well. Close it with
   * `fs.closeSync` when the child has been started.
   *
   * @throws `IpcError` with `EMFILE` when there are no descriptors.
   * @example
   * ```ts
   * await using guard = await lock.acquire()
   * const descriptor = lock.duplicateDescriptor()
   * const child = spawn('backup', { stdio: ['ignore', 'inherit', 'inherit', descriptor] })
   * closeSync(descriptor)
   * await once(child, 'exit')
   * ```
   */
  duplicateDescriptor(): number {
    this.line.checkOpen()
    const result = native.syncDuplicate(this.gate.handle)
    if (result < 0) throw this.gate.error(result, 'duplicate the descriptor of', 'fcntl')
    return result
  }

  /**
   * Gives up this handle, and what it holds. Its waits end with a {@link ClosedError}. The object stays, for others and
   * for who opens it later. Closing twice is silent.
   */
  async close(): Promise<void> {
    return this.line.close()
  }

  /**
   * Removes the object's name. Those who have it open get a `RemovedError` from their next call that would acquire or
   * wait, and their waits end with it; whoever opens the name afterwards gets another object.
   *
   * @throws `NotFoundError` when somebody has removed it already: the name may be another object's by now.
   */
  unlink(): void {
    this.line.checkOpen()
    if (this.#isUnlinked()) throw this.gate.error(-errnoOf.ENOENT, 'remove', 'shm_unlink')
    unlinkSync(this.gate.kind, this.name)
  }

  [Symbol.dispose](): void {
    void this.close()
  }

  /** False also of an object that cannot be looked at any more: that must not keep anybody from removing it. */
  #isUnlinked(): boolean {
    try {
      return statOf(this.gate.address, this.gate.handle).unlinked
    } catch {
      return false
    }
  }
}
