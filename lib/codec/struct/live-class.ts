/**
 * The classes of views, one for each type. They are made of generated code, which V8 turns into single loads and stores;
 * or, where Node was told not to generate code, of closures that do the same. Names from outside enter the code only as
 * string literals.
 */
import { inspect } from 'node:util'
import { outOfRange, wrongType } from '../expected.js'
import { compile } from './compile.js'
import {
  type ArrayShape,
  type FieldType,
  type Leaf,
  nativeLittle,
  type PlacedField,
  type StructShape,
} from './field.js'
import { malformed, refused, type StructCode } from './interpret.js'
import type { Lanes } from './lanes.js'
import type { ArrayView } from './live.js'

// Properties and not private fields, as code that is generated elsewhere reads them. Symbols hide them from names of
// fields.
const lanes = Symbol('lanes')
const place = Symbol('at')
/** On the prototype: how the whole is read and written. */
const whole = Symbol('whole')

export abstract class Live {
  declare readonly [lanes]: Lanes
  declare readonly [place]: number
  declare readonly [whole]: Part

  constructor(all: Lanes, at: number) {
    this[lanes] = all
    this[place] = at
  }

  toJSON(): unknown {
    return copyOf(this)
  }

  [inspect.custom](): unknown {
    return copyOf(this)
  }
}

/** Copies what a view shows. */
export function copyOf(live: Live): unknown {
  return live[whole].read(live[lanes], live[place])
}

export type LiveClass = new (all: Lanes, at: number) => Live
type Composite = ArrayShape | StructShape

/** A struct or array as it is viewed, written and read, wherever it lies. */
interface Part {
  readonly live: LiveClass
  write(all: Lanes, at: number, value: unknown): void
  read(all: Lanes, at: number): unknown
}

/** What decides about a class beside its shape. */
export interface Variant {
  /** The order of bytes in numbers; a struct has its own. */
  readonly little: boolean
  readonly readonly: boolean
  /** Whether numbers are reached by typed arrays, in half the time of a DataView. */
  readonly typed: boolean
}

/** The alignment that all numbers in it need to be reached by typed arrays; 0 when there is none. */
export function typedAlign(shape: FieldType<unknown>['shape'], little: boolean): number {
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

export function classOf(shape: Composite, size: number, variant: Variant): LiveClass {
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
      const from = value instanceof Live ? copyOf(value) : value
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
