// Checks which way the arrows between the rooms of this repository point, by reading imports and includes.
//
//   node scripts/check-imports.mjs [DIRECTORY]
//
// Prints each forbidden one as file:line and fails when there is any. The table is the rule; when a change
// needs another arrow, change the table and docs/architecture.md with it, on purpose.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

const nothing = /^$/
const builtins = /^node:/
const anything = /./
/** Every header but those of Node, libuv and V8. */
const libc = /^(?!(js_native_api|napi|node|node_api|uv|v8)(-.*|\/.*)?(\.h)?$)/

/**
 * A room is a file or folder, written without extension, and the longest one that fits a file counts.
 * `may`: the rooms that it may import, beside itself. `types`: the same, by `import type` alone.
 * `outside`: the packages or system headers that it may use.
 */
const transport = {
  may: ['lib/wait', 'lib/mapping', 'lib/binding', 'lib/errors', 'lib/how', 'lib/options'],
  types: ['lib/queue/transport', 'lib/native'],
  outside: builtins,
}
const addon = { may: ['native/sys', 'native/ring', 'native/sync', 'include'], outside: /^(?!uv|v8|node\.h)/ }
const table = {
  'lib/index': { may: ['lib'], outside: nothing },
  'lib/open': { may: ['lib'], outside: builtins },
  'lib/foreign-options': { may: ['lib/errors'], types: ['lib/open', 'lib/queue'], outside: nothing },
  'lib/queue': {
    may: ['lib/wait', 'lib/codec', 'lib/errors', 'lib/options'],
    outside: builtins,
  },
  'lib/wait': {
    may: ['lib/binding', 'lib/errors', 'lib/options'],
    types: ['lib/queue/transport', 'lib/native'],
    outside: builtins,
  },
  'lib/mapping': {
    may: ['lib/wait', 'lib/codec', 'lib/binding', 'lib/errors', 'lib/options'],
    types: ['lib/native'],
    outside: builtins,
  },
  'lib/posix': transport,
  'lib/sysv': transport,
  'lib/pipe': { ...transport, may: [...transport.may, 'lib/codec'] },
  // What queues and locks in shared memory have in common: names, and how the library behind them fails.
  'lib/shared': { may: ['lib/errors', 'lib/options'], outside: builtins },
  // Its queue is more than a transport: a typed queue that can do more than the others.
  'lib/shm': {
    ...transport,
    may: [...transport.may, 'lib/queue', 'lib/shared'],
    types: [...transport.types, 'lib/codec'],
  },
  'lib/sync': { ...transport, may: [...transport.may, 'lib/codec', 'lib/shared'] },
  'lib/memory': transport,
  'lib/codec': { outside: /^(node:.*|msgpackr|cbor-x|@standard-schema\/spec)$/ },
  'lib/errors': { outside: builtins },
  'lib/how': { may: ['lib/errors'], outside: nothing },
  'lib/options': { outside: builtins },
  'lib/binding': { may: ['lib/errors'], types: ['lib/native'], outside: builtins },
  'lib/native': { outside: nothing },
  'lib/cli': {
    may: [
      'lib/index',
      'lib/posix/index',
      'lib/sysv/index',
      'lib/shm/index',
      'lib/sync/index',
      'lib/pipe/index',
    ],
    outside: /^(node:.*|commander|picocolors|cli-table3)$/,
  },
  'native/addon': { ...addon, may: [...addon.may, 'native/node'] },
  'native/node': addon,
  'native/ring': { may: ['native/shared', 'include'], outside: libc },
  'native/sync': { may: ['native/shared', 'include'], outside: libc },
  'native/shared': { may: ['include'], outside: libc },
  'native/sys': { outside: libc },
  include: { outside: /^(stdint|stddef)\.h$/ },
  'interop/c': { may: ['include'], outside: libc },
  examples: { outside: anything },
  bench: { may: ['include'], outside: anything }, // C programs measure the library
}

