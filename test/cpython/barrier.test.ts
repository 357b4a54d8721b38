/** What CPython's own tests ask of barriers: the behaviours of `_TestBarrier`, see lock.test.ts. Four of the five parties are processes of their own. */
import { setTimeout as sleep } from 'node:timers/promises'
import { TimeoutError } from 'ipckit'
import { Barrier, BrokenBarrierError } from 'ipckit/sync'
import { expect, test } from 'vitest'
import { endAgents } from '../helpers/agent.ts'
import { until } from '../helpers/waiting.ts'
import { keep, name, Remote } from '../sync/support.ts'

endAgents()

const parties = 5
const timeoutMs = 20_000

/** A party: waits, and tells its number or how it failed. */
type Party = (options?: object) => Promise<number | string>

async function five(options: object = {}): Promise<{ barrier: Barrier; all: Party[] }> {
  const barrier = keep(Barrier.create(name(), { parties, ...options }))
  const told = (waiting: Promise<unknown>) =>
    waiting.then(
      (index) => index as number,
      (error) => error.code as string,
    )
  const others = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const remote = await Remote.open('Barrier', barrier.name)
      return (given: object = { timeoutMs }) => told(remote.call('wait', given))
    }),
  )
  return { barrier, all: [(given: object = { timeoutMs }) => told(barrier.wait(given)), ...others] }
}

const together = (all: Party[], options?: object) => Promise.all(all.map((wait) => wait(options)))
const numbers = [0, 1, 2, 3, 4]
const broken = (count: number) => Array(count).fill('ERR_IPC_BROKEN')

test.each([
  ['test_barrier', 1],
  ['test_barrier_10', 10],
])('%s: passed in lockstep, %i times', async (_, times) => {
  const { barrier, all } = await five()
  let here = 0
  let gone = 0
  const pass = async (wait: Party) => {
    for (let turn = 0; turn < times; turn++) {
      here++
      expect(gone).toBe(turn * parties)
      await wait()
      gone++
      expect(here).toBe((turn + 1) * parties)
      await wait()
    }
  }
  await Promise.all(all.map(pass))
  expect(barrier.nWaiting).toBe(0)
  expect(barrier.broken).toBe(false)
})

test('test_wait_return: each party gets a number of its own', async () => {
  const { all } = await five()
  expect((await together(all)).sort()).toEqual(numbers)
})

test('test_action: it is done once, before anybody goes on', async () => {
  let done = 0
  const { all } = await five({ action: () => void done++ })
  const [own, ...others] = all as [Party, ...Party[]]
  const waits = others.map((wait) => wait())
  // The action belongs to the handle that was opened with it: ours comes last.
  await sleep(100)
  const seen = Promise.all(waits).then(() => done)
  await own()
  expect(await seen).toBe(1)
  expect(done).toBe(1)
})

test('test_abort: those who wait are told, and it stays broken', async () => {
  const { barrier, all } = await five()
  await together(all)
  const waits = all.slice(1).map((wait) => wait())
  await until(() => barrier.nWaiting === parties - 1)
  barrier.abort()
  expect(await Promise.all(waits)).toEqual(broken(parties - 1))
  expect(barrier.broken).toBe(true)
  await expect(barrier.wait()).rejects.toThrow(BrokenBarrierError)
})

test('test_reset: frees those who wait, and it is whole again', async () => {
  const { barrier, all } = await five()
  await together(all)
  const waits = all.slice(1).map((wait) => wait())
  await until(() => barrier.nWaiting === parties - 1)
  barrier.reset()
  expect(await Promise.all(waits)).toEqual(broken(parties - 1))
  expect(barrier.broken).toBe(false)
  expect((await together(all)).sort()).toEqual(numbers)
})

test('test_abort_and_reset: a broken one is whole after a reset', async () => {
  const { barrier, all } = await five()
  const waits = all.slice(1).map((wait) => wait())
  await until(() => barrier.nWaiting === parties - 1)
  barrier.abort()
  expect(await Promise.all(waits)).toEqual(broken(parties - 1))
  barrier.reset()
  expect((await together(all)).sort()).toEqual(numbers)
})

test('test_timeout: when one is late the first to give up breaks it for all', async () => {
  const { barrier, all } = await five()
  await together(all)
  const ends = await Promise.all(all.slice(1).map((wait) => wait({ timeoutMs: 300 })))
  // Whose own time was up is told that; the others are told that it broke.
  expect(ends).toContain('ERR_IPC_TIMEOUT')
  expect(ends.every((end) => end === 'ERR_IPC_TIMEOUT' || end === 'ERR_IPC_BROKEN')).toBe(true)
  expect(barrier.broken).toBe(true)
  await expect(barrier.wait()).rejects.toThrow(BrokenBarrierError)
})

test('test_default_timeout: the timeout of the handle holds when a wait has none', async () => {
  const barrier = keep(Barrier.create(name(), { parties, timeoutMs: 300 }))
  const begun = performance.now()
  await expect(barrier.wait()).rejects.toThrow(TimeoutError)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(298)
  expect(barrier.broken).toBe(true)
})

test('test_single_thread: a barrier for one lets it through', async () => {
  const barrier = keep(Barrier.create(name(), { parties: 1 }))
  expect(await barrier.wait()).toBe(0)
  expect(await barrier.wait()).toBe(0)
  expect(barrier.waitSync()).toBe(0)
})

test('test_thousand: five parties pass a thousand times, and none is ever a round ahead', {
  timeout: 60_000,
}, async () => {
  const { all } = await five()
  const rounds = Array<number>(parties).fill(0)
  await Promise.all(
    all.map(async (wait, at) => {
      for (let turn = 0; turn < 1000; turn++) {
        const index = await wait()
        expect(typeof index).toBe('number')
        rounds[at] = turn + 1
        // Whoever is told of it last is told before anybody can have passed twice more.
        expect(Math.max(...rounds) - Math.min(...rounds)).toBeLessThanOrEqual(2)
      }
    }),
  )
  expect(rounds).toEqual(Array(parties).fill(1000))
})
