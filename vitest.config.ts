import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { ClosingLine } from './test/helpers/closing-line.ts'

const dist = fileURLToPath(new URL('dist', import.meta.url))

export default defineConfig({
  // The tests use what users get: the compiled package, by its public name, loaded by Node itself.
  resolve: {
    alias: [
      { find: /^ipckit$/, replacement: `${dist}/index.js` },
      { find: /^ipckit\/(pipe|posix|shm|sync|sysv)$/, replacement: `${dist}/$1/index.js` },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    server: { deps: { external: [/\/dist\/.*\.js$/] } },
    // Native handles belong to processes.
    pool: 'forks',
    // All files share the 819,200 bytes of POSIX queues that one user may have (RLIMIT_MSGQUEUE), which is
    // nine default queues, and the tests of that limit use it up: side by side they would starve each other.
    fileParallelism: false,
    // A watchdog against deadlocks; no test asserts that something is fast.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    retry: 0,
    reporters: ['default', new ClosingLine()],
  },
})
