/**
 * Locks and their friends between Node, C and Python: every holder with every contender, and every death of one with
 * every survivor. C stands on libipckit itself, Python on the package of interop/python.
 */
import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { name as newName, soon } from '../sync/support.ts'
import { buildPeers } from './peers.ts'
import { runPythonTests } from './python-package.ts'
import { environment, languages, pairs } from './ring-peers.ts'
import { type Kind, type Language, peers, SyncPeer } from './sync-peers.ts'

beforeAll(buildPeers)

const patience = 30_000

async function twoOf(a: Language, b: Language, kind: Kind, number = 0): Promise<[SyncPeer, SyncPeer]> {
  const name = newName()
  const first = await SyncPeer.start(a, 'create', kind, name, number)
  return [first, await SyncPeer.start(b, 'open', kind, name, number)]
}

const locks = ['lock', 'rlock', 'rwlock', 'condition', 'value'] as const

describe.each(pairs)('from $a to $b', ({ a, b }) => {
  test.each(locks)(
    '%s: what one holds the other cannot have; a waiter is told once when its holder is killed',
    async (kind) => {
      const [holder, contender] = await twoOf(a, b, kind, 1)
      expect(await contender.ask('acquire', patience)).toEqual({ ok: 1, died: 0 })
      const handedOver = holder.ask('acquire', patience)
      await contender.until('waiting', 1)
      expect(await contender.ask('release')).toEqual({ ok: 0 })
      expect(await handedOver).toEqual({ ok: 1, died: 0 })
      expect(await contender.ask('holder')).toEqual({ ok: holder.pid })
      expect(await contender.ask('acquire', 0)).toEqual({ error: 'TIMEOUT' })
      if (kind !== 'value') expect(await contender.ask('release')).toEqual({ error: 'NOT_HELD' })
      const waiting = contender.ask('acquire', patience)
      await holder.until('waiting', 1)
      await holder.kill()
      expect(await soon(waiting)).toEqual({ ok: 1, died: holder.pid })
      expect(await contender.ask('release')).toEqual({ ok: 0 })
      expect(await contender.ask('acquire', 0)).toEqual({ ok: 1, died: 0 })
    },
  )

  test('lock: one that comes after the death is told as well', async () => {
    const [holder, contender] = await twoOf(a, b, 'lock')
    await holder.ask('acquire')
    await holder.kill()
    expect(await soon(contender.ask('acquire', patience))).toEqual({ ok: 1, died: holder.pid })
  })

  test('rwlock: readers share it and keep writers out; those who die are forgotten', async () => {
    const [reader, other] = await twoOf(a, b, 'rwlock')
    expect(await reader.ask('shared')).toEqual({ ok: 1, died: 0 })
    expect(await other.ask('shared', 0)).toEqual({ ok: 1, died: 0 })
    expect(await other.ask('unshare')).toEqual({ ok: 0 })
    expect(await other.ask('unshare')).toEqual({ error: 'NOT_HELD' })
    expect(await other.ask('acquire', 50)).toEqual({ error: 'TIMEOUT' })
    const waiting = other.ask('acquire', patience)
    await sleep(50)
    await reader.kill()
    expect(await soon(waiting)).toEqual({ ok: 1, died: 0 })
  })

  test('rwlock: a reader is told of a writer that was killed', async () => {
    const [writer, reader] = await twoOf(a, b, 'rwlock')
    await writer.ask('acquire')
    const waiting = reader.ask('shared', patience)
    await sleep(50)
    await writer.kill()
    expect(await soon(waiting)).toEqual({ ok: 1, died: writer.pid })
  })

  test('semaphore: permits of the killed come back', async () => {
    const [holder, other] = await twoOf(a, b, 'semaphore', 2)
    await holder.ask('acquire')
    await holder.ask('acquire')
    expect(await other.ask('free')).toEqual({ ok: 0 })
    const waiting = other.ask('acquire', patience)
    await holder.until('waiting', 1)
    await holder.kill()
    expect(await soon(waiting)).toMatchObject({ ok: 1 })
    expect(await soon(other.ask('acquire', patience))).toMatchObject({ ok: 1 })
    expect(await other.ask('acquire', 50)).toEqual({ error: 'TIMEOUT' })
  })

  test('semaphore: a release by one wakes the other; a bounded one has a bound', async () => {
    const [giver, taker] = await twoOf(a, b, 'semaphore', 0)
    const waiting = taker.ask('acquire', patience)
    await giver.until('waiting', 1)
    await giver.ask('release')
    expect(await waiting).toMatchObject({ ok: 1 })
    const [first, second] = await twoOf(a, b, 'bounded', 1)
    await first.ask('acquire')
    expect(await first.ask('release')).toEqual({ ok: 0 })
    expect(await second.ask('release')).toEqual({ error: 'BOUND' })
  })

  test('condition: a notice of one wakes the other, and one that died with its waiter goes to the next', async () => {
    const [maker, other] = await twoOf(a, b, 'condition')
    const waitIn = async (peer: SyncPeer, waiters: number, looker: SyncPeer) => {
      await peer.ask('acquire')
      const waiting = peer.ask('wait', patience)
      await looker.until('waiting', waiters)
      return waiting
    }
    const waiting = waitIn(maker, 1, other)
    await sleep(50)
    await other.ask('acquire')
    await other.ask('notify', 1)
    await other.ask('release')
    expect(await waiting).toEqual({ ok: 0 })
    expect(await maker.ask('release')).toEqual({ ok: 0 })
    await other.ask('acquire')
    expect(await other.ask('wait', 50)).toEqual({ error: 'TIMEOUT' })
    await other.ask('release')
  })

  test('condition: notify does not wait for a waiter that was killed', async () => {
    const [victim, other] = await twoOf(a, b, 'condition')
    await victim.ask('acquire')
    victim.ask('wait').catch(() => {})
    await other.until('waiting', 1)
    await victim.kill()
    await soon(other.ask('acquire', patience))
    expect(await soon(other.ask('notify', 1))).toEqual({ ok: 0 })
    expect(await other.ask('release')).toEqual({ ok: 0 })
  })

  test('event: set by one wakes the other, also when it is cleared at once; waiters may be killed', async () => {
    const [setter, other] = await twoOf(a, b, 'event')
    expect(await other.ask('wait', 50)).toEqual({ error: 'TIMEOUT' })
    const waiting = other.ask('wait', patience)
    await sleep(100)
    await setter.ask('set')
    await setter.ask('clear')
    expect(await waiting).toEqual({ ok: 0 })
    expect(await other.ask('isset')).toEqual({ ok: 0 })
    setter.ask('wait').catch(() => {})
    await sleep(50)
    await setter.kill()
    expect(await soon(other.ask('set'))).toEqual({ ok: 0 })
    expect(await other.ask('isset')).toEqual({ ok: 1 })
  })

  test('barrier: both come together, each with a number of its own, again and again', async () => {
    const [first, second] = await twoOf(a, b, 'barrier', 2)
    for (let turn = 0; turn < 3; turn++) {
      const numbers = await Promise.all([first.ask('wait', patience), second.ask('wait', patience)])
      expect(numbers.map(({ ok }) => ok).sort()).toEqual([0, 1])
    }
  })

  test('barrier: the death of a party breaks it, whether it had come or not, and reset makes it whole', async () => {
    for (const comes of [true, false]) {
      const name = newName()
      const victim = await SyncPeer.start(a, 'create', 'barrier', name, 2)
      const other = await SyncPeer.start(b, 'open', 'barrier', name)
      if (comes) {
        victim.ask('wait').catch(() => {})
        await other.until('waiting', 1)
      }
      const waiting = comes ? undefined : other.ask('wait', patience)
      await sleep(50)
      await victim.kill()
      expect(await soon(waiting ?? other.ask('wait', patience))).toEqual({ error: 'BROKEN' })
      expect(await other.ask('broken')).toEqual({ ok: 1 })
      await other.ask('reset')
      const third = await SyncPeer.start(a, 'open', 'barrier', name)
      const both = await Promise.all([third.ask('wait', patience), other.ask('wait', patience)])
      expect(both.map(({ ok }) => ok).sort()).toEqual([0, 1])
    }
  })

  test('barrier: abort by one, and a timeout of one, break it for the other', async () => {
    const [first, second] = await twoOf(a, b, 'barrier', 2)
    const waiting = second.ask('wait', patience)
    await first.until('waiting', 1)
    await first.ask('abort')
    expect(await waiting).toEqual({ error: 'BROKEN' })
    await first.ask('reset')
    expect(await first.ask('wait', 50)).toEqual({ error: 'BROKEN' })
    expect(await second.ask('wait', patience)).toEqual({ error: 'BROKEN' })
  })

  test('value and array: what one writes the other reads, and no sum is lost under the lock', async () => {
    const [first, second] = await twoOf(a, b, 'value', 40)
    expect(await second.ask('get', 0)).toEqual({ ok: 40 })
    await second.ask('put', 0, -1)
    expect(await first.ask('get', 0)).toEqual({ ok: -1 })
    await Promise.all([first.ask('add', 200), second.ask('add', 200)])
    expect(await first.ask('get', 0)).toEqual({ ok: 399 })
    const [maker, other] = await twoOf(a, b, 'array', 3)
    await maker.ask('put', 2, 7)
    expect(await other.ask('get', 2)).toEqual({ ok: 7 })
  })

  test('another kind or type under the name is not opened', async () => {
    const name = newName()
    await SyncPeer.start(a, 'create', 'value', name, 1)
    await expect(SyncPeer.start(b, 'open', 'lock', name)).rejects.toThrow('KIND')
    await expect(SyncPeer.start(b, 'open', 'array', name, 2)).rejects.toThrow('TYPE')
  })
})

