/** Structs against the C compiler and against Python's ctypes: sizes, offsets and bytes. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  array,
  bool,
  bytes,
  cHeader,
  chars,
  type FieldType,
  f32,
  f64,
  i8,
  i16,
  i32,
  i64,
  pythonClass,
  struct,
  u8,
  u16,
  u32,
  u64,
} from 'ipckit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs, works } from '../helpers/needs.ts'
import { type AnyStruct, Random, seed } from './random.js'

const has = (command: string): boolean => needs(command, works(command, '--version'))
const directory = mkdtempSync(join(tmpdir(), 'ipckit-twins-'))
afterAll(() => rmSync(directory, { recursive: true }))

const inner = struct({ flag: bool, at: f64 })
/** All types once, for the cases that chance might leave out. */
const everything = struct({
  ...{ a: i8, b: i16, c: i32, d: i64, e: u8, f: u16, g: u32, h: u64, i: f32, j: f64, k: bool },
  ...{ l: chars(5), m: bytes(3), n: array(u16, 3), o: inner, p: array(inner, 2), q: array(array(f32, 2), 3) },
}) as AnyStruct

interface Case {
  name: string
  codec: AnyStruct
  value: Record<string, unknown>
}

/** At least 200 structs, with a value each. */
const random = new Random(seed)
const cases: Case[] = [everything, ...Array.from({ length: 240 }, () => random.struct())].map((codec, i) => ({
  name: `s${i}`,
  codec,
  value: random.value(codec) as Record<string, unknown>,
}))

const layoutOf = (codec: AnyStruct): number[] => [
  codec.size,
  codec.align,
  ...codec.fields.map((field) => field.offset),
]
function bytesOf({ codec, value }: Case): string {
  const target = new Uint8Array(codec.size).fill(0xee)
  codec.encode(value, target, 0)
  return Buffer.from(target).toString('hex')
}

/** Words of both languages and of what the compilers and the header's includes define, and words that look like them. */
const words =
  `alignas alignof and and_eq asm atomic_cancel auto bitand bitor bool break case catch char char8_t char16_t
  char32_t class compl concept const consteval constexpr constinit const_cast continue co_await co_return co_yield
  decltype default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline
  int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
  reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch template
  this thread_local throw true try typedef typeid typename typeof union unsigned using virtual void volatile wchar_t while
  xor xor_eq linux unix final override import module assert offsetof int32_t uint8_t size_t string std main errno std_in
  NULL INT8_MAX SIZE_MAX _pad _t a_ b__c __pad __int128 __asm _Bool _Complex type id x y F_H F_INNER f f_inner inner_`.split(
    /\s+/,
  )

describe.runIf(has('gcc') && has('g++'))('the header of any struct', () => {
  const compilers: [compiler: string, language: string, standard: string][] = [
    ['gcc', '-xc', '-std=c11'],
    ['gcc', '-xc', '-std=gnu17'],
    ['g++', '-xc++', '-std=c++11'],
    ['g++', '-xc++', '-std=gnu++20'],
  ]
  const macrosOf = ([compiler, language, standard]: string[]): string[] =>
    execFileSync(compiler as string, [language as string, standard as string, '-dM', '-E', '-'], {
      input: '#include <assert.h>\n#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n',
      encoding: 'utf8',
    })
      .split('\n')
      .flatMap((line) => /^#define (\w+)/.exec(line)?.[1] ?? [])
  const attempt = (name: string, i: number): string[] => {
    try {
      // Before and behind a struct, whose name it must not hide.
      const fields = { [name]: i32, inner: struct({ [name]: u8, at: f64 }), last: i32 }
      return [cHeader(struct(fields), `f${i}`)]
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError)
      return []
    }
  }

  it.each(compilers)('that is not refused is one to %s %s %s', (...compiler) => {
    const names = [...new Set([...words, ...macrosOf(compiler)])]
    const headers = names.flatMap(attempt)
    expect(headers.length).toBeGreaterThan(20)
    const [command, ...flags] = compiler
    execFileSync(command as string, [...flags, '-Wall', '-Wextra', '-Werror', '-fsyntax-only', '-'], {
      input: `${headers.join('\n')}\nint main(void) { return 0; }\n`,
    })
  })
})

