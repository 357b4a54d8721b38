/** The end of a queue's work, for every process: drain, or at once. And clear. */
import { ClosedError, ShutdownError } from 'ipckit'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { isPending } from '../helpers/waiting.ts'
import { again, create, delivery, drain, factsOf } from './support.ts'

endAgents()

const over = { name: 'ShutdownError', code: 'ERR_IPC_SHUTDOWN' }

describe('shutdown', () => {
  test('refuses whatever is put from now on, in any way', async () => {
    const queue = await create()
    const other = await again(queue)
    queue.shutdown()
    for (const handle of [queue, other]) {
      await expect(handle.put('a')).rejects.toThrow(ShutdownError)
      await expect(handle.putMany(['a'])).rejects.toMatchObject(over)
      expect(() => handle.tryPut('a')).toThrow(ShutdownError)
      expect(() => handle.putSync('a')).toThrow(ShutdownError)
    }
    expect(queue.stat()).toMatchObject({ state: 'draining', totals: { put: 0 } })
  })

  test('lets what is there be taken, and then ends every way to take', async () => {
    const queue = await create()
    const other = await again(queue)
    await queue.putMany(['a', 'b', 'c'])
    queue.shutdown()
    expect(await other.get()).toBe('a')
    const lease = await other.lease()
    expect(queue.getSync()).toBe('c')
    await expect(other.get()).rejects.toThrow(ShutdownError)
    await expect(other.lease()).rejects.toThrow(ShutdownError)
    await expect(queue.leaseMany(2)).rejects.toThrow(ShutdownError)
    expect(() => queue.tryGet()).toThrow(ShutdownError)
    expect(() => queue.getSync()).toThrow(ShutdownError)
    lease.nack()
    expect(await queue.receive()).toEqual(delivery('b', 2))
  })

  test('waits for delays to pass before it ends those who take', async () => {
    const queue = await create()
    await queue.put('a')
    ;(await queue.lease()).nack({ delayMs: 60 })
    queue.shutdown()
    const lease = await queue.lease()
    expect(factsOf(lease)).toEqual(delivery('a', 2))
    lease.ack()
    await expect(queue.lease()).rejects.toThrow(ShutdownError)
  })

  test('at once leaves what is there, and lets leases be settled', async () => {
    const queue = await create()
    await queue.putMany(['a', 'b', 'c'])
    const [a, b] = await queue.leaseMany(2)
    queue.shutdown({ immediate: true })
    await expect(queue.get()).rejects.toThrow(ShutdownError)
    expect(() => queue.tryLease()).toThrow(ShutdownError)
    expect(queue.stat()).toMatchObject({ state: 'stopped', depth: 1, inFlight: 2 })
    a?.ack()
    b?.nack()
    expect(queue.stat()).toMatchObject({ depth: 2, inFlight: 0, totals: { done: 1 } })
  })

  test('is said again without harm, and goes from drain to immediate but not back', async () => {
    const queue = await create()
    await queue.put('a')
    queue.shutdown()
    queue.shutdown()
    queue.shutdown({ immediate: true })
    queue.shutdown()
    expect(queue.stat().state).toBe('stopped')
    await expect(queue.get()).rejects.toThrow(ShutdownError)
  })

  test('holds for who opens the queue later', async () => {
    const queue = await create()
    queue.shutdown()
    const late = await again(queue)
    await expect(late.get()).rejects.toThrow(ShutdownError)
    await expect(late.put('a')).rejects.toThrow(ShutdownError)
  })

  test.each([false, true])(
    'by another process wakes every waiter in every process, immediate: %s',
    async (immediate) => {
      const queue = await create({ capacity: 1 })
      const full = await create({ capacity: 1 })
      await full.put('full')
      const agents = await Promise.all([Agent.start(), Agent.start()])
      const [waits, ends] = [[], []] as [Promise<unknown>[], Promise<unknown>[]]
      const loops = [queue[Symbol.asyncIterator]().next(), queue.leases().next()]
      for (const agent of agents) {
        const there = await agent.open('Queue', 'open', queue.address, { codec: 'text' })
        waits.push(agent.call(there, 'get'), agent.call(there, 'lease'), agent.call(there, 'getMany', 4))
        const alsoFull = await agent.open('Queue', 'open', full.address, { codec: 'text' })
        waits.push(agent.call(alsoFull, 'put', 'more'))
      }
      waits.push(queue.get(), queue.lease({ leaseMs: 5000 }), full.put('more'))
      for (const wait of waits) ends.push(wait.catch(({ code }: { code: string }) => code))
      expect(await isPending(Promise.race([...ends, ...loops]))).toBe(true)
      const other = await Agent.start()
      for (const { address } of [queue, full]) {
        const there = await other.open('Queue', 'open', address, { codec: 'text' })
        await other.call(there, 'shutdown', { immediate })
      }
      expect(await Promise.all(ends)).toEqual(waits.map(() => 'ERR_IPC_SHUTDOWN'))
      expect(await Promise.all(loops)).toEqual(loops.map(() => ({ value: undefined, done: true })))
    },
  )

  test('ends a loop after the last message', async () => {
    const queue = await create()
    await queue.putMany(['a', 'b'])
    queue.shutdown()
    const seen: string[] = []
    for await (const value of queue) seen.push(value)
    for await (const lease of queue.leases()) seen.push(lease.value)
    expect(seen).toEqual(['a', 'b'])
  })

  test('ends a readable stream after the last message, also one that waits', async () => {
    const queue = await create()
    await queue.putMany(['a', 'b'])
    const seen: string[] = []
    const ended: string[] = []
    const streams = [queue.readable(), (await again(queue)).readable({ highWaterMark: 2 })]
    for (const stream of streams) {
      stream.on('data', (value) => seen.push(value)).on('end', () => ended.push('end'))
      stream.on('error', ({ name }) => ended.push(name))
    }
    await isPending(new Promise(() => {}))
    queue.shutdown()
    await Promise.all(streams.map((stream) => new Promise((resolve) => stream.on('close', resolve))))
    expect(seen).toEqual(['a', 'b'])
    expect(ended).toEqual(['end', 'end'])
    for await (const value of queue.readable()) seen.push(value)
    expect(seen).toEqual(['a', 'b'])
  })

  test('ends a thread that is blocked in another process', async () => {
    const queue = await create()
    const agent = await Agent.start()
    const there = await agent.open('Queue', 'open', queue.address, { codec: 'text' })
    const blocked = agent.call(there, 'getSync').catch(({ code }: { code: string }) => code)
    await new Promise((resolve) => setTimeout(resolve, 100))
    queue.shutdown()
    expect(await blocked).toBe('ERR_IPC_SHUTDOWN')
  })

  test('refuses bad arguments, and a closed handle', async () => {
    const queue = await create()
    expect(() => queue.shutdown({ immediate: 'yes' as never })).toThrow(
      "Expected true or false for `immediate`, received 'yes'",
    )
    expect(() => queue.shutdown({ now: true } as never)).toThrow(TypeError)
    expect(() => queue.shutdown(null as never)).toThrow(TypeError)
    expect(queue.stat().state).toBe('open')
    await queue.close()
    expect(() => queue.shutdown()).toThrow(ClosedError)
  })
})

