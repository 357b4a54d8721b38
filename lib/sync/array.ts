/** Values of one type, one after the other in shared memory, with a lock beside them. */
import { array } from '../codec/struct/array.js'
import type { FieldType } from '../codec/struct/field.js'
import { type ArrayView, liveView } from '../codec/struct/live.js'
import { checkInteger, outOfRange, wrongType } from '../options.js'
import { openError, ring } from '../shared/failure.js'
import { Cells, checkType, encode, type TypedArray, typedArrays, ValueMemory } from './cells.js'
import type { SyncGate } from './gate.js'
import { SyncObject } from './object.js'
import { type CreateOptions, type OpenOptions, openSync, unlinkSync } from './open.js'
import { RLock } from './rlock.js'
import { statOf } from './stat.js'

/** An array is a value of the type `type[length]`, for Python and C as well. */
const longest = 0x40000000

/**
 * Values of one type that unrelated processes see and change, by name, without a lock.
 *
 * Numbers of up to 64 bits are read and written as a whole; anything longer may be seen half written while another
 * process writes it: take an {@link SharedArray | Array}, and its lock.
 *
 * @typeParam T - what reading an element gives.
 * @typeParam I - what writing one takes.
 */
export class RawArray<T, I = T> extends SyncObject implements Iterable<T> {
  /** The type of an element. */
  readonly type: FieldType<T, I>
  /** Elements. */
  readonly length: number
  readonly #memory: ValueMemory
  readonly #cells: Cells<T, I>

  /** @internal */
  constructor(gate: SyncGate, type: FieldType<T, I>) {
    super(gate)
    this.type = type
    this.length = statOf(gate.address, gate.handle).bytes / type.size
    this.#memory = new ValueMemory(gate.address, gate.map())
    this.#cells = new Cells(this.#memory, type)
  }

  /**
   * Opens an array that exists; its length is known then. See {@link Lock.open}.
   *
   * @param type - of an element, as it was made: `i32`, `f64`, a struct.
   * @throws `IpcError` with `ERR_IPC_TYPE` when its elements are of another type.
   */
  static open<T, I>(name: string, type: FieldType<T, I>, options?: OpenOptions): RawArray<T, I> {
    return new RawArray(openArray(name, type, options), type)
  }

  /**
   * Makes an array that does not exist yet. See {@link Lock.create}.
   *
   * @param content - how many elements, 1 to 1,073,741,824, which are zeros; or the elements.
   */
  static create<T, I>(
    name: string,
    type: FieldType<T, I>,
    content: number | ArrayLike<I>,
    options?: CreateOptions,
  ): RawArray<T, I> {
    return new RawArray(makeArray(name, 'create', type, content, options), type)
  }

  /** Opens the array, which has that length, or makes it when there is none. */
  static openOrCreate<T, I>(
    name: string,
    type: FieldType<T, I>,
    content: number | ArrayLike<I>,
    options?: CreateOptions,
  ): RawArray<T, I> {
    return new RawArray(makeArray(name, 'openOrCreate', type, content, options), type)
  }

  /** Removes the name of an array, see {@link SyncObject.unlink}. */
  static unlink(name: string): void {
    unlinkSync('Value', name)
  }

  /** The element at `index`, a copy; a negative one counts from the end. Undefined when there is none, as in JavaScript. */
  at(index: number): T | undefined {
    this.line.checkOpen()
    const place = index < 0 ? index + this.length : index
    return Number.isInteger(place) && place >= 0 && place < this.length ? this.#cells.read(place) : undefined
  }

  /**
   * Writes the element at `index`.
   *
   * @throws RangeError when there is no such element; TypeError or RangeError when the value does not fit.
   */
  set(index: number, value: I): void {
    this.line.checkOpen()
    this.#cells.write(this.#checkIndex(index), value)
  }