const regulated = [...new Set(Object.keys(table).map((room) => room.split('/')[0]))]
const script = /\.(ts|mts|js|mjs)$/
const native = /\.(c|cc|h)$/

/** Blanks what is not code, and keeps every line where it is. Strings stay: they name what is imported. */
function withoutComments(source) {
  const tokens = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g
  return source.replace(tokens, (token) =>
    token.startsWith('/') || token.startsWith('`') ? token.replace(/[^\n]/g, ' ') : token,
  )
}

/** Yields `{ name, typeOnly, line }` for everything that the file imports. */
function* importsOf(file, source) {
  const code = withoutComments(source)
  const lineAt = (index) => code.slice(0, index).split('\n').length
  if (native.test(file)) {
    for (const match of code.matchAll(/^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)/gm)) {
      yield { name: match[1], typeOnly: false, line: lineAt(match.index) }
    }
    return
  }
  const statements = /^[ \t]*(import|export)\b([^'"`;=()]*?\bfrom\b)?\s*(['"])(.+?)\3/gm
  for (const match of code.matchAll(statements)) {
    yield { name: match[4], typeOnly: /^\s*type\b/.test(match[2] ?? ''), line: lineAt(match.index) }
  }
  for (const match of code.matchAll(/\b(?:import|require)\s*\(\s*(['"])(.+?)\1/g)) {
    yield { name: match[2], typeOnly: false, line: lineAt(match.index) }
  }
}

const stem = (path) => path.replace(/(\.d)?\.\w+$/, '')
const within = (path, room) => path === room || path.startsWith(`${room}/`)

function roomOf(path) {
  const fitting = Object.keys(table).filter((room) => within(path, room))
  return fitting.sort((a, b) => b.length - a.length)[0]
}

/** The path inside the repository that an import means, without extension; undefined for what is outside. */
function target(root, file, name) {
  if (script.test(file)) return name.startsWith('.') ? stem(normalize(join(dirname(file), name))) : undefined
  const places = [dirname(file), 'native', 'include'].map((place) => normalize(join(place, name)))
  const found = places.find((place) => existsSync(join(root, place)))
  return found === undefined ? undefined : stem(found)
}

/** Why this import is forbidden; undefined when it is not. */
function complaint(root, file, room, { name, typeOnly }) {
  const rule = table[room]
  const path = target(root, file, name)
  if (path === undefined) {
    return rule.outside.test(name) ? undefined : `${room} may not use ${name}`
  }
  const allowed = [room, ...(rule.may ?? []), ...(typeOnly ? (rule.types ?? []) : [])]
  if (allowed.some((each) => within(path, each))) return undefined
  const asType = rule.types?.some((each) => within(path, each))
  return asType ? `${room} may import only types from ${path}` : `${room} may not import ${path}`
}

function violationsIn(root, file) {
  const room = roomOf(stem(file))
  if (room === undefined) return [`${file}:1: belongs to no room of the table in scripts/check-imports.mjs`]
  const source = readFileSync(join(root, file), 'utf8')
  return [...importsOf(file, source)].flatMap((each) => {
    const why = complaint(root, file, room, each)
    return why === undefined ? [] : [`${file}:${each.line}: ${why}`]
  })
}

const root = process.argv[2] ?? dirname(import.meta.dirname)
const files = regulated
  .filter((top) => existsSync(join(root, top)))
  .flatMap((top) => readdirSync(join(root, top), { recursive: true }).map((file) => join(top, file)))
  .filter((file) => (script.test(file) || native.test(file)) && !file.includes('node_modules'))
  .sort()
const violations = files.flatMap((file) => violationsIn(root, file))
if (violations.length > 0) {
  console.error(violations.join('\n'))
  console.error(`check-imports: ${violations.length} forbidden`)
  process.exit(1)
}
console.log(`check-imports: ${files.length} files, every arrow points the right way`)
