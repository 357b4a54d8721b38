/** A holder that dies, is stopped, or whose thread ends: nobody waits for ever, and whoever comes next is told. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { i32, TimeoutError } from 'ipckit'
import {
  Barrier,
  BrokenBarrierError,
  Condition,
  Event,
  Lock,
  OwnerDiedError,
  RLock,
  RWLock,
  Semaphore,
  Value,
} from 'ipckit/sync'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { until } from '../helpers/waiting.ts'
import { boundMs, isFree, keep, name, Remote, soon } from './support.ts'

endAgents()

/** Every kind that one holds and keeps others out: made here, and held by another process. */
const kinds = {
  Lock: (fresh: string) => keep(Lock.create(fresh)),
  RLock: (fresh: string) => keep(RLock.create(fresh)),
  RWLock: (fresh: string) => keep(RWLock.create(fresh)),
  Condition: (fresh: string) => keep(Condition.create(fresh)),
  Value: (fresh: string) => keep(Value.create(fresh, i32, 1)).getLock(),
} as const

const lockKinds = Object.keys(kinds) as Array<keyof typeof kinds>

/** Another process that holds it. */
async function heldBy(kind: keyof typeof kinds, fresh: string): Promise<Remote> {
  if (kind !== 'Value') {
    const remote = await Remote.open(kind, fresh)
    await remote.call('acquire')
    return remote
  }
  // Types cannot be sent: a program of its own opens the value.
  const agent = await Agent.start()
  const remote = await Remote.in(agent, 'AnyValue', fresh)
  await remote.call('acquire')
  return remote
}

