/** What becomes of messages whose holder ends, in each way in which one can end: somebody else gets them, marked. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { Program } from '../helpers/program.ts'
import { Thread } from '../helpers/thread.ts'
import { again, create, delivery, factsOf } from './support.ts'

const here = { onTestFinished }

describe('a process that holds messages', () => {
  test.each<[string, object, (program: Program) => void, object]>([
    ['is killed', {}, (program) => program.kill('SIGKILL'), { code: null, signal: 'SIGKILL' }],
    ['is asked to end', {}, (program) => program.kill('SIGTERM'), { code: null, signal: 'SIGTERM' }],
    ['exits', { end: 'exit' }, (program) => program.tellNothingMore(), { code: 0, signal: null }],
    [
      'comes to its end',
      { end: 'naturally' },
      (program) => program.tellNothingMore(),
      { code: 0, signal: null },
    ],
    ['throws', { end: 'throw' }, (program) => program.tellNothingMore(), { code: 1, signal: null }],
  ])('%s: another gets them, in order and marked', async (_, argument, finish, how) => {
    const queue = await create({ capacity: 4 })
    await queue.putMany(['a', 'b', 'c', 'd'])
    const holder = new Program(here, 'lease-holder.mjs', { address: queue.address, count: 3, ...argument })
    expect(await holder.says()).toBe('holds')
    expect(queue.stat()).toMatchObject({ depth: 1, inFlight: 3 })
    expect(factsOf(await queue.lease())).toEqual(delivery('d'))
    const waits = [queue.lease(), queue.lease(), queue.lease()]
    finish(holder)
    expect(await holder.ended).toMatchObject(how)
    const leases = await Promise.all(waits)
    expect(leases.map(factsOf)).toEqual([delivery('a', 2), delivery('b', 2), delivery('c', 2)])
    for (const lease of leases) lease.ack()
    expect(queue.stat()).toMatchObject({ depth: 0, inFlight: 1, totals: { done: 3, redelivered: 3 } })
  })

  test('is killed: a thread that is blocked gets one', async () => {
    const queue = await create()
    await queue.put('a')
    const holder = new Program(here, 'lease-holder.mjs', { address: queue.address, count: 1 })
    expect(await holder.says()).toBe('holds')
    process.kill(holder.pid, 'SIGKILL')
    expect(factsOf(queue.leaseSync({ timeoutMs: 25_000 }))).toEqual(delivery('a', 2))
    await holder.ended
  })

  test('is killed: who asks now and then finds the message', async () => {
    const queue = await create()
    await queue.put('a')
    const holder = new Program(here, 'lease-holder.mjs', { address: queue.address, count: 1 })
    expect(await holder.says()).toBe('holds')
    holder.kill('SIGKILL')
    await holder.ended
    let value = queue.tryGet()
    while (value === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      value = queue.tryGet()
    }
    expect(value).toBe('a')
  })

  test('is killed: room that it held is given to who waits to put', async () => {
    const queue = await create({ capacity: 1 })
    await queue.put('a')
    const holder = new Program(here, 'lease-holder.mjs', { address: queue.address, count: 1 })
    expect(await holder.says()).toBe('holds')
    expect(queue.tryPut('b')).toBe(false)
    const put = queue.put('b')
    holder.kill('SIGKILL')
    expect(await queue.receive()).toEqual(delivery('a', 2))
    await put
    expect(await queue.get()).toBe('b')
  })

  test('is killed again and again: each delivery is counted', async () => {
    const queue = await create()
    await queue.put('a')
    for (let count = 1; count <= 5; count++) {
      const holder = new Program(here, 'lease-holder.mjs', { address: queue.address, count: 1 })
      expect(await holder.says()).toBe('holds')
      holder.kill('SIGKILL')
      await holder.ended
    }
    expect(await queue.receive()).toEqual(delivery('a', 6))
  })

  test('is stopped and goes on: what it holds stays with it', async () => {
    const queue = await create()
    await queue.put('a')
    const holder = new Program(here, 'lease-holder.mjs', { address: queue.address, count: 1 })
    expect(await holder.says()).toBe('holds')
    holder.kill('SIGSTOP')
    await expect(queue.lease({ timeoutMs: 600 })).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
    expect(queue.stat()).toMatchObject({ inFlight: 1, totals: { redelivered: 0 } })
    holder.kill('SIGCONT')
    holder.kill('SIGKILL')
    expect(factsOf(await queue.lease())).toEqual(delivery('a', 2))
  })

  test('got them from a joinable queue: tasks that were not done are delivered again', async () => {
    const queue = await create({ joinable: true })
    await queue.putMany(['a', 'b'])
    const holder = new Program(here, 'lease-holder.mjs', { address: queue.address, count: 2, way: 'get' })
    expect(await holder.says()).toBe('holds')
    holder.kill('SIGKILL')
    expect(await queue.receive()).toEqual(delivery('a', 2))
    expect(await queue.receive()).toEqual(delivery('b', 2))
  })
})

describe('a worker thread that holds messages', () => {
  test.each([
    ['is terminated', undefined, 1],
    ['exits', 'exit', 0],
    ['comes to its end', 'naturally', 0],
    ['throws', 'throw', 1],
  ])('%s: this thread gets them, marked', async (_, end, code) => {
    const queue = await create()
    await queue.putMany(['a', 'b'])
    const holder = new Thread(here, 'lease-holder.mjs', { address: queue.address, count: 2, end })
    expect(await holder.says()).toBe('holds')
    const waits = [queue.lease(), queue.lease()]
    if (end === undefined) holder.terminate()
    expect(await holder.ended).toMatchObject({ code })
    expect((await Promise.all(waits)).map(factsOf)).toEqual([delivery('a', 2), delivery('b', 2)])
  })
})

describe('a handle that holds messages', () => {
  test('is closed: they are given back at once', async () => {
    const queue = await create()
    const other = await again(queue)
    await queue.putMany(['a', 'b', 'c'])
    await other.leaseMany(2)
    const waits = [queue.lease(), queue.lease(), queue.lease()]
    await other.close()
    const facts = (await Promise.all(waits)).map(factsOf)
    expect(facts.sort((one, two) => one.value.localeCompare(two.value))).toEqual([
      delivery('a', 2),
      delivery('b', 2),
      delivery('c'),
    ])
    expect(queue.stat().participants).toHaveLength(1)
  })

  test('is the last one, and is closed: they are there for who opens the queue next', async () => {
    const queue = await create()
    await queue.putMany(['a', 'b'])
    await queue.lease()
    await queue.close()
    const next = await again(queue)
    expect(factsOf(await next.lease())).toEqual(delivery('a', 2))
    expect(factsOf(await next.lease())).toEqual(delivery('b'))
  })
})
