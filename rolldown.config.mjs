// Makes dist/ of lib/: few files instead of a hundred, as each module of its own costs the program that imports us a
// quarter of a millisecond and 100 KiB (bench/import.mjs). Declarations come from tsc.
import { readFileSync } from 'node:fs'
import { defineConfig } from 'rolldown'

const { dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))

export default defineConfig({
  input: {
    index: 'lib/index.ts',
    'posix/index': 'lib/posix/index.ts',
    'shm/index': 'lib/shm/index.ts',
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
    // All but the command in one file, as all of it is needed by whoever needs any.
    codeSplitting: { groups: [{ name: 'ipckit', test: /\/lib\/(?!cli\/)/ }] },
  },
})
