/** Lock: one at a time holds it, in whatever handle, call or process. */
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClosedError, RemovedError, TimeoutError } from 'ipckit'
import { Guard, Lock, NotHeldError } from 'ipckit/sync'
import { describe, expect, test } from 'vitest'
import { endAgents } from '../helpers/agent.ts'
import { isPending, until } from '../helpers/waiting.ts'
import { fileOf, isFree, keep, name, Remote } from './support.ts'

endAgents()

function two(): [Lock, Lock] {
  const fresh = name()
  return [keep(Lock.create(fresh)), keep(Lock.open(fresh))]
}

describe('acquire and release', () => {
  test('a lock that is held is given to nobody, also not to its holder', async () => {
    const [lock, other] = two()
    const guard = await lock.acquire()
    expect(guard).toBeInstanceOf(Guard)
    expect([lock.tryAcquire(), other.tryAcquire(), lock.locked, other.locked]).toEqual([
      undefined,
      undefined,
      true,
      true,
    ])
    guard.release()
    expect([guard.released, lock.locked, isFree(other)]).toEqual([true, false, true])
  })

  test('releasing a guard twice is silent, and releases nothing of others', async () => {
    const [lock, other] = two()
    const guard = await lock.acquire()
    guard.release()
    const theirs = await other.acquire()
    guard.release()
    expect(other.locked).toBe(true)
    theirs.release()
  })

  test('a guard ends with its block, however that ends', async () => {
    const [lock] = two()
    const work = async () => {
      await using _guard = await lock.acquire()
      expect(lock.locked).toBe(true)
      throw new Error('broken')
    }
    await expect(work()).rejects.toThrow('broken')
    {
      using _guard = lock.acquireSync()
      expect(lock.locked).toBe(true)
    }
    expect(lock.locked).toBe(false)
  })

  test('release() of the lock releases what was acquired last', async () => {
    const [lock] = two()
    const guard = await lock.acquire()
    lock.release()
    expect([guard.released, lock.locked]).toEqual([true, false])
  })

  test('run gives what the function gives, and releases when it throws', async () => {
    const [lock] = two()
    expect(await lock.run(() => 1)).toBe(1)
    expect(await lock.run(async (guard) => [guard.released, lock.locked])).toEqual([false, true])
    await expect(
      lock.run(() => {
        throw new Error('broken')
      }),
    ).rejects.toThrow('broken')
    expect(lock.locked).toBe(false)
  })

  test('calls of one handle are served in their order', async () => {
    const [lock] = two()
    const order: number[] = []
    const holder = await lock.acquire()
    const waits = Array.from({ length: 20 }, async (_, at) => {
      const guard = await lock.acquire()
      order.push(at)
      guard.release()
    })
    holder.release()
    await Promise.all(waits)
    expect(order).toEqual(Array.from({ length: 20 }, (_, at) => at))
  })

  test('two handles, a hundred calls: never two at a time', async () => {
    const handles = two()
    let inside = 0
    await Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        (handles[at % 2] as Lock).run(async () => {
          expect(++inside).toBe(1)
          await new Promise(setImmediate)
          inside--
        }),
      ),
    )
  })

  test('two processes exclude each other, and the one that waits gets it', async () => {
    const fresh = name()
    const lock = keep(Lock.create(fresh))
    const remote = await Remote.open('Lock', fresh)
    const theirs = await remote.call('acquire')
    expect(lock.tryAcquire()).toBeUndefined()
    const waiting = lock.acquire()
    expect(await isPending(waiting)).toBe(true)
    await remote.agent.call(theirs as number, 'release')
    const guard = await waiting
    expect(guard.ownerDied).toBeUndefined()
    expect(await remote.call('tryAcquire')).toBeUndefined()
    const blocked = remote.call('acquireSync', { timeoutMs: 10_000 })
    await sleep(50)
    guard.release()
    await blocked
    expect(lock.locked).toBe(true)
  })
})

