import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

function checkImports(directory: string) {
  const checked = spawnSync(process.execPath, [join(root, 'scripts/check-imports.mjs'), directory], {
    encoding: 'utf8',
  })
  return { code: checked.status, output: checked.stdout + checked.stderr }
}

describe('the rooms of the repository', () => {
  const trees: string[] = []
  afterEach(() => {
    for (const tree of trees.splice(0)) rmSync(tree, { recursive: true })
  })

  function plant(file: string, source: string): string {
    const tree = mkdtempSync(join(tmpdir(), 'ipckit-rooms-'))
    trees.push(tree)
    mkdirSync(join(tree, dirname(file)), { recursive: true })
    mkdirSync(join(tree, 'native/node'), { recursive: true })
    writeFileSync(join(tree, 'native/node/args.h'), '')
    writeFileSync(join(tree, file), source)
    return tree
  }

  test('import each other only along the arrows of the table', () => {
    expect(checkImports(root).output).toContain('every arrow points the right way')
  })

  test.each([
    ['lib/posix/queue.ts', "import { a } from '../sysv/queue.js'", 'lib/posix may not import lib/sysv/queue'],
    ['lib/queue/queue.ts', "export * from '../posix/index.js'", 'lib/queue may not import lib/posix/index'],
    ['lib/codec/json.ts', "import {\n  a,\n} from '../errors.js'", 'lib/codec may not import lib/errors'],
    ['lib/cli/main.ts', "await import('../binding.js')", 'lib/cli may not import lib/binding'],
    ['lib/errors.ts', "import 'commander'", 'lib/errors may not use commander'],
    ['lib/sysv/queue.ts', "import { T } from '../queue/transport.js'", 'lib/sysv may import only types from'],
    ['lib/kitchen/sink.ts', '', 'belongs to no room'],
    ['native/sys/queue.cc', '#include <napi.h>', 'native/sys may not use napi.h'],
    ['native/sys/queue.h', '#include "node/args.h"', 'native/sys may not import native/node/args'],
    ['native/node/queue.cc', '#include <uv.h>', 'native/node may not use uv.h'],
    ['examples/demo.mjs', "import '../lib/index.js'", 'examples may not import lib/index'],
  ])('are guarded: a planted %s is found', (file, source, why) => {
    const { code, output } = checkImports(plant(file, `// first line\n${source}\n`))
    expect(output).toContain(why)
    expect(output).toMatch(new RegExp(`^${file}:[12]: `, 'm'))
    expect(code).toBe(1)
  })

  test('may import types where the table says so, and show forbidden imports in comments', () => {
    const source = "import type { T } from '../queue/transport.js'\n/*\nimport '../sysv/queue.js'\n*/\n"
    expect(checkImports(plant('lib/posix/queue.ts', source))).toMatchObject({ code: 0 })
  })
})

describe('the two native builds', () => {
  const listed = (file: string) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/native\/[\w/]+\.cc?\b/g)]
      .map(([path]) => path)
      .sort()
  const onDisk = readdirSync(join(root, 'native'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.cc?$/.test(file))
    .map((file) => `native/${file}`)
    .sort()

  test('binding.gyp builds every source file of the addon', () => {
    expect(listed('binding.gyp')).toEqual(onDisk)
  })

  test('CMakeLists.txt builds the same files that know nothing of Node', () => {
    const plain = (file: string) => /^native\/(sys|ring)\//.test(file)
    expect(listed('CMakeLists.txt').filter(plain)).toEqual(listed('binding.gyp').filter(plain))
  })
})
