/** Structs from a line of text, as the command line and configuration files write them. */
import { wrongType } from '../expected.js'
import { array, bytes } from './array.js'
import { chars } from './chars.js'
import type { FieldType } from './field.js'
import { bool, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64 } from './scalars.js'
import { type StructCodec, type StructOptions, struct } from './struct.js'

/** Our words, and C's as they are on 64-bit Linux. */
const spellings: [FieldType<unknown>, string][] = [
  [i8, 'i8|int8_t|signed char'],
  [u8, 'u8|uint8_t|unsigned char'],
  [i16, 'i16|int16_t|short|short int|signed short'],
  [u16, 'u16|uint16_t|unsigned short|unsigned short int'],
  [i32, 'i32|int32_t|int|signed|signed int|pid_t'],
  [u32, 'u32|uint32_t|unsigned|unsigned int|uid_t|gid_t|mode_t'],
  [
    i64,
    'i64|int64_t|long|long int|signed long|long long|long long int|ssize_t|off_t|time_t|ptrdiff_t|intptr_t',
  ],
  [u64, 'u64|uint64_t|unsigned long|unsigned long int|unsigned long long|size_t|uintptr_t'],
  [f32, 'f32|float'],
  [f64, 'f64|double'],
  [bool, 'bool|_Bool'],
]
const types = new Map(
  spellings.flatMap(([type, words]) => words.split('|').map((word) => [word, type] as const)),
)

/**
 * Reads a struct from one line: `id:i32,px:f64,sym:char[8],raw:u8[16],pos:{x:f32,y:f32}[2]`.
 *
 * Types are ours (`i32`, `f64`) or C's (`int32_t`, `unsigned long`, `double`, `time_t`). `char[8]` is text
 * of 8 bytes ({@link chars}), `u8[16]` is bytes ({@link bytes}), every other `[n]` an {@link array}; with more
 * dimensions the first is the outermost, as in C. Braces make a nested struct, and `struct`, `packed`, `little`
 * and `big` may stand before them. The whole may stand in braces too, so that this reads the `name` of every
 * struct.
 *
 * @param text - the description.
 * @param options - for the struct and the nested ones alike; words in the text are for one struct.
 * @returns The codec. Its values are not typed: give them to {@link checked}.
 * @throws SyntaxError that names the column (from 1) when the text is not such a description.
 * @example
 * ```ts
 * const tick = parseStruct('id:i32,px:f64,sym:char[8]')
 * tick.size // 24
 * ```
 */
export function parseStruct(
  text: string,
  options: StructOptions = {},
): StructCodec<Record<string, unknown>, Record<string, unknown>> {
  const parser = new Parser(text, options)
  const inBraces = /^[A-Za-z\s]*\{/.test(text)
  const parsed = inBraces ? parser.braced() : parser.fields(options, undefined)
  parser.end()
  return parsed
}

type ParsedStruct = StructCodec<Record<string, unknown>, Record<string, unknown>>

class Parser {
  readonly #text: string
  readonly #options: StructOptions
  #at = 0

  constructor(text: string, options: StructOptions) {
    if (typeof text !== 'string') throw wrongType('text', 'a string', text)
    this.#text = text
    this.#options = options
  }

  fields(options: StructOptions, close: '}' | undefined): ParsedStruct {
    const found = new Map<string, FieldType<unknown>>()
    do {
      const at = this.#skipSpace()
      const name = this.#name()
      if (found.has(name)) this.#fail('a name that is not taken yet', at)
      this.#expect(':', "':' and a type")
      found.set(name, this.#type())
    } while (this.#take(','))
    if (close !== undefined) this.#expect(close, "',' or '}'")
    return struct(Object.fromEntries(found), options)
  }

  /** `struct packed big {...}`, all words optional; they are for these braces alone, as in C. */
  braced(): ParsedStruct {
    const options = { ...this.#options }
    for (;;) {
      const at = this.#skipSpace()
      const word = this.#match(/[A-Za-z_]\w*/y)
      if (word === undefined) break
      if (word === 'packed') options.packed = true
      else if (word === 'little' || word === 'big') options.endian = word
      else if (word !== 'struct') this.#fail("'packed', 'little', 'big' or '{'", at)
    }
    this.#expect('{', "'{'")
    return this.fields(options, '}')
  }

  end(): void {
    if (this.#skipSpace() < this.#text.length) this.#fail("',' or the end", this.#at)
  }

  #name(): string {
    const at = this.#skipSpace()
    const name = this.#match(/[A-Za-z_]\w*/y)
    if (name !== undefined) return name
    const quoted = this.#match(/"(?:[^"\\]|\\.)*"/y)
    if (quoted !== undefined) {
      try {
        return JSON.parse(quoted) as string
      } catch {}
    }
    return this.#fail('the name of a field', at)
  }

  #type(): FieldType<unknown> {
    const at = this.#skipSpace()
    if (/\{|(struct|packed|little|big)\b/y.test(this.#text.slice(at))) {
      return arrays(this.braced(), this.#lengths())
    }
    const word = this.#match(/[A-Za-z_]\w*(?:\s+[A-Za-z_]\w*)*/y)?.replace(/\s+/g, ' ')
    if (this.#take('*')) this.#fail('a type that means something to another process, not a pointer,', at)
    const scalar = types.get(word ?? '')
    if (scalar === undefined && word !== 'char')
      this.#fail('a type such as i32, double, char[8] or {...}', at)
    const lengths = this.#lengths()
    // C's last dimension is the innermost: there text and bytes have their length.
    if (word === 'char') return arrays(chars(lengths.pop() ?? 1), lengths)
    if (scalar === u8 && lengths.length > 0) return arrays(bytes(lengths.pop() as number), lengths)
    return arrays(scalar as FieldType<unknown>, lengths)
  }

  #lengths(): number[] {
    const lengths: number[] = []
    while (this.#take('[')) {
      const at = this.#skipSpace()
      const length = Number(this.#match(/0[xX][0-9a-fA-F]+|\d+/y))
      if (!(length >= 1 && length <= 0x40000000)) this.#fail('a length from 1 to 1073741824', at)
      lengths.push(length)
      this.#expect(']', "']'")
    }
    return lengths
  }

  #expect(sign: string, expected: string): void {
    if (!this.#take(sign)) this.#fail(expected, this.#at)
  }

  #take(sign: string): boolean {
    if (this.#text[this.#skipSpace()] !== sign) return false
    this.#at++
    return true
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#skipSpace()
    const found = pattern.exec(this.#text)?.[0]
    this.#at += found?.length ?? 0
    return found
  }

  #skipSpace(): number {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++
    return this.#at
  }

  #fail(expected: string, at: number): never {
    const rest = this.#text.slice(at)
    const received =
      rest === '' ? 'the end' : JSON.stringify(rest.length > 20 ? `${rest.slice(0, 20)}...` : rest)
    throw new SyntaxError(`Expected ${expected} at column ${at + 1} of the struct, received ${received}`)
  }
}

function arrays(type: FieldType<unknown>, lengths: number[]): FieldType<unknown> {
  return lengths.reduceRight<FieldType<unknown>>((element, length) => array(element, length), type)
}
