/** What the generators of C and Python share: names, and structs inside of structs. */
import { wrongType } from '../expected.js'
import { type FieldType, isFieldType, isIdentifier, type StructShape, unwrap } from './field.js'

/** A struct and the name that it gets in the other language. */
export interface NamedStruct {
  readonly name: string
  readonly type: FieldType<unknown>
  readonly shape: StructShape
}

/**
 * Names the struct and every struct inside of it, the inner ones first, each once.
 *
 * @param join - makes the name of a struct from its parent's name and the field it was found in.
 */
export function nameStructs(
  type: FieldType<unknown>,
  name: string,
  join: (parent: string, field: string) => string,
): Map<StructShape, NamedStruct> {
  if (!isFieldType(type) || type.shape.kind !== 'struct')
    throw wrongType('struct', 'a codec made by struct()', type)
  const named = new Map<StructShape, NamedStruct>()
  const taken = new Set([name])
  const visit = (type: FieldType<unknown>, shape: StructShape, name: string): void => {
    for (const field of shape.fields) {
      const inner = unwrap(field.type)
      if (inner.shape.kind === 'leaf' || named.has(inner.shape)) continue
      const base = join(name, field.name)
      let free = base
      for (let i = 2; taken.has(free); i++) free = `${base}_${i}`
      taken.add(free)
      visit(inner.core, inner.shape, free)
    }
    named.set(shape, { name, type, shape })
  }
  visit(type, type.shape, name)
  return named
}

/** Refuses what the other language cannot say. */
export function checkName(name: string, value: unknown, language: string, isReserved: boolean): void {
  if (typeof value !== 'string') throw wrongType(name, 'a string', value)
  if (isIdentifier(value) && !isReserved) return
  throw wrongType(name, `a name that ${language} can say (letters, digits, _; no reserved word)`, value)
}
