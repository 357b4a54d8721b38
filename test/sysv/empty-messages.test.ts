/**
 * Messages of 0 bytes. A waiting receiver cannot leave one in the queue, the kernel hands it over; none may be
 * lost by that, also when the one who waited has gone.
 */
import { describe, expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { isPending, sleepersIn, until } from '../helpers/waiting.ts'
import { Queues, sendFromPython } from './support.ts'

const queues = new Queues()
const empty = Buffer.alloc(0)
endAgents()

describe('a message of 0 bytes', () => {
  test('arrives at one who waits', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    for (let type = 1; type <= 20; type++) {
      const received = queue.receive()
      await until(() => sleepersIn('msgrcv') === 1)
      await other.send(empty, { type })
      expect(await received).toEqual({ data: empty, type })
    }
    expect(queue.stat().depth).toBe(0)
  })

  test('arrives with its type, also a large one, by every selector', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    for (const [wish, type] of [
      [{ type: 2 ** 53 - 1 }, 2 ** 53 - 1],
      [{ maxType: 2 ** 33 }, 2 ** 32 + 1],
      [{ except: 5 }, 2 ** 31],
    ] as const) {
      const received = queue.receive(wish)
      await until(() => sleepersIn('msgrcv') === 1)
      await other.send(empty, { type })
      expect(await received).toEqual({ data: empty, type })
    }
  })

  test.each([2n ** 62n, 2n ** 63n - 1n])(
    'of the type %i, which is rounded, arrives, and goes back when nobody wants it any more',
    async (type) => {
      const queue = queues.create()
      const { id } = queue.stat()
      const received = queue.receive()
      await until(() => sleepersIn('msgrcv') === 1)
      sendFromPython(id, type, '')
      expect(await received).toEqual({ data: empty, type: Number(type) })

      const other = queues.again(queue)
      const waiting = other.receive()
      await until(() => sleepersIn('msgrcv') === 1)
      sendFromPython(id, type, '')
      const closed = other.close()
      await waiting.catch(() => {})
      await closed
      await until(() => queue.stat().depth === 1)
      expect(queue.tryReceive()).toEqual({ data: empty, type: Number(type) })
    },
  )

  test('arrives at one whose thread is blocked', async () => {
    const queue = queues.create()
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    for (let type = 1; type <= 20; type++) {
      const received = agent.call(theirs, 'receiveSync', { timeoutMs: 20_000 })
      await until(() => sleepersIn('msgrcv', agent.pid) > 0)
      await queue.send(empty, { type })
      expect(await received).toMatchObject({ type })
    }
  })

  // Which of the two gets which is open: the kernel handed the first to the thread of the one who waits, and the
  // second is taken from the queue by a call that has not heard of that yet.
  test('reaches one who waits and one who blocks on the same handle', async () => {
    const queue = queues.create()
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    for (let round = 0; round < 10; round++) {
      const waiting = agent.call(theirs, 'receive')
      await until(() => sleepersIn('msgrcv', agent.pid) > 0)
      const blocked = agent.call(theirs, 'receiveSync', { timeoutMs: 20_000 })
      await queue.send(empty, { type: 1 })
      await queue.send(empty, { type: 2 })
      const types = ((await Promise.all([waiting, blocked])) as { type: number }[]).map(({ type }) => type)
      expect(types.sort()).toEqual([1, 2])
    }
  })

  test('goes to those who wait in their order, together with longer ones', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const waits = Array.from({ length: 30 }, () => queue.receive())
    await until(() => sleepersIn('msgrcv') === 1)
    for (let at = 1; at <= 30; at++) await other.send(at % 2 === 0 ? empty : Buffer.from([at]), { type: at })
    expect((await Promise.all(waits)).map(({ type }) => type).sort((one, two) => one - two)).toEqual(
      Array.from({ length: 30 }, (_, at) => at + 1),
    )
  })

  test('that came when the receiver had been aborted is there for the next receive', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const seen: number[] = []
    const rounds = 300
    for (let type = 1; type <= rounds; type++) {
      const controller = new AbortController()
      const received = queue.receive({ signal: controller.signal })
      if (type % 3 !== 0) await until(() => sleepersIn('msgrcv') >= 1)
      if (type % 2 === 0) controller.abort()
      other.trySend(empty, { type })
      controller.abort()
      const [outcome] = await Promise.allSettled([received])
      if (outcome.status === 'fulfilled') seen.push(outcome.value.type)
      else seen.push((await queue.receive({ timeoutMs: 10_000 })).type)
    }
    expect(seen).toEqual(Array.from({ length: rounds }, (_, at) => at + 1))
  })

  test('that came when the receiver had been aborted is there for other handles', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    for (let type = 1; type <= 300; type++) {
      const controller = new AbortController()
      const received = queue.receive({ signal: controller.signal })
      if (type % 3 !== 0) await until(() => sleepersIn('msgrcv') >= 1)
      if (type % 2 === 0) controller.abort()
      other.trySend(empty, { type })
      controller.abort()
      const [outcome] = await Promise.allSettled([received])
      if (outcome.status === 'fulfilled') expect(outcome.value.type).toBe(type)
      else expect((await other.receive({ timeoutMs: 10_000 })).type).toBe(type)
    }
  })

  test('that came when the receiver timed out is not lost', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const seen: number[] = []
    for (let type = 1; type <= 100; type++) {
      const received = queue.receive({ timeoutMs: type % 3 })
      await isPending(received)
      other.trySend(empty, { type })
      const [outcome] = await Promise.allSettled([received])
      if (outcome.status === 'fulfilled') seen.push(outcome.value.type)
      else seen.push((await queue.receive({ timeoutMs: 10_000 })).type)
    }
    expect(seen).toEqual(Array.from({ length: 100 }, (_, at) => at + 1))
  })

  test('that came when the receiver was closed is in the queue again', async () => {
    const queue = queues.create()
    for (let type = 1; type <= 100; type++) {
      const closing = queues.again(queue)
      const received = closing.receive()
      if (type % 2 === 0) await until(() => sleepersIn('msgrcv') >= 1)
      queue.trySend(empty, { type })
      await closing.close()
      const [outcome] = await Promise.allSettled([received])
      if (outcome.status === 'fulfilled') expect(outcome.value.type).toBe(type)
      else expect((await queue.receive({ timeoutMs: 10_000 })).type).toBe(type)
    }
  })

  test('that came when the receiver had been aborted is in the queue again when the handle is closed at once', async () => {
    const queue = queues.create()
    for (let round = 0; round < 50; round++) {
      const closing = queues.again(queue)
      const controller = new AbortController()
      const aborted = closing.receive({ type: 5, signal: controller.signal })
      const closed = closing.receive({ type: 9 }).then(() => closing.close())
      await until(() => sleepersIn('msgrcv') === 2)
      // Both threads have their messages when the answers are heard, in one turn, and the second closes the handle.
      queue.trySend(empty, { type: 5 })
      controller.abort()
      queue.trySend(empty, { type: 9 })
      await Promise.allSettled([aborted, closed])
      expect(closing.closed).toBe(true)
      expect(await queue.receive({ type: 5, timeoutMs: 10_000 })).toEqual({ data: empty, type: 5 })
    }
  })

  test.each(['aborted', 'closed'])(
    'that came when the receiver had been %s, and found no room to go back, is there as soon as there is some',
    async (ending) => {
      const queue = queues.create({ maxBytes: 4 })
      const leaving = queues.again(queue)
      const controller = new AbortController()
      const received = Promise.allSettled([leaving.receive({ type: 5, signal: controller.signal })])
      await until(() => sleepersIn('msgrcv') === 1)
      // The thread has it when the receiver goes. Then the queue holds as many messages as it may bytes.
      queue.trySend(empty, { type: 5 })
      controller.abort()
      for (let at = 0; at < 4; at++) expect(queue.trySend(Buffer.alloc(1))).toBe(true)
      if (ending === 'closed') await leaving.close()
      await received
      await expect(queue.receive({ type: 5, timeoutMs: 50 })).rejects.toMatchObject({
        code: 'ERR_IPC_TIMEOUT',
      })
      expect(await queue.receiveMany(10, { type: 1 })).toHaveLength(4)
      expect(await queue.receive({ type: 5, timeoutMs: 10_000 })).toEqual({ data: empty, type: 5 })
      expect(queue.stat().depth).toBe(0)
    },
  )

  test('that one selector took is given to one who waits with another', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    for (let round = 0; round < 100; round++) {
      const controller = new AbortController()
      const any = queue.receive({ signal: controller.signal })
      const five = queue.receive({ type: 5, timeoutMs: 10_000 })
      await until(() => sleepersIn('msgrcv') >= 2)
      controller.abort()
      other.trySend(empty, { type: 5 })
      await expect(any).rejects.toThrow()
      expect(await five).toEqual({ data: empty, type: 5 })
    }
  })

  test('is truncated to itself, peeked at, and fits into any maxBytes', async () => {
    const queue = queues.create()
    await queue.send(empty, { type: 4 })
    expect(queue.peek()).toEqual({ data: empty, type: 4 })
    expect(await queue.receive({ maxBytes: 0 })).toEqual({ data: empty, type: 4 })
    const waiting = queue.receive({ maxBytes: 0, truncate: true })
    await until(() => sleepersIn('msgrcv') === 1)
    await queue.send(empty, { type: 5 })
    expect(await waiting).toEqual({ data: empty, type: 5 })
  })

  test('is one of many', async () => {
    const queue = queues.create()
    const sizes = [0, 3, 0, 0, 5, 0]
    expect(await queue.sendMany(sizes.map((size) => ({ data: Buffer.alloc(size, 1) })))).toBe(6)
    expect((await queue.receiveMany(10)).map(({ data }) => data.length)).toEqual(sizes)
  })
})