  /** Copies of the elements from `start` up to `end`, as of JavaScript's arrays. */
  slice(start = 0, end: number = this.length): T[] {
    this.line.checkOpen()
    const from = clamp(start, this.length)
    const to = clamp(end, this.length)
    return globalThis.Array.from({ length: Math.max(to - from, 0) }, (_, at) => this.#cells.read(from + at))
  }

  /** Writes a value into the elements from `start` up to `end`. */
  fill(value: I, start = 0, end: number = this.length): this {
    this.line.checkOpen()
    const to = clamp(end, this.length)
    for (let at = clamp(start, this.length); at < to; at++) this.#cells.write(at, value)
    return this
  }

  /** Adds to the number at `index`, in one step; returns what was there before. See {@link RawValue.add}. */
  add(index: number, amount: T): T {
    this.line.checkOpen()
    return this.#cells.add(this.#checkIndex(index), amount)
  }

  /** Writes `replacement` at `index` if `expected` is there, in one step. See {@link RawValue.compareExchange}. */
  compareExchange(index: number, expected: T, replacement: T): T {
    this.line.checkOpen()
    return this.#cells.compareExchange(this.#checkIndex(index), expected, replacement)
  }

  /**
   * The memory itself as a typed array of JavaScript: a Float64Array of `f64` and so on. After `close()` it shows zeros.
   *
   * @throws TypeError when elements are no numbers; `IpcError` with `ERR_IPC_UNSUPPORTED` on runtimes without such views
   *   (Electron).
   */
  get typedArray(): TypedArray {
    this.line.checkOpen()
    const { shape, name } = this.type
    const lane = shape.kind === 'leaf' ? shape.lane : undefined
    if (lane === undefined) throw wrongType('type', 'a type of numbers, such as i32 or f64', name)
    return new typedArrays[lane.array](this.#memory.arrayBuffer, 0, this.length)
  }

  /** The elements where they lie: structs are views, whose properties read and write the memory. */
  get view(): ArrayView<T> {
    this.line.checkOpen()
    return liveView(array(this.type, this.length), this.#memory.buffer, 0, false) as unknown as ArrayView<T>
  }

  /** Copies of the elements, one after the other. */
  *[Symbol.iterator](): Iterator<T> {
    for (let at = 0; at < this.length; at++) yield this.at(at) as T
  }

  override async close(): Promise<void> {
    this.#memory.close()
    return super.close()
  }

  #checkIndex(index: number): number {
    return checkInteger('index', index, 0, this.length - 1)
  }
}

/**
 * Values of one type that unrelated processes see and change, by name, with a lock beside them. Reading and writing do
 * not take the lock: {@link getLock} does, where several steps belong together.
 *
 * @example
 * ```ts
 * import { f64 } from 'ipckit'
 * import { Array as SharedArray } from 'ipckit/sync'
 *
 * const loads = SharedArray.openOrCreate('/loads', f64, 16)
 * loads.set(3, 0.75)
 * const mean = loads.slice().reduce((sum, load) => sum + load) / loads.length
 * ```
 */
export class SharedArray<T, I = T> extends RawArray<T, I> {
  #lock: RLock | undefined

  /** Opens an array that exists; see {@link RawArray.open}. */
  static override open<T, I>(name: string, type: FieldType<T, I>, options?: OpenOptions): SharedArray<T, I> {
    return new SharedArray(openArray(name, type, options), type)
  }

  /** Makes an array that does not exist yet; see {@link RawArray.create}. */
  static override create<T, I>(
    name: string,
    type: FieldType<T, I>,
    content: number | ArrayLike<I>,
    options?: CreateOptions,
  ): SharedArray<T, I> {
    return new SharedArray(makeArray(name, 'create', type, content, options), type)
  }

  /** Opens the array, which has that length, or makes it when there is none. */
  static override openOrCreate<T, I>(
    name: string,
    type: FieldType<T, I>,
    content: number | ArrayLike<I>,
    options?: CreateOptions,
  ): SharedArray<T, I> {
    return new SharedArray(makeArray(name, 'openOrCreate', type, content, options), type)
  }

  /** The lock beside the array, for all processes; closing it closes the array. */
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

function openArray<T, I>(name: string, type: FieldType<T, I>, options: OpenOptions | undefined): SyncGate {
  checkType(type)
  const gate = openSync('Value', name, 'open', options)
  const { bytes, type: found } = statOf(gate.address, gate.handle)
  const length = bytes / type.size
  if (Number.isInteger(length) && length <= longest && array(type, length).name === found) return gate
  gate.release()
  const wanted = { resource: gate.address, kind: gate.kind, creating: false, type: `${type.name}[]` }
  const why = {
    errno: ring.type,
    syscall: 'open',
    kind: 0,
    type: found,
    version: 0,
    owner: 0,
    mode: 0,
    links: 1,
    size: 0,
  }
  throw openError(wanted, why)
}

function makeArray<T, I>(
  name: string,
  how: 'create' | 'openOrCreate',
  type: FieldType<T, I>,
  content: number | ArrayLike<I>,
  options: CreateOptions | undefined,
): SyncGate {
  checkType(type)
  const given = typeof content === 'object' ? content : undefined
  const length = given === undefined ? content : given.length
  if (given === undefined && typeof content !== 'number')
    throw wrongType('content', 'a length, or the elements', content)
  const whole = array(
    type,
    checkInteger(given === undefined ? 'content' : 'content.length', length, 1, longest),
  )
  if (whole.size > 2 ** 40) throw outOfRange('content', 'an array of at most 1 TiB', length)
  const initial = given === undefined ? {} : { initial: encode(whole, given) }
  return openSync('Value', name, how, options, { type: whole.name, bytes: whole.size, ...initial })
}

/** An index as JavaScript's `slice` takes it. */
function clamp(index: number, length: number): number {
  const whole = Math.trunc(index) || 0
  return whole < 0 ? Math.max(whole + length, 0) : Math.min(whole, length)
}
