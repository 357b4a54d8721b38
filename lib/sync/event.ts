/** Something that happens, and that others wait for. */
import { native } from '../binding.js'
import { checkOptions, type SyncWaitOptions, syncWaitKeys, type WaitOptions, waitKeys } from '../options.js'
import { checkSyncWait } from '../wait/countdown.js'
import { checkWait } from '../wait/pending.js'
import { SyncObject } from './object.js'
import { type CreateOptions, type OpenOptions, openSync, unlinkSync } from './open.js'
import { waitFor } from './operation.js'

/**
 * An event between unrelated processes, by name: it is set or not, and whoever waits goes on once it is set. Everyone who
 * waits when it is set goes on, also when it is cleared at once.
 *
 * @example
 * ```ts
 * import { Event } from 'ipckit/sync'
 *
 * const ready = Event.openOrCreate('/service-ready')
 * await ready.wait({ timeoutMs: 5000 }) // in the one process
 * ready.set() // in the other
 * ```
 */
export class Event extends SyncObject {
  /** Opens an event that exists; see {@link Lock.open}. */
  static open(name: string, options?: OpenOptions): Event {
    return new Event(openSync('Event', name, 'open', options))
  }

  /** Makes an event that does not exist yet, and is not set; see {@link Lock.create}. */
  static create(name: string, options?: CreateOptions): Event {
    return new Event(openSync('Event', name, 'create', options))
  }

  /** Opens the event, or makes it when there is none. */
  static openOrCreate(name: string, options?: CreateOptions): Event {
    return new Event(openSync('Event', name, 'openOrCreate', options))
  }

  /** Removes the name of an event, see {@link SyncObject.unlink}. */
  static unlink(name: string): void {
    unlinkSync('Event', name)
  }

  /** Whether it is set. */
  get isSet(): boolean {
    this.line.checkOpen()
    return this.#settle(native.eventIsSet(this.gate.handle), 'read the state of') === 1
  }

  /** Sets it, and lets everyone go on who waits; waits for nobody. Setting it again changes nothing. */
  set(): void {
    this.line.checkOpen()
    this.#settle(native.eventSet(this.gate.handle), 'set')
    this.line.pokeAll()
  }

  /** Clears it: whoever waits from now on waits until it is set again. */
  clear(): void {
    this.line.checkOpen()
    this.#settle(native.eventClear(this.gate.handle), 'clear')
  }

  /**
   * Waits until it is set; at once when it is.
   *
   * @throws {@link TimeoutError}; the signal's reason; {@link ClosedError}; {@link RemovedError}.
   */
  async wait(options?: WaitOptions): Promise<void> {
    this.line.checkOpen()
    checkOptions(options, waitKeys)
    checkWait(options)
    const operation = waitFor('event')
    // From here on set() counts, however short it lasts.
    this.gate.begin(operation)
    return this.line.do(operation, () => undefined, options)
  }

  /** Waits until it is set, and blocks the thread. Ctrl-C ends it with `EINTR`. */
  waitSync(options?: SyncWaitOptions): void {
    this.line.checkOpen()
    checkOptions(options, syncWaitKeys)
    checkSyncWait(options)
    const operation = waitFor('event')
    this.gate.begin(operation)
    this.line.doSync(operation, options)
  }

  #settle(result: number, action: string): number {
    if (result < 0) throw this.gate.error(result, action)
    return result
  }
}
