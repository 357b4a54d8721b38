/** Semaphore, BoundedSemaphore and Event. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ClosedError, RemovedError, TimeoutError } from 'ipckit'
import { BoundedSemaphore, Event, Semaphore } from 'ipckit/sync'
import { describe, expect, test } from 'vitest'
import { endAgents } from '../helpers/agent.ts'
import { settledCounts } from '../helpers/counts.ts'
import { isPending, until } from '../helpers/waiting.ts'
import { keep, name, Remote } from './support.ts'

endAgents()

describe('Semaphore', () => {
  test('gives as many permits as it has, and waits for more', async () => {
    const slots = keep(Semaphore.create(name(), { value: 2 }))
    const one = await slots.acquire()
    const two = slots.acquireSync()
    expect([slots.value, slots.tryAcquire()]).toEqual([0, undefined])
    const waiting = slots.acquire()
    expect(await isPending(waiting)).toBe(true)
    one.release()
    one.release()
    const three = await waiting
    expect(slots.value).toBe(0)
    for (const permit of [two, three]) permit.release()
    expect(slots.value).toBe(2)
  })

  test('several permits are taken all at once, and those who want less do not pass', async () => {
    const fresh = name()
    const slots = keep(Semaphore.create(fresh, { value: 3 }))
    const remote = await Remote.open('Semaphore', fresh)
    const two = (await remote.call('acquire', { permits: 2 })) as number
    expect(slots.tryAcquire({ permits: 2 })).toBeUndefined()
    const order: number[] = []
    const waits = [3, 1].map(async (permits) => {
      const permit = await slots.acquire({ permits })
      order.push(permits)
      permit.release()
    })
    await sleep(20)
    expect(slots.tryAcquire()).toBeUndefined()
    await remote.agent.call(two, 'release')
    await Promise.all(waits)
    expect([order, slots.value]).toEqual([[3, 1], 3])
  })

  test('release() counts what is there, for those who take', async () => {
    const fresh = name()
    const items = keep(Semaphore.create(fresh, { value: 0 }))
    const remote = await Remote.open('Semaphore', fresh)
    const waits = [items.acquire(), items.acquire()]
    await remote.call('release', 3)
    await Promise.all(waits)
    expect(items.value).toBe(1)
    items.release()
    expect(items.value).toBe(2)
  })

  test('a value above the largest is refused, and nothing is added', () => {
    const items = keep(Semaphore.create(name(), { value: 2 ** 31 - 1 }))
    expect(() => items.release()).toThrow(expect.objectContaining({ code: 'EOVERFLOW' }))
    expect(items.value).toBe(2 ** 31 - 1)
  })

  test('closing gives back what the handle holds, and its permits are over', async () => {
    const fresh = name()
    const [slots, other] = [keep(Semaphore.create(fresh, { value: 1 })), keep(Semaphore.open(fresh))]
    const permit = await slots.acquire()
    const waiting = expect(slots.acquire()).rejects.toThrow(ClosedError)
    await slots.close()
    await waiting
    expect(other.value).toBe(1)
    permit.release()
    expect(other.value).toBe(1)
  })

  test('no permit is lost when waits end at any time', async () => {
    const fresh = name()
    const handles = [keep(Semaphore.create(fresh, { value: 3 })), keep(Semaphore.open(fresh))]
    const tries = Array.from({ length: 300 }, async (_, at) => {
      const slots = handles[at % 2] as Semaphore
      try {
        const permit = await slots.acquire({ permits: 1 + (at % 3), timeoutMs: at % 7 })
        await sleep(at % 3)
        permit.release()
        return 1
      } catch (error) {
        expect(error).toBeInstanceOf(TimeoutError)
        return 0
      }
    })
    expect((await Promise.all(tries)).filter((got) => got === 1).length).toBeGreaterThan(0)
    expect(handles[0]?.value).toBe(3)
  })
})

describe('BoundedSemaphore', () => {
  test('refuses what would be above its first value, whoever gives it', async () => {
    const fresh = name()
    const slots = keep(BoundedSemaphore.create(fresh, { value: 2 }))
    const remote = await Remote.open('BoundedSemaphore', fresh)
    expect(() => slots.release()).toThrow(expect.objectContaining({ code: 'ERR_IPC_BOUND' }))
    const permit = await slots.acquire()
    expect(() => slots.release(2)).toThrow(expect.objectContaining({ code: 'ERR_IPC_BOUND' }))
    permit.release()
    await expect(remote.call('release')).rejects.toMatchObject({ code: 'ERR_IPC_BOUND' })
    expect(slots.stat()).toMatchObject({ value: 2, limit: 2 })
  })

  test('more permits than there ever are is refused instead of waited for', async () => {
    const slots = keep(BoundedSemaphore.create(name(), { value: 2 }))
    await expect(slots.acquire({ permits: 3 })).rejects.toMatchObject({ code: 'EINVAL' })
  })
})

describe('Event', () => {
  test('lets everyone go on who waits, here and elsewhere, however short it is set', async () => {
    const fresh = name()
    const [event, other] = [keep(Event.create(fresh)), keep(Event.open(fresh))]
    const remote = await Remote.open('Event', fresh)
    const waits = [event.wait(), other.wait({ timeoutMs: 20_000 }), remote.call('wait')]
    await until(() => event.stat().waiters === 3)
    expect(event.isSet).toBe(false)
    other.set()
    other.clear()
    await Promise.all(waits)
    expect(event.isSet).toBe(false)
    await expect(event.wait({ timeoutMs: 30 })).rejects.toThrow(TimeoutError)
  })

  test('while it is set nobody waits, by each way', async () => {
    const event = keep(Event.create(name()))
    expect(() => event.waitSync({ timeoutMs: 30 })).toThrow(TimeoutError)
    event.set()
    event.set()
    event.waitSync()
    await event.wait()
    expect(event.isSet).toBe(true)
    event.clear()
    await expect(event.wait({ signal: AbortSignal.timeout(20) })).rejects.toMatchObject({
      name: 'TimeoutError',
    })
  })

  test('a thread that is blocked goes on when another process sets it', async () => {
    const fresh = name()
    const event = keep(Event.create(fresh))
    const remote = await Remote.open('Event', fresh)
    const blocked = remote.call('waitSync', { timeoutMs: 20_000 })
    await until(() => event.stat().waiters === 1)
    event.set()
    await blocked
  })

  test('closing and removing end waits', async () => {
    const fresh = name()
    const [event, other] = [keep(Event.create(fresh)), keep(Event.open(fresh))]
    const closing = expect(event.wait()).rejects.toThrow(ClosedError)
    const removing = expect(other.wait()).rejects.toThrow(RemovedError)
    await event.close()
    Event.unlink(fresh)
    await Promise.all([closing, removing])
  })
})

test('10,000 waits that are cancelled leave no threads, descriptors or waiters behind', async () => {
  const fresh = name()
  const event = keep(Event.create(fresh))
  const slots = keep(Semaphore.create(name(), { value: 0 }))
  const lockless = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      const controller = new AbortController()
      const { signal } = controller
      const waits = Array.from({ length: 500 }, (_, at) =>
        at % 2 ? event.wait({ signal }) : slots.acquire({ signal }),
      )
      const settled = Promise.allSettled(waits)
      await new Promise(setImmediate)
      controller.abort()
      for (const { status } of await settled) expect(status).toBe('rejected')
    }
  }
  await lockless(1)
  const before = await settledCounts()
  await lockless(20)
  const after = await settledCounts()
  expect(after.threads).toBeLessThanOrEqual(before.threads)
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors)
  expect([event.stat().waiters, slots.stat().waiters]).toEqual([0, 0])
  const waiting = slots.acquire()
  slots.release()
  await waiting
})