describe('a wait that ends', () => {
  test('a timeout, a signal and a blocking timeout leave nothing acquired', async () => {
    const [lock, other] = two()
    const guard = await lock.acquire()
    await expect(other.acquire({ timeoutMs: 20 })).rejects.toThrow(TimeoutError)
    await expect(lock.acquire({ timeoutMs: 0 })).rejects.toThrow(TimeoutError)
    expect(() => other.acquireSync({ timeoutMs: 20 })).toThrow(TimeoutError)
    expect(() => lock.acquireSync({ timeoutMs: 20 })).toThrow(TimeoutError)
    const reason = new Error('enough')
    await expect(other.acquire({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const waiting = other.acquire({ signal: controller.signal })
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    guard.release()
    expect(isFree(lock)).toBe(true)
    await until(() => lock.stat().waiters === 0)
  })

  test('of many who wait those go on who do not give up', async () => {
    const [lock, other] = two()
    const guard = await lock.acquire()
    const results = Array.from({ length: 30 }, async (_, at) => {
      const options = at % 3 === 0 ? { timeoutMs: 30 } : {}
      const mine = await (at % 2 ? lock : other).acquire(options)
      mine.release()
      return at
    })
    const settled = Promise.allSettled(results)
    await sleep(100)
    guard.release()
    expect((await settled).map(({ status }) => status)).toEqual(
      Array.from({ length: 30 }, (_, at) => (at % 3 === 0 ? 'rejected' : 'fulfilled')),
    )
    expect(isFree(lock)).toBe(true)
  })

  test('blocking for what this very handle holds is an error, not a wait without end', async () => {
    const [lock] = two()
    using _guard = lock.acquireSync()
    expect(() => lock.acquireSync()).toThrow(expect.objectContaining({ code: 'EDEADLK' }))
  })
})

describe('what is not held', () => {
  test('cannot be released: never acquired, twice, or by another handle or process', async () => {
    const [lock, other] = two()
    expect(() => lock.release()).toThrow(NotHeldError)
    lock.acquireSync()
    expect(() => other.release()).toThrow(expect.objectContaining({ code: 'ERR_IPC_NOT_HELD' }))
    const remote = await Remote.open('Lock', lock.name)
    await expect(remote.call('release')).rejects.toMatchObject({ code: 'ERR_IPC_NOT_HELD' })
    expect(lock.locked).toBe(true)
    lock.release()
    expect(() => lock.release()).toThrow(NotHeldError)
  })
})

describe('closing', () => {
  test('ends waits with ClosedError, and releases what the handle held', async () => {
    const [lock, other] = two()
    const guard = await lock.acquire()
    const waiting = expect(lock.acquire()).rejects.toThrow(ClosedError)
    const theirs = other.acquire()
    await lock.close()
    await waiting
    expect((await theirs).ownerDied).toBeUndefined()
    expect(guard.released).toBe(true)
    guard.release()
    expect(other.locked).toBe(true)
    await expect(lock.acquire()).rejects.toThrow(ClosedError)
    expect(() => lock.tryAcquire()).toThrow(ClosedError)
    await lock.close()
  })

  test('`using` closes the handle', async () => {
    const fresh = name()
    let seen: Lock
    {
      await using lock = Lock.create(fresh)
      seen = lock
    }
    expect(seen.closed).toBe(true)
    {
      using lock = Lock.open(fresh)
      seen = lock
    }
    expect(seen.closed).toBe(true)
  })
})

describe('removing', () => {
  test('ends waits, and what nobody finds any more is not acquired', async () => {
    const [lock, other] = two()
    const guard = await lock.acquire()
    const waiting = other.acquire()
    lock.unlink()
    await expect(waiting).rejects.toThrow(RemovedError)
    guard.release()
    await sleep(300)
    await expect(lock.acquire()).rejects.toThrow(RemovedError)
    expect(() => lock.tryAcquire()).toThrow(RemovedError)
    expect(() => lock.acquireSync()).toThrow(RemovedError)
    expect(lock.stat().unlinked).toBe(true)
    const anew = keep(Lock.create(lock.name))
    expect(isFree(anew)).toBe(true)
  })

  test('a holder hears that its lock was lost, and may release it all the same', async () => {
    const [lock, other] = two()
    const lost: Error[] = []
    const guard = await lock.acquire({ onLost: (reason) => lost.push(reason) })
    await sleep(250)
    expect([lost, guard.lost.aborted]).toEqual([[], false])
    other.unlink()
    await until(() => guard.lost.aborted)
    expect(guard.lost.reason).toBeInstanceOf(RemovedError)
    expect(lost).toEqual([guard.lost.reason])
    guard.release()
    expect(guard.released).toBe(true)
  })

  test('a file that is deleted under it is told as well', async () => {
    const [lock] = two()
    const guard = await lock.acquire()
    const { lost } = guard
    rmSync(fileOf(lock.name))
    await until(() => lost.aborted)
    guard.release()
  })

  test('who watches a lock that was released hears nothing', async () => {
    const [lock] = two()
    const guard = await lock.acquire()
    const { lost } = guard
    guard.release()
    lock.unlink()
    await sleep(250)
    expect(lost.aborted).toBe(false)
  })
})

describe('stat', () => {
  test('tells who holds it since when, who waits, and who has it open', async () => {
    const fresh = name()
    const lock = keep(Lock.create(fresh, { mode: 0o640, participants: 8 }))
    expect(lock.stat()).toMatchObject({
      address: `shm:${fresh}`,
      kind: 'Lock',
      holder: undefined,
      waiters: 0,
      ownerDied: false,
      uid: process.getuid?.(),
      mode: 0o640,
      unlinked: false,
      maxParticipants: 8,
    })
    const before = Date.now() - 100
    const guard = await lock.acquire()
    const remote = await Remote.open('Lock', fresh)
    const waiting = remote.call('acquire')
    await until(() => lock.stat().waiters === 1)
    const { holder, participants, created } = lock.stat()
    expect(holder).toMatchObject({ pid: process.pid, name: 'node', alive: true })
    expect(holder?.since.getTime()).toBeGreaterThan(before)
    expect(created.getTime()).toBeLessThanOrEqual(Date.now())
    expect(participants.map(({ pid, holds, waiting, self }) => ({ pid, holds, waiting, self }))).toEqual([
      { pid: process.pid, holds: 1, waiting: false, self: true },
      { pid: remote.pid, holds: 0, waiting: true, self: false },
    ])
    guard.release()
    await waiting
    expect(lock.stat().holder?.pid).toBe(remote.pid)
  })
})
