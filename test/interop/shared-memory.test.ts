/**
 * One memory, three languages: what one writes, field by field, all others read, in POSIX memory (which Python opens by
 * multiprocessing.shared_memory) and in System V segments. And counting together: exact with atomic words, not without.
 */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { array, struct, u32 } from 'ipckit'
import * as posix from 'ipckit/posix'
import * as sysv from 'ipckit/sysv'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { newKey, newName } from '../helpers/names.ts'
import { fixture } from '../helpers/program.ts'
import { buildPeers, python } from './peers.ts'

beforeAll(buildPeers)

const root = fileURLToPath(new URL('../..', import.meta.url))
const peers = {
  Node: [process.execPath, fixture('shm-peer.mjs')],
  C: [`${root}/build-interop/shm-peer`],
  Python: [python, `${root}/interop/python/shm_peer.py`],
} as const
type Language = keyof typeof peers
const languages = Object.keys(peers) as Language[]
const kinds = { POSIX: newName, 'System V': () => `0x${newKey().toString(16)}` }
const table = Object.keys(kinds).flatMap((kind) =>
  languages.flatMap((writer) => languages.map((reader) => ({ kind, writer, reader }))),
) as { kind: keyof typeof kinds; writer: Language; reader: Language }[]

function run(language: Language, ...args: string[]): string {
  const [command, ...rest] = peers[language] as readonly string[]
  const stdio = ['ignore', 'pipe', 'pipe'] as const
  return execFileSync(command as string, [...rest, ...args], { encoding: 'utf8', stdio: [...stdio] })
}

function nameOf(kind: keyof typeof kinds): string {
  const name = kinds[kind]()
  onTestFinished(() => {
    try {
      if (name.startsWith('/')) posix.SharedMemory.unlink(name)
      else sysv.SharedMemory.open(Number(name)).unlink()
    } catch {
      // Removed by the test.
    }
  })
  return name
}

/** What every peer writes for a seed. */
const expected = (seed: number) => ({
  a: -(seed % 100),
  b: seed % 256,
  c: -seed,
  d: 65535 - seed,
  e: -1000 * seed,
  f: 4_000_000_000 + seed,
  g: String(-(2n ** 63n) + BigInt(seed)),
  h: String(2n ** 64n - 1n - BigInt(seed)),
  i: seed / 4,
  j: seed / 8 + 0.1,
  k: seed % 2 === 1,
  l: seed % 2 === 1 ? 'äöü' : 'seven77',
  m: [seed % 256, 0, 255],
  n: [0, seed / 2, seed],
  o: { x: seed, y: -seed / 2 },
  p: [
    { x: 0, y: seed },
    { x: 1, y: seed + 0.25 },
  ],
  q: [
    [seed, seed - 1],
    [seed - 2, seed - 3],
  ],
  hits: 0,
  total: '0',
  lossy: 0,
  packet: { kind: 7, length: seed, stamp: String(0x0102030405060700n + BigInt(seed)) },
})

describe.each(table)('in $kind memory that $writer made', ({ kind, writer, reader }) => {
  test(`${reader} reads every field that ${writer} wrote, and the other way round`, () => {
    const name = nameOf(kind)
    run(writer, 'create', name)
    run(writer, 'write', name, '1234')
    expect(JSON.parse(run(reader, 'read', name))).toEqual(expected(1234))
    run(reader, 'write', name, '777')
    expect(JSON.parse(run(writer, 'read', name))).toEqual(expected(777))
    run(reader, 'unlink', name)
    expect(() => run(writer, 'read', name)).toThrow()
  })
})

/** Counts in two processes that begin at the same time. */
async function countTogether(
  name: string,
  mode: string,
  count: number,
  pair: readonly Language[],
): Promise<void> {
  const counters = pair.map((language) => {
    const [command, ...rest] = peers[language] as readonly string[]
    return spawn(command as string, [...rest, mode, name, String(count)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
  })
  onTestFinished(() => {
    for (const child of counters) child.kill('SIGKILL')
  })
  const ended = counters.map((child) => new Promise((resolve) => child.once('exit', resolve)))
  await Promise.all(counters.map((child) => new Promise((resolve) => child.stdout.once('data', resolve))))
  for (const child of counters) child.stdin.end('\n')
  expect(await Promise.all(ended)).toEqual(pair.map(() => 0))
}

describe('two processes that count', () => {
  const pairs = [
    ['Node', 'C'],
    ['Node', 'Node'],
    ['C', 'C'],
  ] as const

  test.each(pairs)('%s and %s lose nothing with atomic words', async (...pair) => {
    const name = nameOf('POSIX')
    run('Node', 'create', name)
    await countTogether(name, 'atomic', 500_000, pair)
    expect(JSON.parse(run('Python', 'read', name))).toMatchObject({ hits: 1_000_000, total: '1000000' })
  })

  test('Node and C lose counts without: what the atomic words prevent does happen', async () => {
    const name = nameOf('POSIX')
    run('Node', 'create', name)
    const count = 5_000_000
    // On one CPU, and with luck, a round may lose nothing; rounds go on until one does.
    let before = 0
    for (;;) {
      await countTogether(name, 'plain', count, ['Node', 'C'])
      const { lossy } = JSON.parse(run('C', 'read', name)) as { lossy: number }
      if (lossy - before < 2 * count) break
      before = lossy
    }
  })

  test('Node and Python agree on a word', async () => {
    const name = nameOf('POSIX')
    run('Python', 'create', name)
    await countTogether(name, 'plain', 1000, ['Python'])
    expect(JSON.parse(run('Node', 'read', name)).lossy).toBe(1000)
  })
})

describe("Python's multiprocessing.shared_memory", () => {
  const py = (script: string, ...args: string[]) =>
    execFileSync(python, ['-c', script, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

  test('opens memory of Node by its name without the slash, and its size is the same', () => {
    const name = nameOf('POSIX')
    using memory = posix.SharedMemory.create(name, { sizeBytes: 5000 })
    memory.write(0, Buffer.from('from node'))
    const script = `
import sys
from multiprocessing import resource_tracker, shared_memory
memory = shared_memory.SharedMemory(sys.argv[1])
resource_tracker.unregister(memory._name, 'shared_memory')
print(memory.size, bytes(memory.buf[:9]).decode())
memory.buf[:4] = b'FROM'
memory.close()`
    expect(py(script, name.slice(1))).toBe('5000 from node\n')
    expect(memory.read(0, 9).toString()).toBe('FROM node')
  })

  test('unlinks the memory of others at its end, up to 3.12, unless its resource tracker is told not to', () => {
    const name = nameOf('POSIX')
    using memory = posix.SharedMemory.create(name, { sizeBytes: 4096 })
    const attach =
      'import sys; from multiprocessing import shared_memory as s; s.SharedMemory(sys.argv[1]).close()'
    py(attach, name.slice(1))
    const [, minor] = py('import sys; print(sys.version_info.minor)').match(/(\d+)/) ?? []
    expect(existsSync(`/dev/shm${name}`)).toBe(Number(minor) >= 13)
    expect(memory.stat().unlinked).toBe(Number(minor) < 13)
    memory.view(array(u32, 4)).set(0, 5)
    expect(memory.view(struct({ x: u32 })).x).toBe(5)
  })
})
