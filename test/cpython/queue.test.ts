/**
 * What CPython's own tests ask of `multiprocessing.Queue`, `JoinableQueue` and `SimpleQueue`, of queues in shared memory:
 * one test for each behaviour of `_TestQueue` and `TestSimpleQueue` in Lib/test/_test_multiprocessing.py, named after
 * it. queues_test.py asks the same of the package in Python.
 *
 * What cannot apply, and why:
 * - `test_no_import_lock_contention`: about the lock that an `import` in Python holds while a feeder thread pickles.
 *   Modules of JavaScript are loaded without one, and there is no feeder: `put` writes to shared memory itself.
 * - `test_queue_feeder_on_queue_feeder_error`: a hook for errors of the feeder thread. Here the caller of `put` is told,
 *   which is what `test_queue_feeder_donot_stop_onexc` below shows.
 * - `test_fork` with `fork`: a process of Node.js cannot fork. The other process is a new one that opens the queue.
 * - `join_thread`, `cancel_join_thread`: there is no feeder thread to wait for; what was put is there.
 */
import { ClosedError, json, Queue, type SharedQueue, TimeoutError } from 'ipckit'
import { beforeAll, describe, expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { isPending } from '../helpers/waiting.ts'
import { buildPeers } from '../interop/peers.ts'
import { runPythonTests } from '../interop/python-package.ts'
import { keep, newAddress } from '../shm/support.ts'

endAgents()

const timeoutMs = 100

/** A new queue of any values. */
async function create(
  options: { capacity?: number; joinable?: boolean } = {},
): Promise<SharedQueue<unknown>> {
  return keep(await Queue.create(newAddress(), { codec: json<unknown>(), ...options }))
}

/** Another process that has the queue open, as an object whose methods are called there. */
async function elsewhere({ address }: { address: string }) {
  const agent = await Agent.start()
  const there = await agent.open('Queue', 'open', address, { codec: 'json' })
  return { call: (method: string, ...args: unknown[]) => agent.call(there, method, ...args) }
}

/** How many milliseconds a promise that must reject with a timeout took. */
/** From before the call: the first get of a handle starts a thread. */
async function untilTimeout(wait: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await expect(wait()).rejects.toThrow(TimeoutError)
  return performance.now() - begun
}

describe('_TestQueue', () => {
  test('test_put: the seventh of six finds no room, at once or after the timeout, and all do after six gets', async () => {
    const queue = await create({ capacity: 6 })
    const child = await elsewhere(queue)
    expect(queue.stat().depth).toBe(0)
    await queue.put(1)
    await queue.put(2, {})
    await queue.put(3, { timeoutMs })
    queue.putSync(4)
    queue.putSync(5, { timeoutMs })
    expect(queue.tryPut(6)).toBe(true)
    expect(queue.stat()).toMatchObject({ depth: 6, capacity: 6 })

    expect(queue.tryPut(7)).toBe(false)
    await untilTimeout(() => queue.put(7, { timeoutMs: 0 }))
    expect(await untilTimeout(() => queue.put(7, { timeoutMs }))).toBeGreaterThanOrEqual(timeoutMs)
    const begun = performance.now()
    expect(() => queue.putSync(7, { timeoutMs })).toThrow(TimeoutError)
    expect(performance.now() - begun).toBeGreaterThanOrEqual(timeoutMs)

    for (const value of [1, 2, 3, 4, 5, 6]) expect(await child.call('get')).toBe(value)
    expect(queue.stat().depth).toBe(0)
    expect(queue.tryPut(7)).toBe(true)
  })

  test('test_get: values of another process in their order, in each way to get; then none, at once or after the timeout', async () => {
    const queue = await create()
    const child = await elsewhere(queue)
    expect(queue.stat().depth).toBe(0)
    for (const value of [2, 3, 4, 5]) await child.call('put', value)
    expect(queue.stat().depth).toBe(4)
    expect(await queue.get()).toBe(2)
    expect(queue.getSync()).toBe(3)
    expect(await queue.get({ timeoutMs: 1000 })).toBe(4)
    expect(queue.tryGet()).toBe(5)
    expect(queue.stat().depth).toBe(0)

    expect(queue.tryGet()).toBeUndefined()
    await untilTimeout(() => queue.get({ timeoutMs: 0 }))
    expect(await untilTimeout(() => queue.get({ timeoutMs }))).toBeGreaterThanOrEqual(timeoutMs)
    const begun = performance.now()
    expect(() => queue.getSync({ timeoutMs })).toThrow(TimeoutError)
    expect(performance.now() - begun).toBeGreaterThanOrEqual(timeoutMs)
  })

  test('test_fork: ten of this process and then ten of another come as 0 to 19, and nothing after them', async () => {
    const queue = await create()
    for (let value = 0; value < 10; value++) await queue.put(value)
    const child = await elsewhere(queue)
    for (let value = 10; value < 20; value++) await child.call('put', value)
    for (let value = 0; value < 20; value++) expect(await queue.get()).toBe(value)
    expect(queue.tryGet()).toBeUndefined()
  })

  test('test_qsize: counts what is there', async () => {
    const queue = await create()
    const sizes = [queue.stat().depth]
    for (const step of ['put', 'put', 'get', 'get'] as const) {
      await (step === 'put' ? queue.put(1) : queue.get())
      sizes.push(queue.stat().depth)
    }
    expect(sizes).toEqual([0, 1, 2, 1, 0])
  })

  test('test_task_done: join resolves when four workers have done all ten tasks, and not before', async () => {
    const queue = await create({ joinable: true })
    const workers = await Promise.all([1, 2, 3, 4].map(() => elsewhere(queue)))
    for (let value = 0; value < 10; value++) await queue.put(value)
    const joined = queue.join()
    const work = async (worker: Awaited<ReturnType<typeof elsewhere>>) => {
      for (let value = await worker.call('get'); value !== null; value = await worker.call('get')) {
        expect(await isPending(joined)).toBe(true)
        await worker.call('taskDone')
      }
      await worker.call('taskDone')
    }
    const working = workers.map(work)
    await joined
    expect(queue.stat()).toMatchObject({ depth: 0, inFlight: 0, totals: { done: 10 } })
    for (const _ of workers) await queue.put(null)
    await Promise.all(working)
  })

  test('test_timeout: an empty queue makes get wait for the whole timeout', async () => {
    const queue = await create()
    expect(await untilTimeout(() => queue.get({ timeoutMs: 200 }))).toBeGreaterThanOrEqual(200)
  })

  test('test_queue_feeder_donot_stop_onexc: a value that cannot be encoded rejects its own put, and takes no room', async () => {
    const queue = await create({ capacity: 1 })
    const notSerializable = {
      toJSON() {
        throw new Error('not today')
      },
    }
    await expect(queue.put(notSerializable)).rejects.toMatchObject({ code: 'ERR_IPC_ENCODE' })
    expect(queue.stat().depth).toBe(0)
    await queue.put(true, { timeoutMs: 1000 })
    expect(queue.stat().depth).toBe(1)
    expect(await queue.get({ timeoutMs: 1000 })).toBe(true)
    expect(queue.stat().depth).toBe(0)
  })

  test.each([false, true])(
    'test_closed_queue_empty_exceptions: a queue is closed whether it was used or not (joinable: %s)',
    async (joinable) => {
      const unused = await create({ joinable })
      const used = await create({ joinable })
      await used.put('foo')
      for (const queue of [unused, used]) {
        await queue.close()
        expect(() => queue.stat()).toThrow(ClosedError)
      }
    },
  )

  test.each([false, true])(
    'test_closed_queue_put_get_exceptions: both say that the queue is closed (joinable: %s)',
    async (joinable) => {
      const queue = await create({ joinable })
      await queue.close()
      await expect(queue.put('foo')).rejects.toThrow(/closed/)
      await expect(queue.get()).rejects.toThrow(/closed/)
      expect(() => queue.tryGet()).toThrow(ClosedError)
    },
  )

  test('task_done once too often is an error, as the manual of JoinableQueue has it', async () => {
    const queue = await create({ joinable: true })
    await queue.put(1)
    await queue.get()
    queue.taskDone()
    expect(() => queue.taskDone()).toThrow(expect.objectContaining({ code: 'ERR_IPC_TASKS' }))
  })
})

describe('TestSimpleQueue', () => {
  test('test_empty: one process sees what the other has put: first nothing, then something', async () => {
    const queue = await create()
    const child = await elsewhere(queue)
    const isEmptyThere = async () => ((await child.call('stat')) as { depth: number }).depth === 0
    expect(queue.stat().depth).toBe(0)
    await child.call('put', await isEmptyThere())
    await child.call('put', await isEmptyThere())
    expect(queue.stat().depth).toBe(2)
    expect(await queue.get()).toBe(true)
    expect(await queue.get()).toBe(false)
    expect(queue.stat().depth).toBe(0)
  })

  test('test_empty_exceptions: whether a closed queue is empty cannot be asked', async () => {
    const queue = await create()
    await queue.close()
    expect(() => queue.stat()).toThrow(ClosedError)
    expect(() => queue.peek()).toThrow(ClosedError)
  })

  test('test_close: a second close does nothing', async () => {
    const queue = await create()
    await queue.close()
    await queue.close()
  })

  test('test_closed: a closed queue says so', async () => {
    const queue = await create()
    expect(queue.closed).toBe(false)
    await queue.close()
    expect(queue.closed).toBe(true)
  })
})

describe('in Python', () => {
  beforeAll(buildPeers)

  test('the package does the same', () => {
    expect(runPythonTests('queues_test')).toMatch(/Ran [1-9]\d+ tests/)
  })
})
