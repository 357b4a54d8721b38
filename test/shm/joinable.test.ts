/** JoinableQueue: what was got is a task until `taskDone`, and `join` waits until there is none. */
import { ClosedError, RemovedError, ShutdownError, TimeoutError } from 'ipckit'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { isPending } from '../helpers/waiting.ts'
import { again, create, delivery } from './support.ts'

endAgents()

describe('join', () => {
  test('resolves at once when nothing was put', async () => {
    await (await create({ joinable: true })).join()
    await (await create()).join()
  })

  test('waits until every task is done', async () => {
    const queue = await create({ joinable: true })
    await queue.putMany(['a', 'b'])
    const joined = queue.join()
    expect(await queue.get()).toBe('a')
    expect(await queue.get()).toBe('b')
    expect(queue.stat()).toMatchObject({ joinable: true, depth: 0, inFlight: 2 })
    queue.taskDone()
    expect(await isPending(joined)).toBe(true)
    queue.taskDone()
    await joined
    await queue.join()
    expect(queue.stat()).toMatchObject({ inFlight: 0, totals: { done: 2 } })
  })

  test('waits for what is got, on a queue that is not joinable', async () => {
    const queue = await create()
    await queue.put('a')
    const joined = queue.join()
    expect(await isPending(joined)).toBe(true)
    await (await again(queue)).get()
    await joined
  })

  test('waits for leases to be settled', async () => {
    const queue = await create({ joinable: true })
    await queue.putMany(['a', 'b'])
    const [a, b] = await queue.leaseMany(2)
    const joined = queue.join()
    a?.ack()
    expect(await isPending(joined)).toBe(true)
    b?.reject()
    await joined
  })

  test('resolves for everybody, in every process', async () => {
    const queue = await create({ joinable: true })
    await queue.putMany(['a', 'b'])
    const agent = await Agent.start()
    const there = await agent.open('Queue', 'open', queue.address, { codec: 'text' })
    const waits = [agent.call(there, 'join'), agent.call(there, 'join'), queue.join(), queue.join()]
    expect(await agent.call(there, 'get')).toBe('a')
    await queue.get()
    queue.taskDone()
    expect(await isPending(Promise.race(waits))).toBe(true)
    await agent.call(there, 'taskDone')
    await Promise.all(waits)
  })

  test('waits on when the holder of the last task dies, until the task is done by another', async () => {
    const queue = await create({ joinable: true })
    await queue.put('a')
    const agent = await Agent.start()
    const there = await agent.open('Queue', 'open', queue.address, { codec: 'text' })
    await agent.call(there, 'get')
    const joined = queue.join()
    const next = queue.receive()
    await agent.end()
    expect(await next).toEqual(delivery('a', 2))
    expect(await isPending(joined)).toBe(true)
    queue.taskDone()
    await joined
  })

  test('ends when the time is up, the signal is aborted, the handle is closed or the queue is removed', async () => {
    const queue = await create({ joinable: true })
    const other = await again(queue)
    await queue.put('a')
    const before = performance.now()
    await expect(queue.join({ timeoutMs: 40 })).rejects.toThrow(TimeoutError)
    expect(performance.now() - before).toBeGreaterThanOrEqual(39)
    const abort = new AbortController()
    const aborted = queue.join({ signal: abort.signal })
    const stays = queue.join()
    abort.abort('enough')
    await expect(aborted).rejects.toBe('enough')
    await expect(queue.join({ signal: AbortSignal.abort('early') })).rejects.toBe('early')
    expect(await isPending(stays)).toBe(true)
    const closed = other.join()
    await other.close()
    await expect(closed).rejects.toThrow(ClosedError)
    await expect(other.join()).rejects.toThrow(ClosedError)
    await queue.unlink()
    await expect(stays).rejects.toThrow(RemovedError)
  })

  test('ends with a shutdown that leaves tasks undone', async () => {
    const queue = await create({ joinable: true })
    await queue.put('a')
    const joined = queue.join()
    queue.shutdown({ immediate: true })
    await expect(joined).rejects.toThrow(ShutdownError)
  })

  test('resolves when clear removes the rest', async () => {
    const queue = await create({ joinable: true })
    await queue.putMany(['a', 'b'])
    const joined = queue.join()
    expect(queue.clear()).toBe(2)
    await joined
  })

  test('refuses options that it does not have', async () => {
    const queue = await create()
    await expect(queue.join({ timeout: 5 } as never)).rejects.toThrow(TypeError)
    await expect(queue.join({ timeoutMs: -5 })).rejects.toThrow(RangeError)
    await expect(queue.join(5 as never)).rejects.toThrow(TypeError)
  })
})

describe('taskDone', () => {
  const tasks = { name: 'IpcError', code: 'ERR_IPC_TASKS', message: expect.stringContaining('taskDone') }

  test('too often is an error, and changes nothing', async () => {
    const queue = await create({ joinable: true })
    expect(() => queue.taskDone()).toThrow(expect.objectContaining(tasks))
    await queue.putMany(['a', 'b'])
    expect(() => queue.taskDone()).toThrow(expect.objectContaining(tasks))
    await queue.get()
    queue.taskDone()
    expect(() => queue.taskDone()).toThrow(expect.objectContaining(tasks))
    expect(queue.stat()).toMatchObject({ depth: 1, totals: { done: 1 } })
  })

  test('counts what this handle got, in any way, and nothing of others', async () => {
    const queue = await create({ joinable: true })
    const other = await again(queue)
    await queue.putMany(['a', 'b', 'c', 'd', 'e'])
    await queue.getMany(2)
    queue.getSync()
    queue.tryGet()
    await other.get()
    for (let count = 0; count < 4; count++) queue.taskDone()
    expect(() => queue.taskDone()).toThrow(expect.objectContaining(tasks))
    other.taskDone()
    await queue.join()
  })

  test('is refused where values are got for good', async () => {
    const queue = await create()
    await queue.put('a')
    await queue.get()
    const refused = { code: 'ERR_IPC_UNSUPPORTED', message: expect.stringContaining('joinable: true') }
    expect(() => queue.taskDone()).toThrow(expect.objectContaining(refused))
  })

  test('does not count leases', async () => {
    const joinable = await create({ joinable: true })
    await joinable.put('a')
    await joinable.lease()
    expect(() => joinable.taskDone()).toThrow(expect.objectContaining(tasks))
  })

  test('on a closed handle fails, and the task is with others', async () => {
    const queue = await create({ joinable: true })
    const other = await again(queue)
    await queue.put('a')
    await queue.get()
    await queue.close()
    expect(() => queue.taskDone()).toThrow(ClosedError)
    expect(await other.receive()).toEqual(delivery('a', 2))
  })
})
