/**
 * Writes and reads structs by walking their description. It is what a struct means; `compile.ts` does the
 * same 10 times faster, where Node may generate code. Both use the checks at the end of this file.
 */
import { hexOf, wrongType } from '../expected.js'
import { type FieldType, type Leaf, memberPath, type StructShape, spokenPath } from './field.js'

/** How one struct is written and read; `bytes` has room for it at index `at`. */
export interface StructCode {
  write(view: DataView, bytes: Uint8Array, at: number, value: unknown): void
  read(view: DataView, bytes: Uint8Array, at: number): unknown
}

export function interpret(struct: StructShape): StructCode {
  return {
    write: (view, bytes, at, value) => writeStruct(struct, view, bytes, at, value, ''),
    read: (view, bytes, at) => readStruct(struct, view, bytes, at, ''),
  }
}

function writeStruct(struct: StructShape, view: DataView, bytes: Uint8Array, at: number, value: unknown, path: string) {
  checkObject(struct, value, path)
  let end = at
  for (const { name, offset, type } of struct.fields) {
    bytes.fill(0, end, at + offset)
    end = at + offset + type.size
    writeAny(type, struct.little, view, bytes, at + offset, value[name], path + memberPath(name))
  }
  bytes.fill(0, end, at + struct.size)
}

function writeAny(
  { shape, size }: FieldType<unknown>,
  little: boolean,
  view: DataView,
  bytes: Uint8Array,
  at: number,
  value: unknown,
  path: string,
): void {
  if (shape.kind === 'struct') {
    writeStruct(shape, view, bytes, at, value, path)
  } else if (shape.kind === 'array') {
    checkArray(value, shape.length, path)
    for (let i = 0; i < shape.length; i++) {
      writeAny(shape.element, little, view, bytes, at + i * (size / shape.length), value[i], `${path}[${i}]`)
    }
  } else if (!shape.write(view, bytes, at, value, little)) {
    throw refused(shape, value, path)
  }
}

function readStruct(struct: StructShape, view: DataView, bytes: Uint8Array, at: number, path: string): unknown {
  return Object.fromEntries(
    struct.fields.map(({ name, offset, type }) => [
      name,
      readAny(type, struct.little, view, bytes, at + offset, path + memberPath(name)),
    ]),
  )
}

function readAny(
  { shape, size }: FieldType<unknown>,
  little: boolean,
  view: DataView,
  bytes: Uint8Array,
  at: number,
  path: string,
): unknown {
  if (shape.kind === 'struct') return readStruct(shape, view, bytes, at, path)
  if (shape.kind === 'array') {
    const step = size / shape.length
    return Array.from({ length: shape.length }, (_, i) =>
      readAny(shape.element, little, view, bytes, at + i * step, `${path}[${i}]`),
    )
  }
  const value = shape.read(view, bytes, at, little)
  if (value === undefined) throw malformed(bytes, at, size, path)
  return value
}

export function checkObject(struct: StructShape, value: unknown, path: string): asserts value is Record<string, unknown> {
  if (typeof value === 'object' && value !== null) return
  const names = struct.fields.map((field) => field.name)
  const shown = names.length > 8 ? `${names.slice(0, 8).join(', ')} and ${names.length - 8} more` : names.join(', ')
  throw wrongType(spokenPath(path), `an object with the fields ${shown}`, value)
}

export function checkArray(value: unknown, length: number, path: string): asserts value is ArrayLike<unknown> {
  if (typeof value === 'object' && value !== null && (value as { length?: unknown }).length === length) return
  throw wrongType(spokenPath(path), `an array of ${length} elements`, value)
}

export function refused(leaf: Leaf, value: unknown, path: string): Error {
  return leaf.refusal(spokenPath(path), value)
}

export function malformed(bytes: Uint8Array, at: number, size: number, path: string): Error {
  return new Error(`The bytes of \`${spokenPath(path)}\` are not UTF-8 text: ${hexOf(bytes, at, size)}`)
}
