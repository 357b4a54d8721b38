/**
 * Writes and reads structs by functions that are generated for each, straight-line code that V8 turns into
 * a few stores and loads. What the code does is what `interpret.ts` does; names and paths from outside enter
 * it only as string literals.
 */
import { type FieldType, type Leaf, memberPath, type StructShape } from './field.js'
import * as tools from './interpret.js'
import { interpret, type StructCode } from './interpret.js'

/** Compiles a struct, or has it interpreted where Node was told not to generate code from strings. */
export function compile(struct: StructShape): StructCode {
  const generator = new Generator()
  const write = generator.writeStruct(struct, 'at', 'value', '')
  const read = generator.readStruct(struct, 'at', 'value', '')
  const { leaves, structs } = generator
  const source = `'use strict'
const { isArrayOf, isObject, malformed, notAnArray, notAnObject, refused } = tools
${leaves.map((_, i) => `const write${i} = leaves[${i}].write, read${i} = leaves[${i}].read`).join('\n')}
return {
write(view, bytes, at, value) {
${write}},
read(view, bytes, at) {
${read}return value
} }`
  let build: (tools: object, leaves: readonly Leaf[], structs: readonly StructShape[]) => StructCode
  try {
    build = new Function('tools', 'leaves', 'structs', source) as typeof build
  } catch (error) {
    if (error instanceof EvalError) return interpret(struct)
    throw error
  }
  return build(tools, leaves, structs)
}

/** Collects what the code refers to. `at`, `value` and the like are JavaScript; `path` is inside a template literal. */
class Generator {
  readonly leaves: Leaf[] = []
  readonly structs: StructShape[] = []
  #variables = 0

  writeStruct(struct: StructShape, at: string, value: string, path: string): string {
    const index = indexIn(this.structs, struct)
    let code = `if (!isObject(${value})) throw notAnObject(structs[${index}], ${value}, \`${path}\`)\n`
    let end = 0
    for (const { name, offset, type } of struct.fields) {
      const member = this.#variable()
      code += zeros(at, end, offset)
      code += `const ${member} = ${value}[${JSON.stringify(name)}]\n`
      code += this.#write(
        type,
        struct.little,
        `${at} + ${offset}`,
        member,
        path + templateText(memberPath(name)),
      )
      end = offset + type.size
    }
    return code + zeros(at, end, struct.size)
  }

  #write(type: FieldType<unknown>, little: boolean, at: string, value: string, path: string): string {
    const { shape } = type
    if (shape.kind === 'struct') return this.writeStruct(shape, at, value, path)
    if (shape.kind === 'array') {
      const i = this.#variable()
      const element = this.#variable()
      return `if (!isArrayOf(${shape.length}, ${value})) throw notAnArray(${shape.length}, ${value}, \`${path}\`)
for (let ${i} = 0; ${i} < ${shape.length}; ${i}++) {
const ${element} = ${value}[${i}]
${this.#write(shape.element, little, `${at} + ${i} * ${shape.element.size}`, element, `${path}[\${${i}}]`)}}\n`
    }
    const leaf = indexIn(this.leaves, shape)
    return `if (!write${leaf}(view, bytes, ${at}, ${value}, ${little})) throw refused(leaves[${leaf}], ${value}, \`${path}\`)\n`
  }

  readStruct(struct: StructShape, at: string, target: string, path: string): string {
    let code = ''
    const members: string[] = []
    for (const { name, offset, type } of struct.fields) {
      const member = this.#variable()
      code += this.#read(
        type,
        struct.little,
        `${at} + ${offset}`,
        member,
        path + templateText(memberPath(name)),
      )
      // In brackets, `__proto__` is a property like any other.
      members.push(`[${JSON.stringify(name)}]: ${member}`)
    }
    return `${code}const ${target} = { ${members.join(', ')} }\n`
  }

  #read(type: FieldType<unknown>, little: boolean, at: string, target: string, path: string): string {
    const { shape } = type
    if (shape.kind === 'struct') return this.readStruct(shape, at, target, path)
    if (shape.kind === 'array') {
      const i = this.#variable()
      const element = this.#variable()
      return `const ${target} = []
for (let ${i} = 0; ${i} < ${shape.length}; ${i}++) {
${this.#read(shape.element, little, `${at} + ${i} * ${shape.element.size}`, element, `${path}[\${${i}}]`)}${target}.push(${element})
}\n`
    }
    const leaf = indexIn(this.leaves, shape)
    return `const ${target} = read${leaf}(view, bytes, ${at}, ${little})
if (${target} === undefined) throw malformed(bytes, ${at}, ${type.size}, \`${path}\`)\n`
  }

  #variable(): string {
    return `v${this.#variables++}`
  }
}

function indexIn<V>(list: V[], item: V): number {
  const index = list.indexOf(item)
  return index >= 0 ? index : list.push(item) - 1
}

/** Zeroes the padding, so that no old bytes of the memory leave the process. */
function zeros(at: string, from: number, to: number): string {
  let code = ''
  for (let i = from; i < to; i++) code += `bytes[${at} + ${i}] = 0\n`
  return code
}

/** Escapes text for the inside of a template literal. */
function templateText(text: string): string {
  return text.replace(/[\\`$]/g, '\\$&')
}