describe('clear', () => {
  test('removes every message that nobody holds, delayed ones too, and says how many', async () => {
    const queue = await create({ capacity: 8 })
    await queue.putMany(['a', 'b', 'c', 'd'], { priority: 2 })
    await queue.put('e')
    const [a, b] = await queue.leaseMany(2)
    b?.nack({ delayMs: 60_000 })
    expect(queue.clear()).toBe(4)
    expect(queue.stat()).toMatchObject({ depth: 0, delayed: 0, inFlight: 1, totals: { done: 4 } })
    expect(queue.clear()).toBe(0)
    a?.nack()
    expect(drain(queue)).toEqual(['a'])
  })

  test('gives room to who waits to put, in every process', async () => {
    const queue = await create({ capacity: 1 })
    await queue.put('a')
    const agent = await Agent.start()
    const there = await agent.open('Queue', 'open', queue.address, { codec: 'text' })
    const put = agent.call(there, 'put', 'b')
    expect(await isPending(put)).toBe(true)
    expect(queue.clear()).toBe(1)
    await put
    expect(await queue.get()).toBe('b')
  })

  test('gives back the bytes too', async () => {
    const queue = await create({ capacity: 4, maxMessageBytes: 10_000 })
    const { freeBytes } = queue.stat()
    await queue.putMany(Array.from({ length: 4 }, () => 'x'.repeat(10_000)))
    expect(queue.stat().freeBytes).toBeLessThan(freeBytes)
    queue.clear()
    expect(queue.stat().freeBytes).toBe(freeBytes)
  })

  test('of a closed handle fails', async () => {
    const queue = await create()
    await queue.close()
    expect(() => queue.clear()).toThrow(ClosedError)
  })
})