describe.each(lockKinds)('%s', (kind) => {
  test('whoever waits when the holder is killed gets it, and is told who died', async () => {
    const fresh = name()
    const lock = kinds[kind](fresh)
    const holder = await heldBy(kind, fresh)
    const waiting = lock.acquire()
    await until(() => lock.stat().waiters === 1)
    holder.kill()
    const guard = await soon(waiting)
    expect(guard.ownerDied).toEqual({ pid: holder.pid, name: 'node' })
    guard.release()
    const next = await lock.acquire()
    expect(next.ownerDied).toBeUndefined()
  })

  test('whoever blocks a thread when the holder is killed gets it, and is told who died', async () => {
    const fresh = name()
    const lock = kinds[kind](fresh)
    const holder = await heldBy(kind, fresh)
    // Whoever looked for the dead a moment ago does not look again at once.
    expect(isFree(lock)).toBe(false)
    holder.kill()
    const guard = lock.acquireSync({ timeoutMs: boundMs })
    expect(guard.ownerDied).toEqual({ pid: holder.pid, name: 'node' })
    guard.release()
  })

  test('whoever comes later is told as well, by each way of acquiring', async () => {
    const fresh = name()
    const lock = kinds[kind](fresh)
    const ways = [
      async () => lock.acquire(),
      async () => lock.acquireSync({ timeoutMs: 10_000 }),
      async () => {
        let guard = lock.tryAcquire()
        for (; guard === undefined; guard = lock.tryAcquire()) await sleep(1)
        return guard
      },
    ]
    for (const acquire of ways) {
      const holder = await heldBy(kind, fresh)
      await holder.agent.end()
      const guard = await soon(acquire())
      expect(guard.ownerDied?.pid).toBe(holder.pid)
      guard.release()
    }
  })

  test('`strict` throws instead, and the lock is free then', async () => {
    const fresh = name()
    const lock = kinds[kind](fresh)
    for (const sync of [false, true]) {
      const holder = await heldBy(kind, fresh)
      await holder.agent.end()
      const failing = sync
        ? (async () => lock.acquireSync({ strict: true, timeoutMs: 10_000 }))()
        : lock.acquire({ strict: true })
      const error = await failing.then(
        () => undefined,
        (reason: OwnerDiedError) => reason,
      )
      expect(error).toBeInstanceOf(OwnerDiedError)
      expect(error).toMatchObject({ code: 'ERR_IPC_OWNER_DIED', pid: holder.pid, participant: 'node' })
      const guard = lock.tryAcquire()
      expect([guard?.released, guard?.ownerDied]).toEqual([false, undefined])
      guard?.release()
    }
  })

  test('process.exit() while holding is a death; a clean close is none', async () => {
    const fresh = name()
    const lock = kinds[kind](fresh)
    const leaver = await heldBy(kind, fresh)
    leaver.agent.call('process', 'exit', 0).catch(() => {})
    const guard = await soon(lock.acquire())
    expect(guard.ownerDied?.pid).toBe(leaver.pid)
    guard.release()
    const closer = await heldBy(kind, fresh)
    const waiting = lock.acquire()
    await closer.call('close')
    expect((await soon(waiting)).ownerDied).toBeUndefined()
  })

  test('nothing is stolen from a holder that is stopped', async () => {
    const fresh = name()
    const lock = kinds[kind](fresh)
    const holder = await heldBy(kind, fresh)
    holder.kill('SIGSTOP')
    onTestFinished(() => holder.kill('SIGCONT'))
    expect(lock.tryAcquire()).toBeUndefined()
    await expect(lock.acquire({ timeoutMs: 400 })).rejects.toThrow(TimeoutError)
    expect(() => lock.acquireSync({ timeoutMs: 100 })).toThrow(TimeoutError)
    const waiting = lock.acquire()
    holder.kill('SIGCONT')
    await holder.call('close')
    expect((await soon(waiting)).ownerDied).toBeUndefined()
  })

  test('a waiter that is killed keeps nobody from it', async () => {
    const fresh = name()
    const lock = kinds[kind](fresh)
    const guard = await lock.acquire()
    const dying = await Promise.all(
      [0, 1, 2].map(() => Remote.open(kind === 'Value' ? 'AnyValue' : kind, fresh)),
    )
    for (const each of dying) each.call('acquire').catch(() => {})
    await until(() => lock.stat().waiters === 3)
    const living = await Remote.open(kind === 'Value' ? 'AnyValue' : kind, fresh)
    const waiting = living.call('acquire')
    await until(() => lock.stat().waiters === 4)
    await Promise.all(dying.map((each) => each.agent.end()))
    guard.release()
    await soon(waiting)
  })

  test('a worker thread that is terminated while it holds died for all others', async () => {
    const fresh = name()
    const lock = kinds[kind](fresh)
    for (let round = 0; round < 3; round++) {
      const worker = new Worker(
        `const { workerData: { kind, fresh }, parentPort } = require('node:worker_threads')
         Promise.all([import('ipckit/sync'), import('ipckit')]).then(async ([sync, { i32 }]) => {
           const lock = kind === 'Value' ? sync.Value.open(fresh, i32).getLock() : sync[kind].open(fresh)
           await lock.acquire()
           parentPort.postMessage('held')
           setInterval(() => {}, 1000)
         })`,
        { eval: true, workerData: { kind, fresh } },
      )
      await new Promise((resolve) => worker.once('message', resolve))
      expect(lock.tryAcquire()).toBeUndefined()
      const waiting = lock.acquire()
      await worker.terminate()
      const guard = await soon(waiting)
      expect(guard.ownerDied?.pid).toBe(process.pid)
      guard.release()
    }
  })
})

