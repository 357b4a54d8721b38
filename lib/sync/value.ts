/** A value in shared memory, with a lock beside it. */
import type { FieldType } from '../codec/struct/field.js'
import type { How } from '../how.js'
import { Cells, checkType, encode, ValueMemory } from './cells.js'
import type { SyncGate } from './gate.js'
import { SyncObject } from './object.js'
import { type CreateOptions, type OpenOptions, openSync, unlinkSync } from './open.js'
import { RLock } from './rlock.js'

/**
 * A value of one type that unrelated processes see and change, by name, without a lock.
 *
 * Numbers of up to 64 bits are read and written as a whole; anything longer may be seen half written while another
 * process writes it: take a {@link Value}, and its lock.
 *
 * @typeParam T - what reading gives.
 * @typeParam I - what writing takes.
 * @example
 * ```ts
 * import { u64 } from 'ipckit'
 * import { RawValue } from 'ipckit/sync'
 *
 * const hits = RawValue.openOrCreate('/hits', u64)
 * hits.add(1n)
 * ```
 */
export class RawValue<T, I = T> extends SyncObject {
  /** The type that it was opened with. */
  readonly type: FieldType<T, I>
  readonly #memory: ValueMemory
  readonly #cells: Cells<T, I>

  /** @internal */
  constructor(gate: SyncGate, type: FieldType<T, I>) {
    super(gate)
    this.type = type
    this.#memory = new ValueMemory(gate.address, gate.map())
    this.#cells = new Cells(this.#memory, type)
  }

  /**
   * Opens a value that exists; see {@link Lock.open}.
   *
   * @param type - as it was made: `i32`, `f64`, `chars(8)`, a struct, an array.
   * @throws `IpcError` with `ERR_IPC_TYPE` when it is of another type.
   */
  static open<T, I>(name: string, type: FieldType<T, I>, options?: OpenOptions): RawValue<T, I> {
    return new RawValue(openValue(name, 'open', type, undefined, options), type)
  }

  /** Makes a value that does not exist yet: `initial`, or zeros. See {@link Lock.create}. */
  static create<T, I>(
    name: string,
    type: FieldType<T, I>,
    initial?: I,
    options?: CreateOptions,
  ): RawValue<T, I> {
    return new RawValue(openValue(name, 'create', type, initial, options), type)
  }

  /** Opens the value, or makes it when there is none. Of one that exists, its own value holds. */
  static openOrCreate<T, I>(
    name: string,
    type: FieldType<T, I>,
    initial?: I,
    options?: CreateOptions,
  ): RawValue<T, I> {
    return new RawValue(openValue(name, 'openOrCreate', type, initial, options), type)
  }

  /** Removes the name of a value, see {@link SyncObject.unlink}. */
  static unlink(name: string): void {
    unlinkSync('Value', name)
  }

  /** The value now: a copy. */
  get value(): T {
    this.line.checkOpen()
    return this.#cells.read(0)
  }

  /** Writes all of it. */
  set value(value: I) {
    this.line.checkOpen()
    this.#cells.write(0, value)
  }

  /**
   * Adds to a number, in one step that nobody sees half done; sums of integers wrap around.
   *
   * @returns The value before.
   * @throws TypeError when it is not a number.
   */
  add(amount: T): T {
    this.line.checkOpen()
    return this.#cells.add(0, amount)
  }

  /**
   * Writes `replacement` if the value is `expected`, in one step.
   *
   * @returns The value before: `expected` when it was replaced.
   * @throws TypeError when it is not a number.
   */
  compareExchange(expected: T, replacement: T): T {
    this.line.checkOpen()
    return this.#cells.compareExchange(0, expected, replacement)
  }

  override async close(): Promise<void> {
    this.#memory.close()
    return super.close()
  }
}

/**
 * A value of one type that unrelated processes see and change, by name, with a lock beside it. Reading and writing do
 * not take the lock: {@link getLock} does, where several steps belong together.
 *
 * @example
 * ```ts
 * import { f64 } from 'ipckit'
 * import { Value } from 'ipckit/sync'
 *
 * const total = Value.openOrCreate('/total', f64, 0)
 * await total.getLock().run(() => {
 *   total.value = total.value * 1.05
 * })
 * ```
 */
export class Value<T, I = T> extends RawValue<T, I> {
  #lock: RLock | undefined

  /** Opens a value that exists; see {@link RawValue.open}. */
  static override open<T, I>(name: string, type: FieldType<T, I>, options?: OpenOptions): Value<T, I> {
    return new Value(openValue(name, 'open', type, undefined, options), type)
  }

  /** Makes a value that does not exist yet; see {@link RawValue.create}. */
  static override create<T, I>(
    name: string,
    type: FieldType<T, I>,
    initial?: I,
    options?: CreateOptions,
  ): Value<T, I> {
    return new Value(openValue(name, 'create', type, initial, options), type)
  }

  /** Opens the value, or makes it when there is none. Of one that exists, its own value holds. */
  static override openOrCreate<T, I>(
    name: string,
    type: FieldType<T, I>,
    initial?: I,
    options?: CreateOptions,
  ): Value<T, I> {
    return new Value(openValue(name, 'openOrCreate', type, initial, options), type)
  }

  /** The lock beside the value, for all processes; closing it closes the value. */
  getLock(): RLock {
    this.line.checkOpen()
    this.#lock ??= new RLock(this.gate, this.line)
    return this.#lock
  }

  override async close(): Promise<void> {
    await this.#lock?.close()
    return super.close()
  }
}

function openValue<T, I>(
  name: string,
  how: How,
  type: FieldType<T, I>,
  initial: I | undefined,
  options: CreateOptions | undefined,
): SyncGate {
  const { name: typeName, size } = checkType(type)
  const bytes = initial === undefined ? {} : { initial: encode(type, initial) }
  return openSync('Value', name, how, options, { type: typeName, bytes: size, ...bytes })
}
