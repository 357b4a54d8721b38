/**
 * Every system call of making, opening, using and closing a queue in shared memory fails once, with each of some errors:
 * strace(1) sees to it. The caller is told that error, nothing is left, and the next attempt works.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { needs, works } from '../helpers/needs.ts'
import { fixture } from '../helpers/program.ts'
import { buildPeers } from '../interop/peers.ts'
import { buildFixture } from '../interop/ring-peers.ts'

const hasStrace = needs('strace', works('strace', '-V'))
// close(2) and munmap(2) that fail are not done by strace, so what they would have given up is left.
const calls = [
  'getrandom',
  'openat',
  'access,faccessat,faccessat2',
  'newfstatat,fstat',
  'fchmod',
  'fallocate',
  'mmap',
  'madvise',
  'rt_sigaction',
  'fcntl',
  'linkat',
  'renameat2',
  'pread64',
  'futex',
  'unlink,unlinkat',
]
type Errno = keyof typeof constants.errno
const errors: readonly Errno[] = ['ENOMEM', 'EMFILE', 'EINTR', 'ENOSPC', 'EPERM']

let program: string
beforeAll(() => {
  buildPeers()
  program = buildFixture('denied')
})

function newFolder(): string {
  const folder = mkdtempSync('/dev/shm/ipckit-test-')
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** Runs the program under strace, with the options that make calls fail. */
function run(folder: string, inject: string[]) {
  const trace = join(mkdtempSync(join(tmpdir(), 'ipckit-trace-')), 'trace')
  const options = ['-f', '-qq', '-o', trace, ...inject]
  const { status, signal, stdout, stderr } = spawnSync('strace', [...options, program, 'queue', folder], {
    encoding: 'utf8',
  })
  const lines = execFileSync('cat', [trace], { encoding: 'utf8' }).split('\n')
  rmSync(join(trace, '..'), { recursive: true })
  return { end: { status, signal, stderr }, said: stdout.split('\n').slice(0, -1), lines }
}

/** For each kind of call, which of them, counted from the start of the program, are ours. */
function ours(lines: readonly string[]): Map<string, number[]> {
  const found = new Map<string, number[]>(calls.map((call) => [call, []]))
  const counts = new Map<string, number>()
  let marks = 0
  for (const line of lines) {
    const name = /^\d+ +(\w+)\(/.exec(line)?.[1]
    if (name === 'getppid') marks++
    const call = calls.find((names) => name !== undefined && names.split(',').includes(name))
    if (call === undefined) continue
    const count = (counts.get(call) ?? 0) + 1
    counts.set(call, count)
    // The C library ends the program when one of its own futexes fails.
    if (marks === 1 && !line.includes('_PRIVATE')) found.get(call)?.push(count)
  }
  expect(marks).toBe(2)
  return found
}

const present = (call: string) =>
  call
    .split(',')
    .map((name) => `?${name}`)
    .join(',')

describe.runIf(hasStrace)('a call that the kernel refuses once (needs strace)', () => {
  /** Lets one call fail; returns what the program was told. */
  function fail(folder: string, always: string[], call: string, number: number, error: Errno): string[] {
    const what = `${call} ${number} ${error}`
    const inject = `inject=${present(call)}:error=${error}:when=${number}`
    const { end, said, lines } = run(folder, [...always, '-e', inject])
    const wrong = said.filter((line) => line.startsWith('VIOLATION'))
    expect({ what, wrong, ...end }).toEqual({ what, wrong: [], status: 0, signal: null, stderr: '' })
    expect(lines.filter((line) => line.includes('(INJECTED)')).length, what).toBeGreaterThan(
      always.length / 2,
    )
    for (const line of said)
      expect(line, what).toMatch(new RegExp(`^(create|open|stat|unlink) ${constants.errno[error]}$`))
    expect(said.length, what).toBeLessThanOrEqual(1)
    return said
  }

  /** Lets each call fail with each error; returns who was told what. */
  function failEach(always: string[], names: readonly Errno[]): Set<string> {
    const folder = newFolder()
    const clean = run(folder, always)
    expect(clean).toMatchObject({ end: { status: 0 } })
    const points = [...ours(clean.lines)]
      // The one that always fails cannot fail in another way as well.
      .filter(([call]) => !always.some((option) => option.includes(present(call))))
      .flatMap(([call, numbers]) => numbers.map((number) => ({ call, number })))
    const told = new Set<string>()
    for (const { call, number } of points) {
      for (const error of names) for (const line of fail(folder, always, call, number, error)) told.add(line)
    }
    expect(readdirSync(folder)).toEqual([])
    expect(points.length).toBeGreaterThan(20)
    console.log(
      `${points.length} calls failed with ${names.join(', ')}; told: ${[...told].sort().join(', ')}`,
    )
    return told
  }

  test('is an error of create, open or unlink, or nobody notices; nothing is left, and the next attempt works', () => {
    const told = failEach([], errors)
    for (const error of ['ENOMEM', 'EMFILE', 'ENOSPC', 'EPERM'] as const) {
      expect(told).toContain(`create ${constants.errno[error]}`)
      expect(told).toContain(`open ${constants.errno[error]}`)
    }
  })

  test('on a file system without O_TMPFILE, too', () => {
    const folder = newFolder()
    const [first] = ours(run(folder, []).lines).get('openat') as [number]
    const always = ['-e', `inject=?openat:error=EOPNOTSUPP:when=${first}`]
    expect(failEach(always, ['ENOSPC'])).toContain(`create ${constants.errno.ENOSPC}`)
  })

  test.each([
    ['fallocate', 'ENOSPC'],
    ['fchmod', 'EPERM'],
    ['linkat', 'EACCES'],
  ])('%s that fails with %s is an IpcError in Node, and the next attempt works', (call, error) => {
    const folder = newFolder()
    const inject = ['-f', '-qq', '-o', join(folder, 'trace'), '-e', `inject=${call}:error=${error}:when=1`]
    const words = [...inject, process.execPath, fixture('denied.mjs')]
    const { status, stdout, stderr } = spawnSync('strace', words, { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toBe(`IpcError ${error}\nworks\n`)
  })
})
