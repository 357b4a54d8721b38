/**
 * Views of structs and arrays where they lie: reading a property reads the memory, and setting it writes. A class
 * is made for each type, of generated code that V8 turns into single loads and stores, or, where Node was told not
 * to generate code, of closures that do the same. What the bytes mean is told by `field.ts` alone.
 */
import { inspect } from 'node:util'
import { outOfRange, wrongType } from '../expected.js'
import { compile } from './compile.js'
import {
  type ArrayShape,
  type FieldOutput,
  type FieldType,
  type Leaf,
  nativeLittle,
  type PlacedField,
  type StructShape,
} from './field.js'
import { malformed, refused, type StructCode } from './interpret.js'

/**
 * A struct where it lies: each field is a property that reads and writes the memory. Fields that are structs or arrays
 * are views too; numbers, text and `bytes` are values, copied out and in. {@link snapshot} copies the whole.
 *
 * @example
 * ```ts
 * const quote: StructView<{ bid: number; ask: number }> = memory.view(struct({ bid: f64, ask: f64 }))
 * quote.bid = 3.5
 * ```
 */
export type StructView<T> = { [K in keyof T]: MemoryView<T[K]> }

/**
 * An array where it lies.
 *
 * @example
 * ```ts
 * const samples: ArrayView<number> = memory.view(array(f64, 1000))
 * for (let i = 0; i < samples.length; i++) samples.set(i, samples.get(i) * 2)
 * ```
 */
export interface ArrayView<T> extends Iterable<MemoryView<T>> {
  /** Elements. */
  readonly length: number
  /**
   * The element at `index`, from 0 to `length - 1`: a value, or a view when elements are structs or arrays.
   *
   * @throws RangeError when there is no such element.
   */
  get(index: number): MemoryView<T>
  /**
   * Writes the element at `index`.
   *
   * @throws TypeError or RangeError when there is no such element, or the value does not fit.
   */
  set(index: number, value: T): void
  /** Writes all elements; `values` has exactly `length`. */
  assign(values: ArrayLike<T>): void
}

/**
 * What a value of this kind is in memory: a view of structs and arrays, and of all else the value itself.
 *
 * @example
 * ```ts
 * type Position = MemoryView<{ x: number; y: number }> // StructView<{ x: number; y: number }>
 * ```
 */
export type MemoryView<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer E)[]
    ? ArrayView<E>
    : T extends object
      ? StructView<T>
      : T

/** The same memory as DataView, bytes and typed arrays; these begin with the memory and end with its last whole element. */
class Lanes {
  readonly view: DataView
  readonly bytes: Uint8Array
  readonly i8: Int8Array
  readonly u8: Uint8Array
  readonly i16: Int16Array
  readonly u16: Uint16Array
  readonly i32: Int32Array
  readonly u32: Uint32Array
  readonly i64: BigInt64Array
  readonly u64: BigUint64Array
  readonly f32: Float32Array
  readonly f64: Float64Array

  constructor(bytes: Uint8Array) {
    const { buffer, byteOffset, length } = bytes
    // Not viewOf(), which would keep the last memory that was used.
    this.view = new DataView(buffer, byteOffset, length)
    this.bytes = bytes
    this.i8 = new Int8Array(buffer, byteOffset, length)
    this.u8 = bytes
    this.i16 = new Int16Array(buffer, byteOffset, length >>> 1)
    this.u16 = new Uint16Array(buffer, byteOffset, length >>> 1)
    this.i32 = new Int32Array(buffer, byteOffset, Math.floor(length / 4))
    this.u32 = new Uint32Array(buffer, byteOffset, Math.floor(length / 4))
    this.i64 = new BigInt64Array(buffer, byteOffset, Math.floor(length / 8))
    this.u64 = new BigUint64Array(buffer, byteOffset, Math.floor(length / 8))
    this.f32 = new Float32Array(buffer, byteOffset, Math.floor(length / 4))
    this.f64 = new Float64Array(buffer, byteOffset, Math.floor(length / 8))
  }
}

const lanesOf = new WeakMap<Uint8Array, Lanes>()

// Properties and not private fields, as code that is generated elsewhere reads them. Symbols hide them from names of
// fields.
const lanes = Symbol('lanes')
const place = Symbol('at')
/** On the prototype: how the whole is read and written. */
const whole = Symbol('whole')

abstract class Live {
  declare readonly [lanes]: Lanes
  declare readonly [place]: number
  declare readonly [whole]: Part

  constructor(all: Lanes, at: number) {
    this[lanes] = all
    this[place] = at
  }

  toJSON(): unknown {
    return snapshot(this)
  }

  [inspect.custom](): unknown {
    return snapshot(this)
  }
}

