/**
 * Memory that is shared with other processes and mapped here, of whatever kind: bytes, views of structs, atomic
 * words. POSIX memory, memfd and System V segments differ in how they are found and removed, which their own classes
 * know.
 */
import { constants } from 'node:buffer'
import { native } from '../binding.js'
import type { FieldOutput, FieldType } from '../codec/struct/field.js'
import { liveView, type MemoryView } from '../codec/struct/live.js'
import type { StructCodec } from '../codec/struct/struct.js'
import { closedError, errnoOf, IpcError, RemovedError, systemError, unsupported } from '../errors.js'
import { checkBytes, checkInteger, checkObject, outOfRange, wrongType } from '../options.js'
import { closeWhenForgotten, wasClosed } from '../wait/forgotten.js'
import { Atomic, type AtomicType, kindOf } from './atomic.js'

/** What the classes of each kind pass on. */
export interface Mapped {
  readonly handle: number
  /** The address or name of the memory, for errors. */
  readonly resource: string
  readonly readonly: boolean
}

/**
 * Memory that other processes see too. Made by the classes of its kinds, never by itself.
 *
 * After {@link Mapping.close} every Buffer and view that is left of it shows zeros, in this process alone, and nothing
 * crashes. Nor does it when another process truncates the memory: then its calls fail with `ERR_IPC_TRUNCATED`.
 *
 * Nothing here waits for others or keeps them out: two processes that write the same bytes at one time need a lock, or
 * {@link Mapping.atomic}.
 */
export abstract class Mapping {
  readonly #handle: number
  readonly #resource: string
  readonly #readonly: boolean
  readonly #size: number
  #closed = false
  #arrayBuffer: ArrayBuffer | undefined
  #buffer: Buffer | undefined

  /** @internal */
  protected constructor({ handle, resource, readonly }: Mapped) {
    this.#handle = handle
    this.#resource = resource
    this.#readonly = readonly
    this.#size = native.mapSize(handle)
    // Without this object its views go on: whoever has one still uses the memory.
    closeWhenForgotten(this, () => native.mapClose(handle, 1))
  }

  /** How many bytes are mapped; it never changes. */
  get sizeBytes(): number {
    return this.#size
  }