describe('RWLock', () => {
  test('a reader that is killed keeps out no thread that is blocked', async () => {
    const fresh = name()
    const lock = keep(RWLock.create(fresh))
    const reader = await Remote.open('RWLock', fresh)
    await reader.call('acquireShared')
    expect(isFree(lock)).toBe(false)
    reader.kill()
    lock.acquireSync({ timeoutMs: boundMs }).release()
  })

  test('a reader that is killed keeps no writer out, and its death is told to nobody', async () => {
    const fresh = name()
    const lock = keep(RWLock.create(fresh))
    const reader = await Remote.open('RWLock', fresh)
    await reader.call('acquireShared')
    expect(lock.tryAcquire()).toBeUndefined()
    const waiting = lock.acquire()
    reader.kill()
    expect((await soon(waiting)).ownerDied).toBeUndefined()
  })

  test('a reader is told that the last writer died', async () => {
    const fresh = name()
    const lock = keep(RWLock.create(fresh))
    const writer = await heldBy('RWLock', fresh)
    const waiting = lock.acquireShared()
    writer.kill()
    expect((await soon(waiting)).ownerDied?.pid).toBe(writer.pid)
  })
})

describe('Semaphore', () => {
  test('permits of a process that is killed reach a thread that is blocked', async () => {
    const fresh = name()
    const semaphore = keep(Semaphore.create(fresh, { value: 1 }))
    const holder = await Remote.open('Semaphore', fresh)
    await holder.call('acquire')
    expect(semaphore.tryAcquire()).toBeUndefined()
    holder.kill()
    semaphore.acquireSync({ timeoutMs: boundMs }).release()
  })

  test('permits of a process that is killed come back, those of one that lives stay', async () => {
    const fresh = name()
    const slots = keep(Semaphore.create(fresh, { value: 5 }))
    const one = await Remote.open('Semaphore', fresh)
    const other = await Remote.open('Semaphore', fresh)
    await one.call('acquire', { permits: 2 })
    await one.call('acquire')
    await other.call('acquire')
    expect(slots.value).toBe(1)
    const waiting = slots.acquire({ permits: 4 })
    one.kill()
    const permit = await soon(waiting)
    expect(slots.value).toBe(0)
    permit.release()
    expect(slots.value).toBe(4)
  })

  test('they are back in `value` although nobody asks for them', async () => {
    const fresh = name()
    const slots = keep(Semaphore.create(fresh, { value: 2 }))
    const holder = await Remote.open('Semaphore', fresh)
    await holder.call('acquire', { permits: 2 })
    expect(slots.value).toBe(0)
    await holder.agent.end()
    expect(slots.value).toBe(2)
  })

  test('permits of a worker thread that is terminated come back', async () => {
    const fresh = name()
    const slots = keep(Semaphore.create(fresh, { value: 2 }))
    const worker = new Worker(
      `const { workerData: fresh, parentPort } = require('node:worker_threads')
       import('ipckit/sync').then(async ({ Semaphore }) => {
         await Semaphore.open(fresh).acquire({ permits: 2 })
         parentPort.postMessage('held')
         setInterval(() => {}, 1000)
       })`,
      { eval: true, workerData: fresh },
    )
    await new Promise((resolve) => worker.once('message', resolve))
    expect(slots.value).toBe(0)
    const waiting = slots.acquire({ permits: 2 })
    await worker.terminate()
    await soon(waiting)
  })
})

describe('Condition', () => {
  test('a waiter that was notified and is killed has swallowed nothing', async () => {
    const fresh = name()
    const changed = keep(Condition.create(fresh))
    const dying = await Remote.open('Condition', fresh)
    await dying.call('acquire')
    dying.call('wait').catch(() => {})
    await until(() => !changed.locked)
    const living = await Remote.open('Condition', fresh)
    await living.call('acquire')
    const waiting = living.call('wait')
    await until(() => !changed.locked && changed.stat().waiters === 2)
    // Stopped, so that it is notified and can take no notice.
    dying.kill('SIGSTOP')
    await changed.run(() => expect(changed.notify()).toBe(1))
    dying.kill('SIGKILL')
    await soon(waiting)
  })

  test('a holder that is killed while others wait for the condition is told to who holds it again', async () => {
    const fresh = name()
    const changed = keep(Condition.create(fresh))
    const guard = await changed.acquire()
    const waiting = changed.wait({ timeoutMs: 10_000 })
    const holder = await Remote.open('Condition', fresh)
    await holder.call('acquire')
    await holder.call('notify')
    holder.kill()
    await soon(waiting)
    expect(guard.ownerDied?.pid).toBe(holder.pid)
    guard.release()
  })
})

