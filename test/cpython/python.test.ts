/** What the other files of this folder ask of Node, asked of the package in Python: interop/python/tests/locks_test.py. */
import { beforeAll, expect, test } from 'vitest'
import { buildPeers } from '../interop/peers.ts'
import { runPythonTests } from '../interop/python-package.ts'

beforeAll(buildPeers)

test('locks and friends of the package in Python do what those of multiprocessing do', {
  timeout: 240_000,
}, () => {
  expect(runPythonTests('locks_test', 230_000)).toMatch(/Ran 70 tests/)
})
