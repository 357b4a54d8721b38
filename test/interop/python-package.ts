/** The package of interop/python, as it lies in the repository. */
import { spawnSync } from 'node:child_process'
import { expect } from 'vitest'
import { python } from './peers.ts'
import { environment, root } from './ring-peers.ts'

/** What the environment must say for Python to find it, and for it to find the library. */
export const packageEnvironment = { ...environment, PYTHONPATH: `${root}/interop/python` }

interface Options {
  cwd?: string
  env?: NodeJS.ProcessEnv
  timeout?: number
}

/** Runs Python to its end. */
export function runPython(args: string[], { cwd, env, timeout = 120_000 }: Options = {}) {
  const all = { ...packageEnvironment, ...env }
  return spawnSync(python, ['-B', ...args], { encoding: 'utf8', cwd, timeout, env: all })
}

/** Runs a file of interop/python/tests, in which every test must succeed. Returns what it said. */
export function runPythonTests(file: string, timeout = 120_000): string {
  const options = { cwd: `${root}/interop/python/tests`, timeout }
  const { status, stderr } = runPython(['-m', 'unittest', file], options)
  expect(status, stderr).toBe(0)
  return stderr
}