describe('Barrier', () => {
  test('breaks for a thread that is blocked when a party dies', async () => {
    const fresh = name()
    const barrier = keep(Barrier.create(fresh, { parties: 3 }))
    const party = await Remote.open('Barrier', fresh)
    void party.call('wait').catch(() => undefined)
    await until(() => barrier.nWaiting === 1)
    party.kill()
    expect(() => barrier.waitSync({ timeoutMs: boundMs })).toThrow(BrokenBarrierError)
  })

  test('breaks for all when a party dies, waiting or not, and can be made whole', async () => {
    for (const waits of [true, false]) {
      const fresh = name()
      const barrier = keep(Barrier.create(fresh, { parties: 3 }))
      const party = await Remote.open('Barrier', fresh)
      const mine = barrier.wait().then(
        () => undefined,
        (error) => error,
      )
      if (waits) party.call('wait').catch(() => {})
      await until(() => barrier.nWaiting === (waits ? 2 : 1))
      party.kill()
      expect(await soon(mine)).toBeInstanceOf(BrokenBarrierError)
      expect(barrier.broken).toBe(true)
      barrier.reset()
      expect([barrier.broken, barrier.nWaiting]).toEqual([false, 0])
    }
  })

  test('a party that closes it without waiting breaks nothing', async () => {
    const fresh = name()
    const barrier = keep(Barrier.create(fresh, { parties: 2 }))
    const leaver = await Remote.open('Barrier', fresh)
    const other = await Remote.open('Barrier', fresh)
    const mine = barrier.wait()
    await until(() => barrier.nWaiting === 1)
    await leaver.call('close')
    await sleep(300)
    expect(barrier.broken).toBe(false)
    const places = await Promise.all([mine, other.call('wait')])
    expect(places.sort()).toEqual([0, 1])
  })
})

test('stat and `broken` tell of a death that nobody has met yet', async () => {
  const [one, two] = [name(), name()]
  const lock = keep(Lock.create(one))
  const barrier = keep(Barrier.create(two, { parties: 2 }))
  const agent = await Agent.start()
  const holder = await Remote.in(agent, 'Lock', one)
  await Remote.in(agent, 'Barrier', two)
  await holder.call('acquire')
  await agent.end()
  expect([lock.locked, lock.stat().ownerDied, barrier.broken]).toEqual([false, true, true])
  const guard = lock.acquireSync()
  expect(guard.ownerDied?.pid).toBe(holder.pid)
})

test('Event: waiters that are killed keep nobody from being woken, and set waits for none of them', async () => {
  const fresh = name()
  const event = keep(Event.create(fresh))
  const dying = await Promise.all([0, 1].map(() => Remote.open('Event', fresh)))
  for (const each of dying) each.call('wait').catch(() => {})
  const stopped = await Remote.open('Event', fresh)
  const theirs = stopped.call('wait')
  await until(() => event.stat().waiters === 3)
  stopped.kill('SIGSTOP')
  onTestFinished(() => stopped.kill('SIGCONT'))
  await Promise.all(dying.map((each) => each.agent.end()))
  const mine = event.wait()
  event.set()
  await soon(mine)
  event.clear()
  stopped.kill('SIGCONT')
  await soon(theirs)
})

test('a lock is free at once when its holder, a handle that nobody holds, is closed by its environment', async () => {
  const fresh = name()
  const lock = keep(Lock.create(fresh))
  const worker = new Worker(
    `const { workerData: fresh } = require('node:worker_threads')
     import('ipckit/sync').then(({ Lock }) => { Lock.open(fresh).acquireSync().release() })`,
    { eval: true, workerData: fresh },
  )
  await new Promise((resolve) => worker.once('exit', resolve))
  expect(isFree(lock)).toBe(true)
  expect(lock.stat().participants).toHaveLength(1)
})