type LiveClass = new (all: Lanes, at: number) => Live
type Composite = ArrayShape | StructShape

/** A struct or array as it is viewed, written and read, wherever it lies. */
interface Part {
  readonly live: LiveClass
  write(all: Lanes, at: number, value: unknown): void
  read(all: Lanes, at: number): unknown
}

/**
 * A view of a struct or array at `offset` of `bytes`, which has room for it.
 *
 * @param readonly - whether setting properties throws a `TypeError`.
 */
export function liveView<F extends FieldType<unknown>>(
  type: F,
  bytes: Uint8Array,
  offset: number,
  readonly: boolean,
): MemoryView<FieldOutput<F>> {
  const { shape, size } = type
  if (shape.kind === 'leaf') throw wrongType('type', 'a struct or an array', type.name)
  let all = lanesOf.get(bytes)
  if (all === undefined) {
    all = new Lanes(bytes)
    lanesOf.set(bytes, all)
  }
  const little = shape.kind === 'struct' ? shape.little : nativeLittle
  // Typed arrays are indexed by `>>>`, which has 32 bits; the alignment of the memory itself is a page's.
  const align = typedAlign(shape, little)
  const typed =
    align !== 0 &&
    (bytes.byteOffset + offset) % align === 0 &&
    bytes.byteOffset === 0 &&
    offset + size < 2 ** 32
  const made = classOf(shape, size, { little, readonly, typed })
  return new made(all, offset) as unknown as MemoryView<FieldOutput<F>>
}

/**
 * Copies what a view shows: plain objects, arrays, numbers, text. The memory may change while it is copied, when
 * another process writes meanwhile.
 *
 * @param view - made by `memory.view()`, or a part of such a view.
 * @returns The value that the struct's `decode` gives.
 * @throws TypeError when `view` is none; `Error` when a `chars` field is not UTF-8.
 * @example
 * ```ts
 * const { bid, ask } = snapshot(memory.view(quote))
 * ```
 */
export function snapshot<T>(view: StructView<T>): T
export function snapshot<T>(view: ArrayView<T>): T[]
export function snapshot(view: unknown): unknown
export function snapshot(view: unknown): unknown {
  if (!(view instanceof Live)) throw wrongType('view', 'a view of memory', view)
  return view[whole].read(view[lanes], view[place])
}

/**
 * Where a field of a struct lies, in bytes: C's `offsetof`.
 *
 * @param type - a struct or array.
 * @param path - the field as programs write it: `'px'`, `'inner.x'`, `'pos[1].x'`, `'["odd name"]'`.
 * @throws RangeError when there is no such field.
 * @example
 * ```ts
 * const hits = memory.atomic(u64, offsetOf(counters, 'hits'))
 * ```
 */