test('holders in all three languages are killed again and again, and the lock goes on', async () => {
  const name = newName()
  const witness = await SyncPeer.start('C', 'create', 'lock', name)
  let told = 0
  for (let turn = 0; turn < 12; turn++) {
    const language = languages[turn % languages.length] as Language
    const peer = await SyncPeer.start(language, 'open', 'lock', name)
    expect(await peer.ask('acquire', patience)).toMatchObject({ ok: 1 })
    await peer.kill()
    const next = await soon(witness.ask('acquire', patience))
    expect(next).toEqual({ ok: 1, died: peer.pid })
    told++
    await witness.ask('release')
  }
  expect(told).toBe(12)
})

test('the structures of the package in Python are as large as those of the header', () => {
  const sizes = (language: 'C' | 'Python') => {
    const [command, ...words] = peers[language]
    return JSON.parse(execFileSync(command, [...words, 'sizes'], { env: environment, encoding: 'utf8' }))
  }
  expect(Object.keys(sizes('C'))).toHaveLength(3)
  expect(sizes('Python')).toEqual(sizes('C'))
})

test('the package in Python does what its own tests of locks and their friends say', {
  timeout: 180_000,
}, () => {
  expect(runPythonTests('clients_test', 170_000)).toMatch(/Ran [1-9]\d+ tests/)
})