  /** Whether it was opened to be read only. */
  get readonly(): boolean {
    return this.#readonly
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Whether another process has truncated the memory, or otherwise taken pages away that this one touched since: from
   * then on this process sees zeros, and every call fails with `ERR_IPC_TRUNCATED`. Buffers and views do not fail:
   * whoever lives by them asks here.
   */
  get truncated(): boolean {
    return !this.#closed && native.mapLost(this.#handle) === 1
  }

  /**
   * The memory itself as an ArrayBuffer, for typed arrays and DataViews. No copy: what is written is there for all.
   * It cannot be handed to another thread (Node refuses, or copies it): open the memory there by its name.
   *
   * @throws `IpcError` with `ERR_IPC_UNSUPPORTED` when the memory is read-only, as writing to it by mistake would end
   *   the process, or this runtime (Electron) has no such ArrayBuffers: use {@link read},
   *   {@link readStruct} and {@link write}, which copy. {@link ClosedError}; {@link RemovedError} when it was truncated.
   * @example
   * ```ts
   * const samples = new Float64Array(memory.arrayBuffer, 64, 1000)
   * ```
   */
  get arrayBuffer(): ArrayBuffer {
    this.#check()
    if (this.#readonly) {
      const instead = 'a write to it by mistake would end the process; use read(), view() and readStruct()'
      throw unsupported(this.#resource, 'A Buffer over read-only memory', instead)
    }
    return this.#pages()
  }

  /** The memory itself as a Buffer, under the conditions of {@link arrayBuffer}. */
  get buffer(): Buffer {
    return this.#bytes(this.arrayBuffer)
  }

  /**
   * Copies bytes out of the memory.
   *
   * @param offset - where they begin; default 0.
   * @param length - how many; default all to the end.
   * @throws RangeError when they do not lie inside; {@link ClosedError}; {@link RemovedError} when it was truncated.
   */
  read(offset = 0, length = this.#size - offset): Buffer {
    const from = this.#checkRange(offset, checkInteger('length', length, 0, this.#size))
    const target = Buffer.allocUnsafe(length)
    this.#settle('read', native.mapRead(this.#handle, from, target))
    return target
  }

  /** Copies bytes out of the memory, from `offset` on, into all of `target`. */
  readInto(target: Uint8Array, offset = 0): void {
    checkBytes('target', target)
    const from = this.#checkRange(offset, target.length)
    this.#settle('read', native.mapRead(this.#handle, from, target))
  }

  /**
   * Copies bytes into the memory.
   *
   * @throws RangeError when they do not lie inside; `IpcError` with `EACCES` when the memory is read-only;
   *   {@link ClosedError}; {@link RemovedError} when it was truncated.
   */
  write(offset: number, bytes: Uint8Array): void {
    checkBytes('bytes', bytes)
    const to = this.#checkRange(offset, bytes.length)
    this.#checkWritable()
    this.#settle('write', native.mapWrite(this.#handle, to, bytes))
  }

  /**
   * A struct or an array where it lies in the memory, as the C compiler lays it out: its properties read and write the
   * memory. {@link snapshot} copies all of it.
   *
   * @param type - of {@link struct} or {@link array}.
   * @param offset - bytes from the beginning; default 0.
   * @returns A view; of read-only memory one whose properties cannot be set. After `close()` it shows zeros.
   * @throws RangeError when it does not lie inside; `IpcError` with `ERR_IPC_UNSUPPORTED` on runtimes without such
   *   views (Electron): use {@link readStruct} and {@link writeStruct}.
   * @example
   * ```ts
   * const quote = memory.view(struct({ id: i32, px: f64, sym: chars(8) }))
   * quote.px = 3.5
   * const grid = memory.view(array(struct({ x: f32, y: f32 }), 100), 64)
   * grid.get(7).x = 1
   * ```
   */
  view<F extends FieldType<unknown>>(type: F, offset = 0): MemoryView<FieldOutput<F>> {
    const { size } = checkType(type)
    const from = this.#checkRange(offset, size)
    this.#check()
    return liveView(type, this.#bytes(this.#pages()), from, this.#readonly)
  }

  /**
   * Copies a struct out of the memory.
   *
   * @throws `Error` when a `chars` field is not UTF-8; and what {@link read} throws.
   */
  readStruct<T, I>(type: StructCodec<T, I>, offset = 0): T {
    const { size } = checkStruct(type)
    return type.decode(this.read(offset, size), 0, size)
  }

  /**
   * Copies a struct into the memory; its padding becomes zeros.
   *
   * @throws TypeError or RangeError when the value does not fit; and what {@link write} throws.
   */
  writeStruct<T, I>(type: StructCodec<T, I>, value: I, offset = 0): void {
    const { size } = checkStruct(type)
    this.#checkRange(offset, size)
    const bytes = Buffer.alloc(size)
    type.encode(value, bytes, 0)
    this.write(offset, bytes)
  }

  /**
   * A word on which processes work at the same time without losing anything: load, store, add, exchange,
   * compareExchange. It is the same word for C's `_Atomic` types and C++'s `std::atomic_ref`.
   *
   * @param type - {@link i32}, {@link u32}, {@link i64} or {@link u64}, in this machine's order of bytes.
   * @param offset - bytes from the beginning, a multiple of the word's size; {@link offsetOf} tells that of a field.
   * @throws RangeError when it does not lie inside, or not on such a multiple.
   * @example
   * ```ts
   * const counters = struct({ hits: u64, misses: u64 })
   * const hits = memory.atomic(u64, offsetOf(counters, 'hits'))
   * hits.add(1n)
   * ```
   */
  atomic<T extends number | bigint>(type: AtomicType<T>, offset = 0): Atomic<T> {
    const kind = kindOf(type)
    if (kind === undefined) throw wrongType('type', 'i32, u32, i64 or u64', nameOf(type))
    const at = this.#checkRange(offset, type.size)
    if (at % type.size !== 0) throw outOfRange('offset', `a multiple of ${type.size}`, offset)
    return new Atomic<T>(kind, (operation, operand, expected) => {
      this.#checkClosed()
      if (operation !== 0) this.#checkWritable()
      const call = kind.bits === 64 ? native.mapAtomic64 : native.mapAtomic32
      try {
        return call(this.#handle, operation, at, operand as never, expected as never)
      } catch (error) {
        throw this.#failure('use', (error as { errno: number }).errno)
      }
    })
  }

  /**
   * Gives up this handle. What is left of Buffers and views shows zeros from now on. The memory stays, for others and
   * for who opens it later.
   */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    wasClosed(this)
    native.mapClose(this.#handle, 0)
    this.#arrayBuffer = undefined
    this.#buffer = undefined
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal What errors call it. */
  protected get resource(): string {
    return this.#resource
  }

  /** @internal For the calls that only memory of one kind has. */
  protected openHandle(): number {
    this.#checkClosed()
    return this.#handle
  }

  /** Without asking whether it may be written. */
  #pages(): ArrayBuffer {
    // Of another size: someone has transferred it, and it is empty now.
    if (this.#arrayBuffer?.byteLength === this.#size) return this.#arrayBuffer
    if (this.#size > constants.MAX_LENGTH) {
      const instead = `a Buffer has at most ${constants.MAX_LENGTH} bytes, and this memory ${this.#size}; use read() and write()`
      throw unsupported(this.#resource, 'A Buffer over all of the memory', instead)
    }
    const made = native.mapBuffer(this.#handle)
    if (made === undefined) {
      const instead =
        'this runtime keeps all memory of JavaScript to itself; use read(), write(), readStruct() and writeStruct(), which copy'
      throw unsupported(this.#resource, 'A Buffer over shared memory', instead)
    }
    this.#arrayBuffer = made
    return made
  }

  /** One Buffer for all, as what is known of its views is kept with it. */
  #bytes(whole: ArrayBuffer): Buffer {
    if (this.#buffer?.buffer !== whole) this.#buffer = Buffer.from(whole)
    return this.#buffer as Buffer
  }

  #checkClosed(): void {
    if (this.#closed) throw closedError(this.#resource)
  }

  #check(): void {
    this.#checkClosed()
    if (native.mapLost(this.#handle) === 1) throw this.#failure('use', -errnoOf.EFAULT)
  }

  #checkWritable(): void {
    if (!this.#readonly) return
    throw new IpcError(
      `Cannot write to the shared memory ${this.#resource}: it was opened with \`readonly\``,
      {
        code: 'EACCES',
        resource: this.#resource,
      },
    )
  }

  #checkRange(offset: unknown, length: number): number {
    this.#checkClosed()
    if (length > this.#size) {
      throw outOfRange('length', `at most ${this.#size} bytes, which is the size of the memory,`, length)
    }
    return checkInteger('offset', offset, 0, this.#size - length)
  }

  #settle(action: string, result: number): void {
    if (result < 0) throw this.#failure(action, result)
  }

  #failure(action: string, errno: number): IpcError {
    const resource = this.#resource
    if (errno === -errnoOf.EFAULT) {
      return new RemovedError(
        `Cannot ${action} the shared memory ${resource}: another process has truncated the memory, and what was there is lost to this one; close it, and open or create it again`,
        { code: 'ERR_IPC_TRUNCATED', resource },
      )
    }
    return systemError({ errno, syscall: 'mmap', resource, action: `${action} the shared memory` })
  }
}

function nameOf(type: unknown): unknown {
  return (type as { name?: unknown } | null | undefined)?.name ?? type
}

function checkType(type: FieldType<unknown>): FieldType<unknown> {
  const kind = (type as FieldType<unknown> | null | undefined)?.shape?.kind
  if (kind !== 'struct' && kind !== 'array') throw wrongType('type', 'a struct or an array', nameOf(type))
  return type
}

function checkStruct<T, I>(type: StructCodec<T, I>): StructCodec<T, I> {
  checkObject('type', type)
  if (type.shape?.kind !== 'struct') throw wrongType('type', 'a struct', nameOf(type))
  return type
}
