// Makes dist/ of lib/: few files instead of a hundred, as each module of its own costs the program that imports us a
// quarter of a millisecond and 100 KiB (bench/import.mjs). Declarations come from tsc.
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { defineConfig } from 'rolldown'

const { dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))

/** The files that `import 'ipckit'` needs: those in one, and what only other doors need apart. */
function reachableFrom(file, seen = new Set()) {
  if (seen.has(file)) return seen
  seen.add(file)
  const imports = /^(?:import|export)\s(?!type\b)[^'";]*?from '(\.[^']+)\.js'/gm
  for (const [, path] of readFileSync(file, 'utf8').matchAll(imports)) {
    reachableFrom(join(dirname(file), `${path}.ts`), seen)
  }
  return seen
}
const core = reachableFrom(resolve('lib/index.ts'))
const isWithin = (folder, id) => id.startsWith(`${resolve(folder)}/`)

export default defineConfig({
  input: {
    index: 'lib/index.ts',
    'posix/index': 'lib/posix/index.ts',
    'shm/index': 'lib/shm/index.ts',
    'sync/index': 'lib/sync/index.ts',
    'sysv/index': 'lib/sysv/index.ts',
    'pipe/index': 'lib/pipe/index.ts',
    'cli/main': 'lib/cli/main.ts',
  },
  platform: 'node',
  external: [/^node:/, ...Object.keys({ ...dependencies, ...peerDependencies })],
  output: {
    dir: 'dist',
    format: 'esm',
    sourcemap: true,
    entryFileNames: '[name].js',
    chunkFileNames: 'shared/[name]-[hash].js',
    codeSplitting: {
      groups: [
        { name: 'ipckit', test: (id) => core.has(id), priority: 1 },
        // All but the command in another, as little else is left.
        { name: 'kernel', test: (id) => isWithin('lib', id) && !isWithin('lib/cli', id) },
      ],
    },
  },
})
