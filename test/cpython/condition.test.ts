/**
 * What CPython's own tests ask of conditions: the behaviours of `_TestCondition`, see lock.test.ts. Three waiters are
 * processes of their own, and three more are handles of this one, in the place of its threads.
 *
 * `check_invariant` looks at the semaphores that a condition is made of there; here `stat` has to tell of no waiters.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { i32, TimeoutError } from 'ipckit'
import { Condition, Value } from 'ipckit/sync'
import { expect, test } from 'vitest'
import { endAgents } from '../helpers/agent.ts'
import { until } from '../helpers/waiting.ts'
import { SyncPeer } from '../interop/sync-peers.ts'
import { keep, name, Remote } from '../sync/support.ts'

endAgents()

const timeoutMs = 100

/** Waiters in other processes and in this one, all asleep, and how many of them have been woken or timed out. */
class Sleepers {
  readonly condition: Condition
  readonly ended: string[] = []
  readonly all: Promise<unknown>

  private constructor(condition: Condition, waits: Promise<unknown>[]) {
    this.condition = condition
    this.all = Promise.all(
      waits.map((wait) =>
        wait.then(
          () => this.#end('woken'),
          (error) => this.#end(error.code),
        ),
      ),
    )
  }

  static async start(condition: Condition, count: number, options: object = {}): Promise<Sleepers> {
    const here = Array.from({ length: count }, () => keep(Condition.open(condition.name)))
    const there = await Promise.all(here.map(() => Remote.open('Condition', condition.name)))
    const sleepers = new Sleepers(condition, [
      ...here.map((each) => each.run(() => each.wait(options))),
      ...there.map(async (remote) => {
        await remote.call('acquire')
        try {
          await remote.call('wait', options)
        } finally {
          await remote.call('release')
        }
      }),
    ])
    await until(() => condition.stat().waiters + sleepers.ended.length === 2 * count)
    return sleepers
  }

  /** As many have been woken, and after a while not more. */
  async wokenAre(count: number): Promise<void> {
    await until(() => this.ended.length >= count)
    await sleep(timeoutMs)
    expect(this.ended).toEqual(Array(count).fill('woken'))
  }

  notify(count?: number): Promise<number> {
    return this.condition.run(() =>
      count === undefined ? this.condition.notify() : this.condition.notify(count),
    )
  }

  #end(how: string): void {
    this.ended.push(how)
  }
}

test('test_notify: each notify wakes exactly one', async () => {
  const condition = keep(Condition.create(name()))
  const sleepers = await Sleepers.start(condition, 1)
  await sleepers.wokenAre(0)
  await sleepers.notify()
  await sleepers.wokenAre(1)
  await sleepers.notify()
  await sleepers.wokenAre(2)
  expect(condition.stat().waiters).toBe(0)
})

test('test_notify_all: all time out and leave nothing behind; then all are woken at once', async () => {
  const condition = keep(Condition.create(name()))
  const late = await Sleepers.start(condition, 3, { timeoutMs })
  await late.all
  expect(late.ended).toEqual(Array(6).fill('ERR_IPC_TIMEOUT'))
  expect(condition.stat().waiters).toBe(0)
  const sleepers = await Sleepers.start(condition, 3)
  await sleepers.wokenAre(0)
  await condition.run(() => condition.notifyAll())
  await sleepers.wokenAre(6)
  expect(condition.stat().waiters).toBe(0)
})

test('test_notify_n: two, then four of the six, then none that is left', async () => {
  const condition = keep(Condition.create(name()))
  const sleepers = await Sleepers.start(condition, 3)
  await sleepers.wokenAre(0)
  for (const [count, woken] of [
    [2, 2],
    [4, 6],
    [3, 6],
  ] as const) {
    await sleepers.notify(count)
    await sleepers.wokenAre(woken)
  }
  expect(condition.stat().waiters).toBe(0)
})

test('test_timeout: nobody notifies', async () => {
  const condition = keep(Condition.create(name()))
  const begun = performance.now()
  await condition.run(() => expect(condition.wait({ timeoutMs })).rejects.toThrow(TimeoutError))
  expect(performance.now() - begun).toBeGreaterThanOrEqual(timeoutMs - 2)
})

test('test_waitfor: waits until another process has brought it about, notice by notice', async () => {
  const condition = keep(Condition.create(name()))
  const state = keep(Value.create(name(), i32, 0))
  const child = await SyncPeer.start('Node', 'open', 'condition', condition.name)
  const there = await SyncPeer.start('Node', 'open', 'value', state.name, 0)
  const waiting = condition.run(() => condition.waitFor(() => state.value === 4))
  for (let turn = 0; turn < 4; turn++) {
    await sleep(10)
    await child.ask('acquire')
    await there.ask('add', 1)
    await child.ask('notify', 1)
    await child.ask('release')
  }
  expect(await waiting).toBe(true)
  expect(state.value).toBe(4)
})

test('test_waitfor_timeout: three of the four it waits for are not enough', async () => {
  const condition = keep(Condition.create(name()))
  let state = 0
  const begun = performance.now()
  const here = keep(Condition.open(condition.name))
  const waiting = expect(here.run(() => here.waitFor(() => state === 4, { timeoutMs }))).rejects.toThrow(
    TimeoutError,
  )
  for (let turn = 0; turn < 3; turn++) {
    await sleep(10)
    await condition.run(() => {
      state++
      condition.notify()
    })
  }
  await waiting
  expect(performance.now() - begun).toBeGreaterThanOrEqual(timeoutMs - 2)
})

test('test_wait_result: times out, is notified, and is interrupted, with the lock held after each', async () => {
  const condition = keep(Condition.create(name()))
  await condition.acquire()
  await expect(condition.wait({ timeoutMs: 0 })).rejects.toThrow(TimeoutError)
  await expect(condition.wait({ timeoutMs })).rejects.toThrow(TimeoutError)
  const child = await SyncPeer.start('Node', 'open', 'condition', condition.name)
  const notified = condition.wait({ timeoutMs: 20_000 })
  await child.ask('acquire')
  await child.ask('notify', 1)
  await child.ask('release')
  await notified
  // What a signal is to a thread of Python, an AbortSignal is to an async function.
  await expect(condition.wait({ signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
    name: 'TimeoutError',
  })
  expect(condition.locked).toBe(true)
  condition.release()
})
