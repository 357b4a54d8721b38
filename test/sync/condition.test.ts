/** Condition and Barrier. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ClosedError, RemovedError, TimeoutError } from 'ipckit'
import { Barrier, BrokenBarrierError, Condition, Lock, NotHeldError, RLock } from 'ipckit/sync'
import { describe, expect, test } from 'vitest'
import { endAgents } from '../helpers/agent.ts'
import { isPending, until } from '../helpers/waiting.ts'
import { codeOf, isFree, keep, name, Remote } from './support.ts'

endAgents()

function twoConditions(): [Condition, Condition] {
  const fresh = name()
  return [keep(Condition.create(fresh)), keep(Condition.open(fresh))]
}

describe('Condition', () => {
  test('wait releases the lock, and has it again when it was notified', async () => {
    const [changed, other] = twoConditions()
    const guard = await changed.acquire()
    const waiting = changed.wait()
    await until(() => changed.stat().waiters === 1)
    expect([guard.released, changed.locked]).toEqual([false, false])
    const theirs = await other.acquire()
    expect(other.notify()).toBe(1)
    expect(await isPending(waiting)).toBe(true)
    theirs.release()
    await waiting
    expect([guard.released, other.locked]).toEqual([false, true])
    guard.release()
    expect(isFree(other)).toBe(true)
  })

  test('notify wakes those who have waited longest, as many as it says, and never waits', async () => {
    const [changed, other] = twoConditions()
    const woken: number[] = []
    const waiters = Array.from({ length: 5 }, async (_, at) => {
      await changed.run(async () => {
        await changed.wait()
        woken.push(at)
      })
    })
    await until(() => changed.stat().waiters === 5)
    using guard = other.acquireSync()
    expect([other.notify(), other.notify(2)]).toEqual([1, 2])
    guard.release()
    await Promise.all(waiters.slice(0, 3))
    expect(woken).toEqual([0, 1, 2])
    await other.run(() => expect([other.notifyAll(), other.notifyAll()]).toEqual([2, 0]))
    await Promise.all(waiters)
  })

  test('waiters in other processes, asleep in an event loop or blocked', async () => {
    const fresh = name()
    const changed = keep(Condition.create(fresh))
    const [one, two] = await Promise.all([Remote.open('Condition', fresh), Remote.open('Condition', fresh)])
    await one.call('acquire')
    const waits = [one.call('wait')]
    await until(() => changed.stat().waiters === 1)
    await two.call('acquire')
    waits.push(two.call('waitSync', { timeoutMs: 20_000 }))
    await until(() => changed.stat().waiters === 2)
    await changed.run(() => expect(changed.notifyAll()).toBe(2))
    // Which of them has the lock first is open.
    await Promise.all([one, two].map((each, at) => waits[at]?.then(() => each.call('release'))))
    expect(isFree(changed)).toBe(true)
  })

  test('a wait that ends has the lock again: a timeout, a signal, while blocked', async () => {
    const [changed, other] = twoConditions()
    await changed.acquire()
    await expect(changed.wait({ timeoutMs: 20 })).rejects.toThrow(TimeoutError)
    expect([changed.locked, other.tryAcquire()]).toEqual([true, undefined])
    const reason = new Error('enough')
    await expect(changed.wait({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const waiting = expect(changed.wait({ signal: controller.signal })).rejects.toBe(reason)
    controller.abort(reason)
    await waiting
    expect(() => changed.waitSync({ timeoutMs: 20 })).toThrow(TimeoutError)
    expect(other.tryAcquire()).toBeUndefined()
    changed.release()
    expect(isFree(other)).toBe(true)
    expect(changed.stat().waiters).toBe(0)
  })

  test('waitFor looks at once, after each notice, and once more when the time is up', async () => {
    const [changed, other] = twoConditions()
    await changed.acquire()
    expect(await changed.waitFor(() => 'there')).toBe('there')
    let value = 0
    const waiting = changed.waitFor(async () => value > 1 && `got ${value}`, { timeoutMs: 20_000 })
    for (const next of [1, 2]) {
      await until(() => changed.stat().waiters === 1)
      await other.run(() => {
        value = next
        other.notifyAll()
      })
    }
    expect(await waiting).toBe('got 2')
    await expect(changed.waitFor(() => false, { timeoutMs: 20 })).rejects.toThrow(TimeoutError)
    let looks = 0
    expect(await changed.waitFor(() => ++looks > 1, { timeoutMs: 20 })).toBe(true)
    expect(() => changed.waitForSync(() => 0, { timeoutMs: 20 })).toThrow(TimeoutError)
    expect(changed.waitForSync(() => 7)).toBe(7)
    await expect(
      changed.waitFor(() => {
        throw new Error('broken')
      }),
    ).rejects.toThrow('broken')
    expect(changed.locked).toBe(true)
  })

  test('without the lock there is neither waiting nor notifying', async () => {
    const [changed, other] = twoConditions()
    const calls = [
      () => changed.wait(),
      () => changed.waitSync(),
      () => changed.waitFor(() => true),
      () => changed.waitForSync(() => true),
      () => changed.notify(),
      () => changed.notifyAll(),
      () => changed.release(),
    ]
    for (const call of calls) expect(await codeOf(call)).toBe('ERR_IPC_NOT_HELD')
    using _theirs = other.acquireSync()
    for (const call of calls) expect(await codeOf(call)).toBe('ERR_IPC_NOT_HELD')
  })

  test('a guard is not there to be released while its holder waits', async () => {
    const [changed, other] = twoConditions()
    const guard = await changed.acquire()
    const waiting = changed.wait()
    expect(() => guard.release()).toThrow(NotHeldError)
    await other.run(() => other.notify())
    await waiting
    guard.release()
    expect(guard.released).toBe(true)
  })

  test('several conditions of one lock', async () => {
    const lock = keep(Lock.create(name()))
    const notEmpty = keep(Condition.create(name(), { lock }))
    const notFull = keep(Condition.create(name(), { lock }))
    const items: number[] = []
    const got: number[] = []
    const produce = async () => {
      for (let item = 0; item < 20; item++) {
        await lock.run(async () => {
          await notFull.waitFor(() => items.length < 2)
          items.push(item)
          notEmpty.notify()
        })
      }
    }
    const consume = async () => {
      while (got.length < 20) {
        await notEmpty.run(async () => {
          await notEmpty.waitFor(() => items.length > 0)
          got.push(items.shift() as number)
          notFull.notify()
        })
      }
    }
    await Promise.all([produce(), consume()])
    expect(got).toEqual(Array.from({ length: 20 }, (_, at) => at))
    expect(lock.locked).toBe(false)
  })

  test('with an RLock it releases all that is held, and has all of it again', async () => {
    const lock = keep(RLock.create(name()))
    const changed = keep(Condition.create(name(), { lock }))
    const guards = [await lock.acquire(), await changed.acquire(), lock.acquireSync()]
    const waiting = changed.wait()
    await until(() => changed.stat().waiters === 1)
    expect(lock.locked).toBe(false)
    const remote = await Remote.open('RLock', lock.name)
    const theirs = (await remote.call('acquire')) as number
    await remote.agent.call(theirs, 'release')
    await lock.run(() => changed.notify())
    await waiting
    expect(lock.stat().depth).toBe(3)
    for (const guard of guards) guard.release()
    expect(lock.locked).toBe(false)
  })

  test('closing and removing end waits', async () => {
    const [changed, other] = twoConditions()
    const guard = await changed.acquire()
    const closing = expect(changed.wait()).rejects.toThrow(ClosedError)
    await changed.close()
    await closing
    expect(guard.released).toBe(true)
    await other.acquire()
    const removing = expect(other.wait()).rejects.toThrow(RemovedError)
    Condition.unlink(other.name)
    await removing
  })
})

describe('Barrier', () => {
  test('lets all go on when the last has come, each with a place of its own, round after round', async () => {
    const fresh = name()
    const barrier = keep(Barrier.create(fresh, { parties: 3 }))
    expect(barrier.parties).toBe(3)
    const remote = await Remote.open('Barrier', fresh)
    for (let round = 0; round < 5; round++) {
      const waits = [barrier.wait(), remote.call(round % 2 ? 'wait' : 'waitSync') as Promise<number>]
      await until(() => barrier.nWaiting === 2)
      expect(await isPending(waits[0] as Promise<number>)).toBe(true)
      waits.push(barrier.wait())
      expect((await Promise.all(waits)).sort()).toEqual([0, 1, 2])
    }
    expect([barrier.broken, barrier.nWaiting]).toEqual([false, 0])
  })

  test('a party alone goes on at once', async () => {
    const barrier = keep(Barrier.create(name(), { parties: 1 }))
    expect([await barrier.wait(), barrier.waitSync(), await barrier.wait()]).toEqual([0, 0, 0])
  })

  test('the action runs once, before anybody goes on', async () => {
    const fresh = name()
    const calls: string[] = []
    const action = async () => {
      await sleep(30)
      calls.push('action')
    }
    const barrier = keep(Barrier.create(fresh, { parties: 2, action }))
    const other = keep(Barrier.open(fresh, { action }))
    const pass = async (it: Barrier) => {
      await it.wait()
      calls.push('passed')
    }
    await Promise.all([pass(barrier), pass(other)])
    expect(calls).toEqual(['action', 'passed', 'passed'])
  })

  test('an action that fails breaks it, and its caller gets the error', async () => {
    const fresh = name()
    const action = () => {
      throw new Error('broken action')
    }
    const barrier = keep(Barrier.create(fresh, { parties: 2, action }))
    const failing = expect(barrier.wait()).rejects.toThrow(BrokenBarrierError)
    await until(() => barrier.nWaiting === 1)
    expect(() => barrier.waitSync()).toThrow('broken action')
    await failing
    expect(barrier.broken).toBe(true)
    barrier.reset()
    const again = expect(barrier.wait()).rejects.toThrow(BrokenBarrierError)
    await expect(barrier.wait()).rejects.toThrow('broken action')
    await again
  })

  test('an action that returns a promise is refused where the thread is blocked', async () => {
    const barrier = keep(Barrier.create(name(), { parties: 1, action: async () => {} }))
    expect(() => barrier.waitSync()).toThrow(TypeError)
    expect(barrier.broken).toBe(true)
  })

  test('whoever gives up breaks it for the others: a timeout, a signal, close, a blocking timeout', async () => {
    const ways: Array<(it: Barrier) => unknown> = [
      (it) => it.wait({ timeoutMs: 20 }),
      (it) => it.wait({ signal: AbortSignal.timeout(20) }),
      (it) => it.waitSync({ timeoutMs: 20 }),
      async (it) => {
        const waiting = it.wait()
        await sleep(10)
        await it.close()
        await waiting
      },
    ]
    for (const giveUp of ways) {
      const fresh = name()
      const [barrier, other] = [keep(Barrier.create(fresh, { parties: 3 })), keep(Barrier.open(fresh))]
      const waiting = expect(barrier.wait()).rejects.toThrow(BrokenBarrierError)
      expect(await codeOf(() => giveUp(other))).not.toBe('ok')
      await waiting
      expect(barrier.broken).toBe(true)
      await expect(barrier.wait()).rejects.toThrow(BrokenBarrierError)
    }
  })

  test('a handle has a default timeout, which a call may change', async () => {
    const fresh = name()
    keep(Barrier.create(fresh, { parties: 2 }))
    const barrier = keep(Barrier.open(fresh, { timeoutMs: 20 }))
    await expect(barrier.wait()).rejects.toThrow(TimeoutError)
    barrier.reset()
    expect(() => barrier.waitSync()).toThrow(TimeoutError)
    barrier.reset()
    const waiting = barrier.wait({ timeoutMs: 20_000 })
    await sleep(50)
    await Promise.all([waiting, barrier.wait()])
  })

  test('abort and reset free those who wait, and only reset makes it whole', async () => {
    const barrier = keep(Barrier.create(name(), { parties: 2 }))
    for (const free of ['abort', 'reset'] as const) {
      const waiting = expect(barrier.wait()).rejects.toThrow(BrokenBarrierError)
      await until(() => barrier.nWaiting === 1)
      barrier[free]()
      await waiting
      expect(barrier.broken).toBe(free === 'abort')
      barrier.reset()
    }
    expect((await Promise.all([barrier.wait(), barrier.wait()])).sort()).toEqual([0, 1])
  })
})