describe.runIf(has('gcc'))(`gcc agrees on ${cases.length} structs (seed ${seed})`, () => {
  let answers: string[]

  beforeAll(() => {
    const source = join(directory, 'proof.c')
    writeFileSync(
      source,
      `#include <stdio.h>\n#include <string.h>\n${cases.map(program).join('\n')}
int main(void) { ${cases.map(({ name }) => `print_${name}();`).join('\n')} }\n`,
    )
    const flags = [
      '-std=gnu17',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-Wno-address-of-packed-member',
      '-Wno-scalar-storage-order',
    ]
    execFileSync('gcc', [...flags, '-o', join(directory, 'proof'), source], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    answers = execFileSync(join(directory, 'proof'), { encoding: 'utf8', maxBuffer: 1 << 26 })
      .trim()
      .split('\n')
  })

  it('about sizeof, alignof and every offsetof', () => {
    expect(answers.map((answer) => answer.split(' ').slice(0, -1).map(Number))).toEqual(
      cases.map(({ codec }) => layoutOf(codec)),
    )
  })

  it('about every byte that it writes', () => {
    cases.forEach((each, i) => {
      expect(`${each.codec.name} ${answers[i]?.split(' ').at(-1)}`).toBe(
        `${each.codec.name} ${bytesOf(each)}`,
      )
    })
  })

  it('and its bytes read as the same values', () => {
    cases.forEach(({ codec, value }, i) => {
      const bytes = Buffer.from(answers[i]?.split(' ').at(-1) as string, 'hex')
      expect(codec.decode(bytes, 0, bytes.length)).toEqual(value)
    })
  })

  it('that the headers are C++ as well', () => {
    const source = join(directory, 'proof.cc')
    writeFileSync(source, cases.map(({ name, codec }) => cHeader(codec, name)).join('\n'))
    execFileSync('gcc', ['-std=c++11', '-Wall', '-Wextra', '-Werror', '-fsyntax-only', source], {
      stdio: 'inherit',
    })
  })
})

/** The header, and a function that prints layout and bytes of one struct. */
function program({ name, codec, value }: Case): string {
  const offsets = codec.fields.map((field) => `offsetof(${name}, ${field.name})`)
  return `${withByteOrder(cHeader(codec, name))}
static void print_${name}(void) {
  ${name} v;
  memset(&v, 0, sizeof v);
  ${assignments('v', codec, value)}
  size_t facts[] = { sizeof(v), _Alignof(${name}), ${offsets.join(', ')} };
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) printf("%zu ", facts[i]);
  for (size_t i = 0; i < sizeof v; i++) printf("%02x", ((unsigned char *)&v)[i]);
  printf("\\n");
}`
}

/** GCC can store a struct in the other byte order; the header has only a comment, since others cannot. */
function withByteOrder(header: string): string {
  return header.replace(
    /(are big-endian: .*\n)typedef struct /g,
    '$1typedef struct __attribute__((scalar_storage_order("big-endian"))) ',
  )
}

function assignments(target: string, { shape, size }: FieldType<unknown>, value: unknown): string {
  if (shape.kind === 'struct') {
    return shape.fields
      .map(({ name, type }) =>
        assignments(`${target}.${name}`, type, (value as Record<string, unknown>)[name]),
      )
      .join('\n  ')
  }
  if (shape.kind === 'array') {
    return (value as unknown[])
      .map((element, i) => assignments(`${target}[${i}]`, shape.element, element))
      .join('\n  ')
  }
  if (shape.lengths.length > 0) {
    const bytes = Buffer.alloc(size)
    bytes.set(Buffer.from(value as string | Buffer))
    return `memcpy(${target}, (const unsigned char[]){${[...bytes].join(',')}}, ${size});`
  }
  if (typeof value === 'bigint')
    return `${target} = (${shape.c})0x${BigInt.asUintN(64, value).toString(16)}ULL;`
  if (Object.is(value, -0)) return `${target} = -0.0;`
  return `${target} = (${shape.c})${value};`
}

describe.runIf(has('python3'))(`ctypes agrees on ${cases.length} structs (seed ${seed})`, () => {
  let answers: { layout: number[]; copied: string }[]

  beforeAll(() => {
    // Each message goes through Python field by field, so that every field is read and written there.
    const source = `import json, sys
${cases.map(({ name, codec }) => pythonClass(codec, name)).join('\n')}
def copy(source, target):
    for name, kind in source._fields_:
        value = getattr(source, name)
        if isinstance(value, ctypes.Array):
            copy_array(value, getattr(target, name))
        elif isinstance(value, ctypes.Structure):
            copy(value, getattr(target, name))
        else:
            setattr(target, name, value)

def copy_array(source, target):
    for i, value in enumerate(source):
        if isinstance(value, ctypes.Array):
            copy_array(value, target[i])
        elif isinstance(value, ctypes.Structure):
            copy(value, target[i])
        else:
            target[i] = value

answers = []
for name, message in json.load(sys.stdin):
    kind = globals()[name]
    source, target = kind.from_buffer_copy(bytes.fromhex(message)), kind()
    copy(source, target)
    layout = [ctypes.sizeof(kind), ctypes.alignment(kind)] + [getattr(kind, field).offset for field, _ in kind._fields_]
    answers.append({"layout": layout, "copied": bytes(target).hex()})
print(json.dumps(answers))
`
    const file = join(directory, 'proof.py')
    writeFileSync(file, source)
    const input = JSON.stringify(cases.map((each) => [each.name, bytesOf(each)]))
    answers = JSON.parse(execFileSync('python3', [file], { encoding: 'utf8', input, maxBuffer: 1 << 26 }))
  })

  it('about sizeof, alignment and every offset', () => {
    expect(answers.map(({ layout }) => layout)).toEqual(cases.map(({ codec }) => layoutOf(codec)))
  })

  it('about every byte', () => {
    expect(answers.map(({ copied }) => copied)).toEqual(cases.map(bytesOf))
  })
})
