/** What the other files of this folder ask of Node, asked of the package in Python: interop/python/tests/locks_test.py. */
import { spawnSync } from 'node:child_process'
import { beforeAll, expect, test } from 'vitest'
import { buildPeers, python } from '../interop/peers.ts'
import { environment, root } from '../interop/ring-peers.ts'

beforeAll(buildPeers)

test('locks and friends of the package in Python do what those of multiprocessing do', {
  timeout: 240_000,
}, () => {
  const { status, stderr } = spawnSync(python, ['-B', '-m', 'unittest', 'locks_test'], {
    cwd: `${root}/interop/python/tests`,
    env: { ...environment, PYTHONPATH: `${root}/interop/python` },
    encoding: 'utf8',
    timeout: 230_000,
  })
  expect(status, stderr).toBe(0)
  expect(stderr).toMatch(/Ran 70 tests/)
})
