/**
 * Writes and reads structs by walking their description. It is what a struct means; `compile.ts` does the
 * same many times faster, where Node may generate code. Both use the checks at the end of this file.
 */
import { hexOf, wrongType } from '../expected.js'
import { type FieldType, type Leaf, memberPath, type StructShape, spokenPath } from './field.js'

/** How one struct is written and read; `bytes` has room for it at index `at`. */
export interface StructCode {
  write(view: DataView, bytes: Uint8Array, at: number, value: unknown): void
  read(view: DataView, bytes: Uint8Array, at: number): unknown
}

/** Where the walk is, as a chain outwards, since the text is needed for errors only. */
interface Step {
  readonly outer: Step | undefined
  readonly key: string | number
}

export function interpret(struct: StructShape): StructCode {
  return {
    write: (view, bytes, at, value) => writeStruct(struct, view, bytes, at, value, undefined),
    read: (view, bytes, at) => readStruct(struct, view, bytes, at, undefined),
  }
}

function writeStruct(
  struct: StructShape,
  view: DataView,
  bytes: Uint8Array,
  at: number,
  value: unknown,
  outer: Step | undefined,
): void {
  if (!isObject(value)) throw notAnObject(struct, value, pathTo(outer))
  let end = at
  for (const { name, offset, type } of struct.fields) {
    while (end < at + offset) bytes[end++] = 0
    writeAny(type, struct.little, view, bytes, at + offset, value[name], { outer, key: name })
    end = at + offset + type.size
  }
  while (end < at + struct.size) bytes[end++] = 0
}

function writeAny(
  { shape }: FieldType<unknown>,
  little: boolean,
  view: DataView,
  bytes: Uint8Array,
  at: number,
  value: unknown,
  step: Step,
): void {
  if (shape.kind === 'struct') {
    writeStruct(shape, view, bytes, at, value, step)
  } else if (shape.kind === 'array') {
    const { element, length } = shape
    if (!isArrayOf(length, value)) throw notAnArray(length, value, pathTo(step))
    for (let i = 0; i < length; i++) {
      writeAny(element, little, view, bytes, at + i * element.size, value[i], { outer: step, key: i })
    }
  } else if (!shape.write(view, bytes, at, value, little)) {
    throw refused(shape, value, pathTo(step))
  }
}

function readStruct(
  struct: StructShape,
  view: DataView,
  bytes: Uint8Array,
  at: number,
  outer: Step | undefined,
): Record<string, unknown> {
  const value: Record<string, unknown> = {}
  for (const { name, offset, type } of struct.fields) {
    const member = readAny(type, struct.little, view, bytes, at + offset, { outer, key: name })
    if (name !== '__proto__') value[name] = member
    else
      Object.defineProperty(value, name, {
        value: member,
        enumerable: true,
        configurable: true,
        writable: true,
      })
  }
  return value
}

function readAny(
  { shape, size }: FieldType<unknown>,
  little: boolean,
  view: DataView,
  bytes: Uint8Array,
  at: number,
  step: Step,
): unknown {
  if (shape.kind === 'struct') return readStruct(shape, view, bytes, at, step)
  if (shape.kind === 'array') {
    const { element, length } = shape
    return Array.from({ length }, (_, i) =>
      readAny(element, little, view, bytes, at + i * element.size, { outer: step, key: i }),
    )
  }
  const value = shape.read(view, bytes, at, little)
  if (value === undefined) throw malformed(bytes, at, size, pathTo(step))
  return value
}

function pathTo(step: Step | undefined): string {
  if (step === undefined) return ''
  return pathTo(step.outer) + (typeof step.key === 'number' ? `[${step.key}]` : memberPath(step.key))
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

export function isArrayOf(length: number, value: unknown): value is ArrayLike<unknown> {
  return isObject(value) && value.length === length
}

export function notAnObject({ fields }: StructShape, value: unknown, path: string): Error {
  const names = fields.slice(0, 8).map((field) => field.name)
  if (fields.length > names.length) names.push(`and ${fields.length - names.length} more`)
  return wrongType(spokenPath(path), `an object with the fields ${names.join(', ')}`, value)
}

export function notAnArray(length: number, value: unknown, path: string): Error {
  return wrongType(spokenPath(path), `an array of ${length} elements`, value)
}

export function refused(leaf: Leaf, value: unknown, path: string): Error {
  return leaf.refusal(spokenPath(path), value)
}

export function malformed(bytes: Uint8Array, at: number, size: number, path: string): Error {
  return new Error(`The bytes of \`${spokenPath(path)}\` are not UTF-8 text: ${hexOf(bytes, at, size)}`)
}
