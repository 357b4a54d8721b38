/** Barriers: nobody goes on before everybody has come. */
import { native } from '../binding.js'
import type { How } from '../how.js'
import {
  checkInteger,
  checkObject,
  checkOptions,
  checkTimeout,
  type SyncWaitOptions,
  syncWaitKeys,
  type WaitOptions,
  waitKeys,
  wrongType,
} from '../options.js'
import { checkSyncWait } from '../wait/countdown.js'
import { checkWait } from '../wait/pending.js'
import type { SyncGate } from './gate.js'
import { SyncObject } from './object.js'
import { type CreateOptions, type OpenOptions, openSync, unlinkSync } from './open.js'
import { waitFor } from './operation.js'
import { type SyncStat, statOf } from './stat.js'

interface Ways {
  /**
   * Called by the last to come, before anybody goes on. When it throws, the barrier is broken, and the error is that of
   * its caller. The one of whoever comes last is called; so everyone gives the same.
   */
  action?: () => void | Promise<void>
  /** How long waits of this handle wait unless they say otherwise, milliseconds; for ever unless given. */
  timeoutMs?: number
}

/** Options of opening a barrier. */
export interface OpenBarrierOptions extends OpenOptions, Ways {}
/** Options of making a barrier. */
export interface CreateBarrierOptions extends CreateOptions, Ways {
  /** How many have to come, 1 to 1024. */
  parties: number
}

const ways = ['action', 'timeoutMs']

/** What a wait came to: the place, or the action that is this one's turn. */
interface Outcome {
  index: number
  turn: number | undefined
}

/**
 * A barrier between unrelated processes, by name: whoever waits in it goes on when all parties have come, and it is as
 * new for the next round.
 *
 * It breaks for all, and stays broken until {@link reset}, when one gives up waiting (timeout, signal, close), calls
 * {@link abort}, or dies: every process that has it open is a party whose death breaks it, within 250 ms. A process that
 * closes it without waiting breaks nothing.
 *
 * @example
 * ```ts
 * import { Barrier } from 'ipckit/sync'
 *
 * const start = Barrier.openOrCreate('/start', { parties: 3 })
 * const index = await start.wait({ timeoutMs: 10_000 }) // 0, 1 or 2: each once
 * if (index === 0) log('all are here')
 * ```
 */
export class Barrier extends SyncObject {
  readonly #action: Ways['action']
  readonly #timeoutMs: number | undefined
  readonly #parties: number

  private constructor(gate: SyncGate, { action, timeoutMs }: Ways) {
    super(gate)
    this.#action = action
    this.#timeoutMs = timeoutMs
    this.#parties = this.#look().limit
  }

  /** Opens a barrier that exists; see {@link Lock.open}. */
  static open(name: string, options: OpenBarrierOptions = {}): Barrier {
    return openBarrier(name, 'open', options, 0, (gate) => new Barrier(gate, options))
  }

  /**
   * Makes a barrier that does not exist yet; see {@link Lock.create}.
   *
   * @throws RangeError when `parties` is not from 1 to 1024.
   */
  static create(name: string, options: CreateBarrierOptions): Barrier {
    return openBarrier(name, 'create', options, partiesOf(options), (gate) => new Barrier(gate, options))
  }

  /** Opens the barrier, or makes it when there is none. Of one that exists, its own parties hold. */
  static openOrCreate(name: string, options: CreateBarrierOptions): Barrier {
    return openBarrier(
      name,
      'openOrCreate',
      options,
      partiesOf(options),
      (gate) => new Barrier(gate, options),
    )
  }

  /** Removes the name of a barrier, see {@link SyncObject.unlink}. */
  static unlink(name: string): void {
    unlinkSync('Barrier', name)
  }

  /** How many have to come. */
  get parties(): number {
    return this.#parties
  }

  /** How many wait in it now. */
  get nWaiting(): number {
    return this.#look().value
  }

  /** Whether it is broken. */
  get broken(): boolean {
    return this.#look().broken
  }

