/** Semaphores between Node, C and Python: each waits for the posts of each, and they keep each other out. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Semaphore } from 'ipckit/posix'
import { SemaphoreSet } from 'ipckit/sysv'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { newKey, newName } from '../helpers/names.ts'
import { until } from '../helpers/waiting.ts'
import { waitersOf } from '../posix/semaphore-support.ts'
import { buildPeers, python } from './peers.ts'

const languages = {
  Node: [process.execPath, 'test/fixtures/sem-peer.mjs'],
  C: ['build-interop/sem-peer'],
  Python: [python, '-B', 'interop/python/semaphores.py'],
} as const
type Language = keyof typeof languages
const all = Object.keys(languages) as Language[]
const pairs = all.flatMap((waiter) => all.map((poster) => ({ waiter, poster })))

beforeAll(buildPeers)

/** A semaphore of either kind, as these tests see it. */
interface Subject {
  options: string[]
  value(): number
  waiters(): number
}

const kinds: Record<string, (value: number) => Subject> = {
  posix(value) {
    const name = newName()
    const semaphore = Semaphore.create(name, { value })
    onTestFinished(async () => {
      semaphore.unlink()
      await semaphore.close()
    })
    return { options: ['--name', name], value: () => semaphore.value, waiters: () => waitersOf(name) }
  },
  sysv(value) {
    const key = newKey()
    const set = SemaphoreSet.create(key, { values: [9, value] })
    onTestFinished(async () => {
      set.unlink()
      await set.close()
    })
    const options = ['--key', `0x${key.toString(16)}`, '--index', '1']
    return { options, value: () => set.value(1), waiters: () => set.waiters(1).forMore }
  },
}

class Peer {
  readonly child: ChildProcess
  readonly lines: string[] = []
  readonly ended: Promise<number | null>

  constructor(language: Language, ...args: (string | number)[]) {
    const [program, ...words] = languages[language]
    this.child = spawn(program, [...words, ...args.map(String)], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', (line) =>
      this.lines.push(line),
    )
    this.ended = new Promise((resolve) => this.child.once('close', resolve))
    onTestFinished(async () => {
      this.child.kill('SIGKILL')
      await this.ended
    })
  }

  async says(line: string): Promise<void> {
    await until(() => this.lines.includes(line) || this.child.exitCode !== null)
    expect(this.lines).toContain(line)
  }
}

describe.each(Object.keys(kinds))('%s', (kind) => {
  const make = kinds[kind] as (value: number) => Subject

  test.each(pairs)('$waiter waits until $poster posts', async ({ waiter, poster }) => {
    const subject = make(0)
    const waiting = new Peer(waiter, 'wait', ...subject.options, '--count', 3)
    await waiting.says('waiting')
    await until(() => subject.waiters() === 1)
    expect(await new Peer(poster, 'post', ...subject.options, '--count', 2).ended).toBe(0)
    await until(() => subject.value() === 0 && subject.waiters() === 1)
    expect(waiting.lines).toEqual(['waiting'])
    expect(await new Peer(poster, 'post', ...subject.options).ended).toBe(0)
    if (kind === 'sysv') {
      await waiting.says('held')
      waiting.child.stdin?.end('\n')
    }
    expect(await waiting.ended).toBe(0)
    // With SEM_UNDO the kernel gives back what the waiter had taken.
    expect(subject.value()).toBe(kind === 'sysv' ? 3 : 0)
  })

  if (kind === 'sysv') {
    test.each(pairs)('$waiter goes on when $poster is killed with the permit', async ({ waiter, poster }) => {
      const subject = make(1)
      const holder = new Peer(poster, 'wait', ...subject.options)
      await holder.says('held')
      const waiting = new Peer(waiter, 'wait', ...subject.options)
      await until(() => subject.waiters() === 1)
      holder.child.kill('SIGKILL')
      await waiting.says('held')
    })
  }

  const times = 3000

  async function countTogether(options: string[]): Promise<number> {
    const folder = mkdtempSync(join(tmpdir(), 'ipckit-test-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'counter')
    writeFileSync(file, Buffer.alloc(8))
    const peers = all.map(
      (language) => new Peer(language, 'count', ...options, '--file', file, '--times', times),
    )
    expect(await Promise.all(peers.map(({ ended }) => ended))).toEqual(all.map(() => 0))
    return Number(readFileSync(file).readBigInt64LE())
  }

  test('a counter that all three add to is exact behind the semaphore', async () => {
    const subject = make(1)
    expect(await countTogether(subject.options)).toBe(times * all.length)
    expect(subject.value()).toBe(1)
  })
})

test('without the semaphore the same counter is wrong, so it is the semaphore that makes it right', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ipckit-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'counter')
  // Some try may come out right by chance.
  for (let total = 30_000, seen = total; seen === total; ) {
    writeFileSync(file, Buffer.alloc(8))
    const peers = ['C', 'Node', 'Python'].map(
      (language) =>
        new Peer(language as Language, 'count', '--unlocked', '--file', file, '--times', total / 3),
    )
    await Promise.all(peers.map(({ ended }) => ended))
    seen = Number(readFileSync(file).readBigInt64LE())
    if (seen !== total) expect(seen).toBeLessThan(total)
  }
})