export function offsetOf(type: FieldType<unknown>, path: string): number {
  const absent = () => outOfRange('path', `a field of ${type.name}`, path)
  let at = 0
  let { shape } = type
  const step = /\.?([A-Za-z_]\w*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/y
  while (step.lastIndex < path.length) {
    const [, word, index, quoted] = step.exec(path) ?? []
    if (shape.kind === 'array' && index !== undefined && Number(index) < shape.length) {
      at += Number(index) * shape.element.size
      shape = shape.element.shape
      continue
    }
    const name = quoted === undefined ? word : (JSON.parse(quoted) as string)
    const field = shape.kind === 'struct' ? shape.fields.find((each) => each.name === name) : undefined
    if (name === undefined || field === undefined) throw absent()
    at += field.offset
    shape = field.type.shape
  }
  if (path === '') throw absent()
  return at
}

/** What decides about a class beside its shape. */
interface Variant {
  /** The order of bytes in numbers; a struct has its own. */
  readonly little: boolean
  readonly readonly: boolean
  /** Whether numbers are reached by typed arrays, in half the time of a DataView. */
  readonly typed: boolean
}

/** The alignment that all numbers in it need to be reached by typed arrays; 0 when there is none. */
function typedAlign(shape: FieldType<unknown>['shape'], little: boolean): number {
  if (shape.kind === 'leaf') return 1
  const order = shape.kind === 'struct' ? shape.little : little
  if (order !== nativeLittle) return 0
  const members =
    shape.kind === 'struct'
      ? shape.fields.map(({ offset, type }) => ({ strides: [offset, shape.size], type }))
      : [{ strides: [shape.element.size], type: shape.element }]
  let most = 1
  for (const { strides, type } of members) {
    const align =
      type.shape.kind === 'leaf' && type.shape.lane !== undefined ? type.size : typedAlign(type.shape, order)
    if (align === 0 || strides.some((stride) => stride % align !== 0)) return 0
    most = Math.max(most, align)
  }
  return most
}

const classes = new WeakMap<Composite, Map<string, LiveClass>>()

function classOf(shape: Composite, size: number, variant: Variant): LiveClass {
  let known = classes.get(shape)
  if (known === undefined) {
    known = new Map()
    classes.set(shape, known)
  }
  const { little, readonly, typed } = variant
  const key = `${little} ${readonly} ${typed}`
  const before = known.get(key)
  if (before !== undefined) return before
  const made = shape.kind === 'struct' ? structClass(shape, variant) : arrayClass(shape, variant)
  known.set(key, made)
  const part = makePart('value', { shape, size }, little, made)
  Object.defineProperty(made.prototype, whole, { value: part })
  return made
}

/** A struct or array as one part of something, whose errors name it `name`. */
function makePart(
  name: string,
  type: { shape: Composite; size: number },
  little: boolean,
  live: LiveClass,
): Part {
  // The one field of a struct of its own: so an error says `pos[1]`.
  let code: StructCode | undefined
  const compiled = (): StructCode => {
    const fields = [{ name, offset: 0, type: type as FieldType<unknown> }]
    code ??= compile({ kind: 'struct', fields, size: type.size, packed: true, little })
    return code
  }
  return {
    live,
    write({ view, bytes }, at, value) {
      // Writing a view over what it overlaps: what is written is taken first.
      const from = value instanceof Live ? snapshot(value) : value
      compiled().write(view, bytes, at, { [name]: from })
    },
    read({ view, bytes }, at) {
      return (compiled().read(view, bytes, at) as Record<string, unknown>)[name]
    },
  }
}

/** A field of a struct, or the element of an array. */
interface Member {
  readonly name: string
  readonly type: FieldType<unknown>
  readonly little: boolean
  readonly leaf: Leaf | undefined
  readonly part: Part | undefined
}

function makeMember(name: string, type: FieldType<unknown>, variant: Variant): Member {
  const { shape, size } = type
  const { little } = variant
  if (shape.kind === 'leaf') return { name, type, little, leaf: shape, part: undefined }
  const order = shape.kind === 'struct' ? shape.little : little
  const live = classOf(shape, size, { ...variant, little: order })
  return { name, type, little, leaf: undefined, part: makePart(name, { shape, size }, order, live) }
}

function get(member: Member, all: Lanes, at: number): unknown {
  const { leaf, part, little } = member
  if (leaf === undefined) return new (part as Part).live(all, at)
  const value = leaf.read(all.view, all.bytes, at, little)
  if (value === undefined) throw malformed(all.bytes, at, member.type.size, member.name)
  return value
}

function set(member: Member, all: Lanes, at: number, value: unknown): void {
  const { leaf, part, little } = member
  if (leaf === undefined) (part as Part).write(all, at, value)
  else if (!leaf.write(all.view, all.bytes, at, value, little)) throw refused(leaf, value, member.name)
}

function readOnly(name: string): TypeError {
  return new TypeError(`Cannot write \`${name}\`: the memory was opened read-only`)
}

function noElement(index: unknown, length: number): Error {
  const expected = `an integer from 0 to ${length - 1}`
  return typeof index === 'number'
    ? outOfRange('index', expected, index)
    : wrongType('index', expected, index)
}

/** What the generated code calls, beside the leaves. */
const tools = { Live, lanes, place, malformed, refused, readOnly, noElement }

/** How generated code gets and sets a member that lies `offset` bytes, and `index` elements, behind its view. */
function accessCode(
  i: number,
  { leaf, type, little }: Member,
  offset: number,
  index: boolean,
  typed: boolean,
) {
  const { size } = type
  const at = `this[place] + ${offset}${index ? ` + index * ${size}` : ''}`
  if (leaf === undefined) {
    return {
      get: `return new Class${i}(this[lanes], ${at})`,
      set: `parts[${i}].write(this[lanes], ${at}, value)`,
    }
  }
  const refuse = `throw refused(leaves[${i}], value, names[${i}])`
  if (typed && leaf.lane !== undefined) {
    const shift = Math.log2(size)
    const element = `this[lane${i}][(this[place] >>> ${shift}) + ${offset / size}${index ? ' + index' : ''}]`
    return { get: `return ${element}`, set: `if (!accepts${i}(value)) ${refuse}\n${element} = value` }
  }
  return {
    get: `const { view, bytes } = this[lanes]
const value = read${i}(view, bytes, ${at}, ${little})
if (value === undefined) throw malformed(bytes, ${at}, ${size}, names[${i}])
return value`,
    set: `const { view, bytes } = this[lanes]
if (!write${i}(view, bytes, ${at}, value, ${little})) ${refuse}`,
  }
}

/** A symbol for each typed array that a view keeps at hand: one load less than through the lanes. */
const laneSymbols: Record<string, symbol> = {}

function laneSymbol(array: string): symbol {
  laneSymbols[array] ??= Symbol(array)
  return laneSymbols[array] as symbol
}

/** Builds a class of source text; undefined where Node was told not to. */
function build(members: readonly Member[], typed: boolean, body: string): LiveClass | undefined {
  const arrays = typed ? [...new Set(members.map(({ leaf }) => leaf?.lane?.array ?? ''))].filter(Boolean) : []
  const heads = members.map(({ leaf }, i) => {
    if (leaf === undefined) return `const Class${i} = parts[${i}].live\n`
    const lane =
      leaf.lane && typed
        ? `, lane${i} = laneSymbol(leaves[${i}].lane.array), accepts${i} = leaves[${i}].lane.accepts`
        : ''
    return `const read${i} = leaves[${i}].read, write${i} = leaves[${i}].write${lane}\n`
  })
  const source = `'use strict'
const { Live, lanes, place, malformed, refused, readOnly, noElement } = tools
${heads.join('')}${arrays.map((array) => `const ${array} = laneSymbol('${array}')\n`).join('')}return class extends Live {
constructor(all, at) {
super(all, at)
${arrays.map((array) => `this[${array}] = all.${array}\n`).join('')}}
${body}}`
  try {
    const make = new Function('tools', 'laneSymbol', 'names', 'leaves', 'parts', source)
    return make(
      tools,
      laneSymbol,
      members.map(({ name }) => name),
      members.map(({ leaf }) => leaf),
      members.map(({ part }) => part),
    ) as LiveClass
  } catch (error) {
    if (error instanceof EvalError) return undefined
    throw error
  }
}

function structClass({ fields }: StructShape, variant: Variant): LiveClass {
  const { readonly, typed } = variant
  const members = fields.map(({ name, type }) => makeMember(name, type, variant))
  let body = ''
  for (const [i, { name }] of members.entries()) {
    const access = accessCode(i, members[i] as Member, (fields[i] as PlacedField).offset, false, typed)
    body += `get [${JSON.stringify(name)}]() {\n${access.get}\n}\n`
    body += `set [${JSON.stringify(name)}](value) {\n${readonly ? `throw readOnly(names[${i}])` : access.set}\n}\n`
  }
  const made = build(members, typed, body)
  const live = made ?? class extends Live {}
  for (const [i, member] of members.entries()) {
    const { name } = member
    const { offset } = fields[i] as PlacedField
    const accessors =
      made === undefined
        ? closures(member, offset, readonly)
        : Object.getOwnPropertyDescriptor(live.prototype, name)
    // For `for in`, as of a plain object.
    Object.defineProperty(live.prototype, name, { ...accessors, enumerable: true, configurable: true })
  }
  return live
}

function closures(member: Member, offset: number, readonly: boolean): PropertyDescriptor & ThisType<Live> {
  return {
    get() {
      return get(member, this[lanes], this[place] + offset)
    },
    set(value: unknown) {
      if (readonly) throw readOnly(member.name)
      set(member, this[lanes], this[place] + offset, value)
    },
  }
}

function arrayClass({ element, length }: ArrayShape, variant: Variant): LiveClass {
  const { readonly, typed } = variant
  const member = makeMember('element', element, variant)
  const access = accessCode(0, member, 0, true, typed)
  const check = `if (index >>> 0 !== index || index >= ${length}) throw noElement(index, ${length})`
  const body = `get(index) {
${check}
${access.get}
}
set(index, value) {
${readonly ? "throw readOnly('element')" : `${check}\n${access.set}`}
}
`
  const live = build([member], typed, body) ?? closureArray(member, length, readonly)
  Object.defineProperties(live.prototype, {
    length: { value: length },
    assign: {
      value(this: Live, values: unknown) {
        if (readonly) throw readOnly('element')
        this[whole].write(this[lanes], this[place], values)
      },
    },
    [Symbol.iterator]: {
      *value(this: ArrayView<unknown>) {
        for (let i = 0; i < length; i++) yield this.get(i)
      },
    },
  })
  return live
}

function closureArray(member: Member, length: number, readonly: boolean): LiveClass {
  const { size } = member.type
  const check = (index: number) => {
    if (index >>> 0 !== index || index >= length) throw noElement(index, length)
  }
  return class extends Live {
    get(index: number): unknown {
      check(index)
      return get(member, this[lanes], this[place] + index * size)
    }
    set(index: number, value: unknown): void {
      if (readonly) throw readOnly('element')
      check(index)
      set(member, this[lanes], this[place] + index * size, value)
    }
  }
}
