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
  type StructShape,
} from './field.js'
import { malformed, refused, type StructCode } from './interpret.js'
import { viewOf } from './view.js'

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

// Properties and not private fields, as code that is generated elsewhere reads them. Symbols hide them from names of
// fields.
const dataView = Symbol('view')
const memory = Symbol('bytes')
const place = Symbol('at')
/** On the prototype: how the whole is read and written. */
const whole = Symbol('whole')

abstract class Live {
  readonly [dataView]: DataView
  readonly [memory]: Uint8Array
  readonly [place]: number
  declare readonly [whole]: Part

  constructor(view: DataView, bytes: Uint8Array, at: number) {
    this[dataView] = view
    this[memory] = bytes
    this[place] = at
  }

  toJSON(): unknown {
    return snapshot(this)
  }

  [inspect.custom](): unknown {
    return snapshot(this)
  }
}

/** How a field of many parts is viewed, written and read, wherever it lies. */
interface Part {
  view(view: DataView, bytes: Uint8Array, at: number): unknown
  write(view: DataView, bytes: Uint8Array, at: number, value: unknown): void
  read(view: DataView, bytes: Uint8Array, at: number): unknown
}

type LiveClass = new (view: DataView, bytes: Uint8Array, at: number) => Live
type Composite = ArrayShape | StructShape

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
  const { shape } = type
  if (shape.kind === 'leaf') throw wrongType('type', 'a struct or an array', type.name)
  const little = shape.kind === 'struct' ? shape.little : nativeLittle
  const made = classOf(shape, type.size, little, readonly)
  return new made(viewOf(bytes), bytes, offset) as unknown as MemoryView<FieldOutput<F>>
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
  return view[whole].read(view[dataView], view[memory], view[place])
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

/** Classes by shape: writable or not, and, of arrays, in which order the bytes of a number are. */
const classes = new WeakMap<Composite, Map<string, LiveClass>>()

function classOf(shape: Composite, size: number, little: boolean, readonly: boolean): LiveClass {
  const key = `${shape.kind === 'array' ? little : ''} ${readonly}`
  let known = classes.get(shape)
  if (known === undefined) {
    known = new Map()
    classes.set(shape, known)
  }
  let made = known.get(key)
  if (made === undefined) {
    made = shape.kind === 'struct' ? structClass(shape, readonly) : arrayClass(shape, little, readonly)
    const part = makePart('value', { shape, size }, little, readonly)
    Object.defineProperty(made.prototype, whole, { value: part })
    known.set(key, made)
  }
  return made
}

