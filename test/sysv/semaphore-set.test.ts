/**
 * semop(2) and semtimedop(2): semop01 to 05 of the Linux Test Project, SEM_UNDO, and what our waits promise.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { type SemaphoreOperation, SemaphoreSet } from 'ipckit/sysv'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { settledCounts, threads } from '../helpers/counts.ts'
import { isPending, until } from '../helpers/waiting.ts'
import { Sets } from './semaphore-support.ts'

const sets = new Sets()
endAgents()

const code = (wanted: string, message = /./) =>
  expect.objectContaining({ code: wanted, message: expect.stringMatching(message) })
const timeout = expect.objectContaining({ name: 'TimeoutError', code: 'ERR_IPC_TIMEOUT' })
const removed = expect.objectContaining({ name: 'RemovedError', code: 'EIDRM' })

async function startAgent(set: SemaphoreSet): Promise<{ agent: Agent; theirs: number }> {
  const agent = await Agent.start()
  return { agent, theirs: await agent.open('sysv.SemaphoreSet', 'open', { id: set.stat().id }) }
}

const take = (semaphore: number, undo = false): SemaphoreOperation => ({ semaphore, by: -1, undo })
const give = (semaphore: number): SemaphoreOperation => ({ semaphore, by: 1 })

describe('semop', () => {
  test('semop01: several operations are done at once, in order', async () => {
    const set = sets.create([0, 5, 0])
    await set.operate([
      { semaphore: 0, by: 4 },
      { semaphore: 1, by: -5 },
      { semaphore: 2, by: 0 },
    ])
    expect(set.values()).toEqual([4, 0, 0])
    // Up and down again: each sees what the one before has done.
    expect(set.tryOperate([give(1), take(1)])).toBe(true)
    expect(set.tryOperate([take(1), give(1)])).toBe(false)
  })

  test('all are done or none', async () => {
    const set = sets.create([1, 0])
    expect(set.tryOperate([take(0), take(1)])).toBe(false)
    expect(() => set.operateSync([take(0), take(1)], { timeoutMs: 20 })).toThrow(timeout)
    await expect(set.operate([take(0), take(1)], { timeoutMs: 20 })).rejects.toEqual(timeout)
    expect(set.values()).toEqual([1, 0])
  })

  test('semop02: E2BIG, EFBIG and ERANGE tell what is too much', async () => {
    const set = sets.create([32_767, 0])
    const { operations } = SemaphoreSet.limits()
    const many = Array.from({ length: operations + 1 }, () => ({ semaphore: 1, by: 0 }))
    await expect(set.operate(many)).rejects.toEqual(code('E2BIG', /one call takes at most \d+/))
    expect(set.tryOperate(many.slice(1))).toBe(true)
    expect(() => set.tryOperate([take(7)])).toThrow(code('EFBIG', /no semaphore 7: the set has 2/))
    expect(() => set.operateSync([take(7)])).toThrow(code('EFBIG'))
    await expect(set.operate([give(0)])).rejects.toEqual(code('ERANGE', /32767/))
    expect(() => set.release()).toThrow(code('ERANGE'))
    expect(set.values()).toEqual([32_767, 0])
  })

  test.each([
    [undefined],
    [[]],
    [[{ semaphore: 0 }]],
    [[{ semaphore: -1, by: 1 }]],
    [[{ semaphore: 0, by: 32_768 }]],
    [[{ semaphore: 0, by: 0.5 }]],
    [[{ semaphore: 0, by: 1, undo: 1 }]],
    [[{ semaphore: 0, by: 1, nowait: true }]],
    [[null]],
  ])('operations such as %j are refused', async (operations) => {
    const set = sets.create([1])
    await expect(set.operate(operations as never)).rejects.toThrow(/Expected/)
    expect(() => set.tryOperate(operations as never)).toThrow(/Expected/)
    expect(() => set.operateSync(operations as never)).toThrow(/Expected/)
    expect(set.values()).toEqual([1])
  })

  test.each([{ semaphore: -1 }, { count: 0 }, { count: 32_768 }, { undo: 1 }, { n: 1 }])(
    'options of permits such as %j are refused',
    async (options) => {
      const set = sets.create([1])
      await expect(set.acquire(options as never)).rejects.toThrow(/Expected/)
      expect(() => set.tryAcquire(options as never)).toThrow(/Expected/)
      expect(() => set.acquireSync(options as never)).toThrow(/Expected/)
      expect(() => set.release(options as never)).toThrow(/Expected/)
      expect(set.values()).toEqual([1])
    },
  )

  test('semop03: EIDRM wakes all fifty who wait, in whatever process and way', async () => {
    const set = sets.create([0, 1])
    const { agent, theirs } = await startAgent(set)
    const others = Array.from({ length: 24 }, () => sets.again(set))
    const waits = [
      ...others.map((other) => other.acquire()),
      ...others.map((other) => other.operate([{ semaphore: 1, by: 0 }])),
      agent.call(theirs, 'acquire'),
      agent.call(theirs, 'operate', [{ semaphore: 0, by: -2 }]),
    ].map((wait) => expect(wait).rejects.toMatchObject({ name: 'RemovedError', code: 'EIDRM' }))
    // The agent's two stand in one line, of which the first waits in the kernel.
    await until(() => set.waiters(0).forMore === 25 && set.waiters(1).forZero === 24)
    set.unlink()
    await Promise.all(waits)
    expect(() => set.tryAcquire()).toThrow(removed)
    expect(() => set.acquireSync()).toThrow(removed)
    expect(() => set.value()).toThrow(removed)
    expect(() => set.stat()).toThrow(removed)
    expect(() => set.unlink()).toThrow(removed)
  })

  test('semop03: signals do not end an async wait', async () => {
    const set = sets.create([0])
    const { agent, theirs } = await startAgent(set)
    await agent.call('signals', 'handle', 'SIGUSR2')
    const waiting = agent.call(theirs, 'acquire', { undo: false })
    await until(() => set.waiters().forMore === 1)
    for (let round = 0; round < 200; round++) {
      agent.kill('SIGUSR2')
      if (round % 20 === 0) await sleep(1)
    }
    set.release()
    await waiting
    expect(set.value()).toBe(0)
  })

  test('semop04: two processes that take and give in turn never hold it both', async () => {
    const set = sets.create([1, 0])
    const { agent, theirs } = await startAgent(set)
    const rounds = 200
    const one = async (round: (operations: SemaphoreOperation[]) => Promise<unknown>) => {
      for (let at = 0; at < rounds; at++) {
        await round([take(0)])
        // Fails with EAGAIN, so without a permit, when the other is inside.
        await round([{ semaphore: 1, by: 0 }, give(1)])
        await round([take(1), give(0)])
      }
    }
    await Promise.all([
      one((operations) => set.operate(operations)),
      one((operations) => agent.call(theirs, 'operate', operations)),
    ])
    expect(set.values()).toEqual([1, 0])
  })
})

describe('SEM_UNDO', () => {
  test('what a killed process held is given back, and its waiter goes on', async () => {
    const set = sets.create([1])
    const { agent, theirs } = await startAgent(set)
    await agent.call(theirs, 'acquire')
    const waiting = set.acquire()
    expect(await isPending(waiting)).toBe(true)
    await agent.end()
    await waiting
    expect(set.value()).toBe(0)
  })

  test('without it the permit of a killed process stays taken', async () => {
    const set = sets.create([1])
    const { agent, theirs } = await startAgent(set)
    await agent.call(theirs, 'acquire', { undo: false })
    await agent.end()
    expect(set.value()).toBe(0)
  })

  test('semop05: what a waiting thread did is undone when the process ends, not when the thread does', async () => {
    const set = sets.create([0])
    const { agent, theirs } = await startAgent(set)
    const waiting = agent.call(theirs, 'acquire')
    await until(() => set.waiters().forMore === 1)
    set.release()
    await waiting
    // The thread that did it ends half a second after its wait.
    await sleep(900)
    expect(set.value()).toBe(0)
    await agent.end()
    expect(set.value()).toBe(1)
  })

  test('a permit that was released is not given back once more', async () => {
    const set = sets.create([1])
    const { agent, theirs } = await startAgent(set)
    for (let round = 0; round < 3; round++) {
      const permit = (await agent.call(theirs, 'acquire')) as number
      await agent.call(permit, 'release')
    }
    await agent.end()
    expect(set.value()).toBe(1)
  })

  test('a waiter that is killed gives back what it was given in that moment', async () => {
    const set = sets.create([0])
    for (let round = 0; round < 10; round++) {
      const { agent, theirs } = await startAgent(set)
      agent.call(theirs, 'acquire').catch(() => {})
      await until(() => set.waiters().forMore === 1)
      set.release()
      agent.kill('SIGKILL')
      await agent.end()
      expect(set.value()).toBe(1)
      set.tryAcquire({ undo: false })
    }
  })

  test('SETVAL makes the kernel forget what it was to undo', async () => {
    const set = sets.create([1])
    const { agent, theirs } = await startAgent(set)
    await agent.call(theirs, 'acquire')
    set.setValue(0, 5)
    await agent.end()
    expect(set.value()).toBe(5)
  })

  test('a hundred thousand permits of a long life pass no limit', () => {
    const set = sets.create([1])
    for (let round = 0; round < 100_000; round++) set.tryAcquire()?.release()
    expect(set.value()).toBe(1)
  })

  test('more than the kernel can undo fails with ERANGE', () => {
    const set = sets.create([0])
    set.release({ count: 32_767, undo: true })
    set.setValue(0, 0)
    set.release({ count: 32_767, undo: true })
    set.operateSync([{ semaphore: 0, by: -32_767 }])
    expect(() => set.release({ count: 32_767, undo: true })).toThrow(code('ERANGE'))
    set.setValue(0, 0)
  })
})

describe('permits', () => {
  test('of several semaphores and counts are given back as they were taken', async () => {
    const set = sets.create([1, 5])
    const permits = [await set.acquire(), set.tryAcquire({ semaphore: 1, count: 3 })]
    permits.push(set.acquireSync({ semaphore: 1, count: 2, undo: false }))
    expect(set.values()).toEqual([0, 0])
    for (const permit of permits) permit?.release()
    for (const permit of permits) permit?.release()
    expect(set.values()).toEqual([1, 5])
  })

  test('may be released after the handle was closed', async () => {
    const set = sets.create([1])
    const other = sets.again(set)
    const permit = await other.acquire()
    await other.close()
    permit.release()
    expect(set.value()).toBe(1)
  })

  test('of a set that was removed cannot be given back: RemovedError, once', async () => {
    const set = sets.create([1])
    const permit = await set.acquire()
    set.unlink()
    expect(() => permit.release()).toThrow(removed)
    permit.release()
  })
})

describe('waiting', () => {
  test('who takes from the same semaphore is served in order; others pass', async () => {
    const set = sets.create([0, 1, 0])
    const served: string[] = []
    const wait = async (name: string, operations: SemaphoreOperation[]) => {
      await set.operate(operations)
      served.push(name)
    }
    const waits = [
      wait('two of 0', [{ semaphore: 0, by: -2 }]),
      wait('one of 0', [take(0)]),
      wait('0 and 2', [take(0), take(2)]),
      wait('one of 2', [take(2)]),
      wait('one of 1', [take(1)]),
    ]
    await until(() => served.length === 1)
    const other = sets.again(set)
    other.release({ semaphore: 2 })
    other.release({ semaphore: 0 })
    await sleep(20)
    expect(served).toEqual(['one of 1'])
    other.release({ semaphore: 0 })
    await until(() => served.length === 2)
    other.release({ semaphore: 0, count: 2 })
    await until(() => served.length === 4)
    other.release({ semaphore: 2 })
    await Promise.all(waits)
    expect(served).toEqual(['one of 1', 'two of 0', 'one of 0', '0 and 2', 'one of 2'])
    expect(set.values()).toEqual([0, 0, 0])
  })

  test('however many wait for a semaphore, one thread does, and it goes', async () => {
    const set = sets.create([0, 0])
    await settledCounts()
    const before = threads()
    const waits = Array.from({ length: 500 }, () => [set.acquire(), set.acquire({ semaphore: 1 })]).flat()
    await until(() => set.waiters(0).forMore === 1 && set.waiters(1).forMore === 1)
    expect(threads()).toBe(before + 2)
    await set.operate([
      { semaphore: 0, by: 500 },
      { semaphore: 1, by: 500 },
    ])
    await Promise.all(waits)
    expect((await settledCounts()).threads).toBe(before)
    expect(set.values()).toEqual([0, 0])
  })

  test('of 10,000 aborted waits while posts flow no permit is lost or made', async () => {
    const set = sets.create([0])
    const other = sets.again(set)
    const before = await settledCounts()
    let taken = 0
    let posted = 0
    for (let round = 0; round < 100; round++) {
      const waits = Array.from({ length: 100 }, (_, at) => {
        const controller = new AbortController()
        const wait = set.acquire({ signal: controller.signal, undo: at % 2 === 0 })
        if (at % 3 === 0) setImmediate(() => controller.abort())
        else setTimeout(() => controller.abort(), at % 5)
        return wait.then(
          () => {
            taken++
          },
          ({ name }) => expect(name).toBe('AbortError'),
        )
      })
      for (let at = 0; at < 40; at++) {
        other.release()
        posted++
        if (at % 8 === 0) await new Promise(setImmediate)
      }
      await Promise.all(waits)
    }
    await until(() => set.waiters().forMore === 0)
    await until(() => taken + set.value() === posted)
    expect(taken).toBeGreaterThan(0)
    const after = await settledCounts()
    expect(after.threads).toBe(before.threads)
    // Pipes of agents of other tests may have gone meanwhile.
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors)
  })

  test('an operation that gives, and was done while it was aborted, resolves', async () => {
    const set = sets.create([0, 0])
    const { agent, theirs } = await startAgent(set)
    let done = 0
    let aborted = 0
    for (let round = 0; round < 300; round++) {
      const controller = new AbortController()
      const wait = set.operate([take(0), give(1)], { signal: controller.signal })
      await until(() => set.waiters().forMore === 1)
      const posting = agent.call(theirs, 'release')
      setTimeout(() => controller.abort(), round % 2)
      await wait.then(
        () => done++,
        () => aborted++,
      )
      await posting
      set.tryOperate([take(0)])
    }
    expect(done + aborted).toBe(300)
    expect(set.values()).toEqual([0, done])
  })

  test('close ends waits with ClosedError, and nothing was done', async () => {
    const set = sets.create([0])
    const other = sets.again(set)
    const waits = Promise.allSettled([other.acquire(), other.acquire(), other.operate([take(0), give(0)])])
    await until(() => set.waiters().forMore > 0)
    await Promise.all([other.close(), other.close()])
    for (const outcome of await waits) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_IPC_CLOSED' } })
    }
    expect(set.waiters().forMore).toBe(0)
    for (const call of [
      () => other.tryAcquire(),
      () => other.acquireSync(),
      () => other.release(),
      () => other.tryOperate([give(0)]),
      () => other.operateSync([give(0)]),
      () => other.value(),
      () => other.values(),
      () => other.setValue(0, 1),
      () => other.setValues([1]),
      () => other.waiters(),
      () => other.lastPid(),
      () => other.size,
      () => other.stat(),
      () => other.set({}),
      () => other.unlink(),
    ]) {
      expect(call).toThrow(code('ERR_IPC_CLOSED'))
    }
    await expect(other.acquire()).rejects.toEqual(code('ERR_IPC_CLOSED'))
    await expect(other.operate([give(0)])).rejects.toEqual(code('ERR_IPC_CLOSED'))
    set.release()
    expect(set.value()).toBe(1)
  })

  test('a blocking wait serves those who came first, then takes', async () => {
    const set = sets.create([0])
    const { agent, theirs } = await startAgent(set)
    const waiting = set.acquire()
    await until(() => set.waiters().forMore === 1)
    const posting = agent.call(theirs, 'release', { count: 2 })
    set.acquireSync({ timeoutMs: 20_000 })
    await waiting
    await posting
    expect(set.value()).toBe(0)
  })

  test('waiting for zero, and the lock of one operation that is made of it', async () => {
    const set = sets.create([0])
    const lock = () => set.operate([{ semaphore: 0, by: 0 }, give(0)])
    let inside = 0
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        await lock()
        expect(++inside).toBe(1)
        await new Promise(setImmediate)
        inside--
        await set.operate([take(0)])
      }),
    )
    expect(set.value()).toBe(0)
  })
})

describe('the ends of threads', () => {
  test.each(['acquire', 'acquireSync'])('a worker that waits in %s is terminated, ten times', async (way) => {
    const set = sets.create([0])
    const before = await settledCounts()
    for (let round = 0; round < 10; round++) {
      const worker = new Worker(
        `const { workerData: { id, way } } = require('node:worker_threads')
         import('ipckit/sysv').then(({ SemaphoreSet }) => SemaphoreSet.open({ id })[way]())`,
        { eval: true, workerData: { id: set.stat().id, way } },
      )
      await until(() => set.waiters().forMore === 1)
      await worker.terminate()
      expect(set.waiters().forMore).toBe(0)
    }
    const after = await settledCounts()
    expect(after.threads).toBe(before.threads)
    // Pipes of agents of other tests may have gone meanwhile.
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors)
    set.release()
    expect(set.value()).toBe(1)
  })

  test('what a terminated worker was given before it could hear of it comes back', async () => {
    const set = sets.create([0])
    for (let round = 0; round < 30; round++) {
      const worker = new Worker(
        // It sleeps, and never hears: a permit that it had been handed would be its own to lose.
        `const { workerData: id } = require('node:worker_threads')
         import('ipckit/sysv').then(({ SemaphoreSet }) => {
           void SemaphoreSet.open({ id }).acquire()
           Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
         })`,
        { eval: true, workerData: set.stat().id },
      )
      await until(() => set.waiters().forMore === 1)
      set.release()
      if (round % 2 === 0) await until(() => set.value() === 0)
      await worker.terminate()
      expect(set.value()).toBe(1)
      set.tryAcquire({ undo: false })
    }
  })
})
