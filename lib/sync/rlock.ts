/** A lock that its holder may acquire again. */
import type { OperationLine } from '../wait/operation-line.js'
import type { Ownership, SyncGate } from './gate.js'
import type { Guard } from './guard.js'
import { Lockable } from './lockable.js'
import { type CreateOptions, type OpenOptions, openSync, unlinkSync } from './open.js'
import { acquireAgain, type SyncOperation } from './operation.js'

/** What this environment knows of one lock: by which handle it holds it, and all handles that it has. */
interface Environment extends Ownership {
  /** Weak, so that handles that were dropped are closed. */
  readonly handles: Set<WeakRef<RLock>>
}

/** By the identity of the lock. */
const environments = new Map<string, Environment>()

/**
 * A reentrant lock between unrelated processes, by name. Its owner is a process and its environment (the main thread, or
 * one worker thread), never a number of a process: whoever of that environment acquires it again, by this handle or
 * another one, gets it at once, and it is free when it was released as often.
 *
 * **It does not keep async calls of one thread apart**, as they are one owner. Where those shall wait for each other
 * take a {@link Lock}.
 *
 * @example
 * ```ts
 * import { RLock } from 'ipckit/sync'
 *
 * const lock = RLock.openOrCreate('/table')
 * await lock.run(async () => {
 *   await lock.run(() => insertRow()) // the same owner: does not wait
 * })
 * ```
 */
export class RLock extends Lockable {
  protected override readonly operation: SyncOperation = acquireAgain
  readonly #identity: string
  readonly #environment: Environment
  readonly #weak = new WeakRef(this)

  /** @internal */
  constructor(gate: SyncGate, line?: OperationLine<SyncOperation>) {
    super(gate, line)
    this.#identity = gate.identity()
    this.#environment = environments.get(this.#identity) ?? { holder: undefined, handles: new Set() }
    environments.set(this.#identity, this.#environment)
    this.#environment.handles.add(this.#weak)
    gate.ownership = this.#environment
  }

  /** Opens a lock that exists; see {@link Lock.open}. */
  static open(name: string, options?: OpenOptions): RLock {
    return new RLock(openSync('RLock', name, 'open', options))
  }

  /** Makes a lock that does not exist yet; see {@link Lock.create}. */
  static create(name: string, options?: CreateOptions): RLock {
    return new RLock(openSync('RLock', name, 'create', options))
  }

  /** Opens the lock, or makes it when there is none. */
  static openOrCreate(name: string, options?: CreateOptions): RLock {
    return new RLock(openSync('RLock', name, 'openOrCreate', options))
  }

  /** Removes the name of a lock, see {@link SyncObject.unlink}. */
  static unlink(name: string): void {
    unlinkSync('RLock', name)
  }

  override async close(): Promise<void> {
    const closing = super.close()
    const { handles } = this.#environment
    handles.delete(this.#weak)
    if (handles.size === 0) environments.delete(this.#identity)
    return closing
  }

  protected override get holder(): SyncGate {
    return this.#environment.holder ?? this.gate
  }

  protected override heldGuards(): readonly Guard[] {
    return this.#all().flatMap((each) => each.ownGuards())
  }

  protected ownGuards(): readonly Guard[] {
    return super.heldGuards()
  }

  /** All of this environment, as they are one owner. */
  protected override poke(): void {
    for (const each of this.#all()) each.line.poke()
  }

  #all(): RLock[] {
    return [...this.#environment.handles].flatMap((weak) => weak.deref() ?? [])
  }
}