/** A struct or array as one part of something, whose errors name it `name`. */
function makePart(
  name: string,
  type: { shape: Composite; size: number },
  little: boolean,
  readonly: boolean,
): Part {
  const { shape, size } = type
  // The one field of a struct of its own: so an error says `pos[1]`.
  let code: StructCode | undefined
  const compiled = (): StructCode => {
    const fields = [{ name, offset: 0, type: type as FieldType<unknown> }]
    code ??= compile({ kind: 'struct', fields, size, packed: true, little })
    return code
  }
  let made: LiveClass | undefined
  return {
    view(view, bytes, at) {
      made ??= classOf(shape, size, little, readonly)
      return new made(view, bytes, at)
    },
    write(view, bytes, at, value) {
      // Writing a view over itself, or over what overlaps it: what is written is taken first.
      const from = value instanceof Live ? snapshot(value) : value
      compiled().write(view, bytes, at, { [name]: from })
    },
    read(view, bytes, at) {
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

function makeMember(name: string, type: FieldType<unknown>, little: boolean, readonly: boolean): Member {
  const { shape, size } = type
  if (shape.kind === 'leaf') return { name, type, little, leaf: shape, part: undefined }
  const order = shape.kind === 'struct' ? shape.little : little
  return { name, type, little, leaf: undefined, part: makePart(name, { shape, size }, order, readonly) }
}

function get(member: Member, view: DataView, bytes: Uint8Array, at: number): unknown {
  const { leaf, part, little } = member
  if (leaf === undefined) return (part as Part).view(view, bytes, at)
  const value = leaf.read(view, bytes, at, little)
  if (value === undefined) throw malformed(bytes, at, member.type.size, member.name)
  return value
}

function set(member: Member, view: DataView, bytes: Uint8Array, at: number, value: unknown): void {
  const { leaf, part, little } = member
  if (leaf === undefined) (part as Part).write(view, bytes, at, value)
  else if (!leaf.write(view, bytes, at, value, little)) throw refused(leaf, value, member.name)
}

function readOnly(name: string): TypeError {
  return new TypeError(`Cannot write \`${name}\`: the memory was opened read-only`)
}

/** What the generated code calls, beside the leaves. */
const tools = { Live, dataView, memory, place, malformed, refused, readOnly, noElement }

/** The expressions that get and set a member at `at`, in the generated code. */
function generated(index: number, { leaf, type, little }: Member, at: string): { get: string; set: string } {
  const where = `this[dataView], this[memory], ${at}`
  if (leaf === undefined) {
    return {
      get: `return parts[${index}].view(${where})`,
      set: `parts[${index}].write(${where}, value)`,
    }
  }
  return {
    get: `const value = read${index}(${where}, ${little})
if (value === undefined) throw malformed(this[memory], ${at}, ${type.size}, names[${index}])
return value`,
    set: `if (!write${index}(${where}, value, ${little})) throw refused(leaves[${index}], value, names[${index}])`,
  }
}

/** Builds a class of source text; undefined where Node was told not to. */
function build(members: readonly Member[], body: string): LiveClass | undefined {
  const heads = members.map(({ leaf }, i) =>
    leaf === undefined ? '' : `const read${i} = leaves[${i}].read, write${i} = leaves[${i}].write\n`,
  )
  const source = `'use strict'
const { Live, dataView, memory, place, malformed, refused, readOnly, noElement } = tools
${heads.join('')}return class extends Live {
${body}}`
  try {
    const make = new Function('tools', 'names', 'leaves', 'parts', source)
    return make(
      tools,
      members.map(({ name }) => name),
      members.map(({ leaf }) => leaf),
      members.map(({ part }) => part),
    ) as LiveClass
  } catch (error) {
    if (error instanceof EvalError) return undefined
    throw error
  }
}

function structClass({ fields, little }: StructShape, readonly: boolean): LiveClass {
  const members = fields.map(({ name, type }) => makeMember(name, type, little, readonly))
  let body = ''
  for (const [i, member] of members.entries()) {
    const name = JSON.stringify(member.name)
    const access = generated(i, member, `this[place] + ${fields[i]?.offset}`)
    body += `get [${name}]() {\n${access.get}\n}\n`
    body += `set [${name}](value) {\n${readonly ? `throw readOnly(names[${i}])` : access.set}\n}\n`
  }
  const made = build(members, body) ?? class extends Live {}
  for (const [i, member] of members.entries()) {
    const offset = fields[i]?.offset as number
    const accessors = Object.getOwnPropertyDescriptor(made.prototype, member.name) ?? {
      get(this: Live) {
        return get(member, this[dataView], this[memory], this[place] + offset)
      },
      set(this: Live, value: unknown) {
        if (readonly) throw readOnly(member.name)
        set(member, this[dataView], this[memory], this[place] + offset, value)
      },
      configurable: true,
    }
    // For `for in`, as of a plain object.
    Object.defineProperty(made.prototype, member.name, { ...accessors, enumerable: true })
  }
  return made
}

function arrayClass({ element, length }: ArrayShape, little: boolean, readonly: boolean): LiveClass {
  const member = makeMember('element', element, little, readonly)
  const access = generated(0, member, `this[place] + index * ${element.size}`)
  const check = `if (index >>> 0 !== index || index >= ${length}) throw noElement(index, ${length})`
  const body = `get(index) {
${check}
${access.get}
}
set(index, value) {
${readonly ? 'throw readOnly("element")' : `${check}\n${access.set}`}
}
`
  const made = build([member], body) ?? closureArray(member, length, readonly)
  Object.defineProperties(made.prototype, {
    length: { value: length },
    assign: {
      value(this: Live, values: unknown) {
        if (readonly) throw readOnly('element')
        this[whole].write(this[dataView], this[memory], this[place], values)
      },
    },
    [Symbol.iterator]: {
      *value(this: ArrayView<unknown>) {
        for (let i = 0; i < length; i++) yield this.get(i)
      },
    },
  })
  return made
}

function closureArray(member: Member, length: number, readonly: boolean): LiveClass {
  const { size } = member.type
  return class extends Live {
    get(index: number): unknown {
      if (index >>> 0 !== index || index >= length) throw noElement(index, length)
      return get(member, this[dataView], this[memory], this[place] + index * size)
    }
    set(index: number, value: unknown): void {
      if (readonly) throw readOnly('element')
      if (index >>> 0 !== index || index >= length) throw noElement(index, length)
      set(member, this[dataView], this[memory], this[place] + index * size, value)
    }
  }
}

function noElement(index: unknown, length: number): Error {
  const expected = `an integer from 0 to ${length - 1}`
  return typeof index === 'number'
    ? outOfRange('index', expected, index)
    : wrongType('index', expected, index)
}