  /**
   * Waits until all parties have come.
   *
   * @returns A number from 0 to `parties - 1`, another one for each of them.
   * @throws {@link BrokenBarrierError} when it is broken, or breaks meanwhile; {@link TimeoutError} and the signal's
   *   reason, which break it for the others; {@link ClosedError}, likewise; {@link RemovedError}.
   */
  async wait(options?: WaitOptions): Promise<number> {
    this.line.checkOpen()
    checkOptions(options, waitKeys)
    const wanted = this.#withTimeout(options)
    checkWait(wanted)
    const operation = waitFor('barrier')
    this.gate.begin(operation)
    const { index, turn } = await this.line.do(operation, () => this.#outcome(), wanted)
    if (turn === undefined) return index
    try {
      await this.#action?.()
    } catch (error) {
      this.#breakBy(turn)
      throw error
    }
    return this.#pass(turn)
  }

  /** Waits as {@link wait} does, and blocks the thread; the action returns no promise then. Ctrl-C ends it with `EINTR`. */
  waitSync(options?: SyncWaitOptions): number {
    this.line.checkOpen()
    checkOptions(options, syncWaitKeys)
    const wanted = this.#withTimeout(options)
    checkSyncWait(wanted)
    const operation = waitFor('barrier')
    this.gate.begin(operation)
    this.line.doSync(operation, wanted)
    const { index, turn } = this.#outcome()
    if (turn === undefined) return index
    try {
      const result: unknown = this.#action?.()
      if (result instanceof Promise) {
        result.catch(() => {})
        throw wrongType('action', 'a function that returns no promise, for waitSync', result)
      }
    } catch (error) {
      this.#breakBy(turn)
      throw error
    }
    return this.#pass(turn)
  }

  /** Breaks it: whoever waits, and whoever comes, gets a {@link BrokenBarrierError} until it is {@link reset}. */
  abort(): void {
    this.line.checkOpen()
    this.#settle(native.barrierAbort(this.gate.handle), 'abort')
    this.line.pokeAll()
  }

  /** Makes it whole again, and empty: whoever waits gets a {@link BrokenBarrierError}. */
  reset(): void {
    this.line.checkOpen()
    this.#settle(native.barrierReset(this.gate.handle), 'reset')
    this.line.pokeAll()
  }

  #look(): SyncStat {
    this.line.checkOpen()
    return statOf(this.address, this.gate.handle)
  }

  #withTimeout<O extends SyncWaitOptions>(options: O | undefined): O | SyncWaitOptions | undefined {
    if (this.#timeoutMs === undefined || options?.timeoutMs !== undefined) return options
    return { ...options, timeoutMs: this.#timeoutMs }
  }

  /** What the gate was told last. Without an action to wait for, everyone goes on at once. */
  #outcome(): Outcome {
    const { gate } = this
    const turn = gate.actionWait
    if (turn === undefined) return { index: gate.index, turn }
    gate.actionWait = undefined
    return this.#action === undefined ? { index: this.#pass(turn), turn: undefined } : { index: 0, turn }
  }

  /** Lets everyone through: the place of the last to come. */
  #pass(wait: number): number {
    const { gate } = this
    const result = native.barrierActionDone(gate.handle, wait)
    const index = native.syncEnd(gate.handle, wait)
    this.#settle(result, 'pass')
    this.line.pokeAll()
    return index
  }

  #breakBy(wait: number): void {
    native.syncCancel(this.gate.handle, wait)
    native.syncEnd(this.gate.handle, wait)
    this.line.pokeAll()
  }

  #settle(result: number, action: string): void {
    if (result < 0) throw this.gate.error(result, action)
  }
}

function openBarrier(
  name: string,
  how: How,
  options: OpenBarrierOptions | CreateBarrierOptions,
  parties: number,
  make: (gate: SyncGate) => Barrier,
): Barrier {
  const { action, timeoutMs } = checkObject('options', options) as Ways
  if (action !== undefined && typeof action !== 'function') throw wrongType('action', 'a function', action)
  if (timeoutMs !== undefined) checkTimeout(timeoutMs)
  return make(
    openSync('Barrier', name, how, options, { value: parties }, how === 'open' ? ways : ['parties', ...ways]),
  )
}

function partiesOf(options: CreateBarrierOptions): number {
  return checkInteger('parties', (checkObject('options', options) as CreateBarrierOptions).parties, 1, 1024)
}
