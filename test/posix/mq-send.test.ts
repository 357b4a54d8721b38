/**
 * mq_send(3) and mq_timedsend(3): the assertions of the Open POSIX Test Suite (conformance/interfaces/mq_send,
 * mq_timedsend), and mq_timedsend01 of the Linux Test Project.
 *
 * | there | why not here |
 * |---|---|
 * | mq_send/6-1, mq_timedsend/6-1 | which waiting process goes first is the kernel's affair |
 * | mq_timedsend/16-1, 17-1 | timeouts are spans on the monotonic clock, not points on the real one |
 * | mq_timedsend/18-1, second half | a timeout is checked also when there is room: a wrong one is a wrong program |
 * | mq_timedsend01 EFAULT, EBADF of descriptors | memory and descriptors are the binding's own |
 */
import type { MessageQueue } from 'ipckit/posix'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { pattern } from '../helpers/pattern.ts'
import { isPending, sleepersIn, until } from '../helpers/waiting.ts'
import { fill, nameOf, Queues } from './support.ts'

const queues = new Queues()
endAgents()

/** The ways to send; each fails as a rejection. Those in time are mq_timedsend. */
const sends: Record<
  string,
  (queue: MessageQueue, data: Uint8Array, options?: { priority?: number }) => Promise<unknown>
> = {
  send: (queue, data, options) => queue.send(data, options),
  'send in time': (queue, data, options) => queue.send(data, { timeoutMs: 20_000, ...options }),
  sendSync: async (queue, data, options) => queue.sendSync(data, options),
  'sendSync in time': async (queue, data, options) => queue.sendSync(data, { timeoutMs: 20_000, ...options }),
  trySend: async (queue, data, options) => queue.trySend(data, options),
  sendMany: (queue, data, options) => queue.sendMany([{ data, ...options }]),
}
const ways = Object.keys(sends)
const way = (name: string) => sends[name] as (typeof sends)[string]

describe('mq_send, mq_timedsend', () => {
  test.each(ways)('mq_send/1-1, mq_timedsend/1-1: %s puts the message into the queue', async (name) => {
    const queue = queues.create()
    await way(name)(queue, pattern(20), { priority: 3 })
    expect(queue.stat().depth).toBe(1)
    expect(await queue.receive()).toEqual({ data: pattern(20), priority: 3 })
  })

  test.each(ways)(
    'mq_send/2-1, mq_send/14-1, mq_timedsend/2-1, mq_timedsend/14-1, mq_timedsend01: %s refuses one byte more than the queue takes, with both sizes',
    async (name) => {
      const queue = queues.create()
      await way(name)(queue, pattern(64))
      await expect(way(name)(queue, pattern(65))).rejects.toMatchObject({
        code: 'EMSGSIZE',
        syscall: 'mq_send',
        resource: queue.address,
        message: expect.stringMatching(/65 bytes.*at most 64.*msgsize_max/),
      })
      expect(queue.stat().depth).toBe(1)
    },
  )

  test.each([0, 1, 7, 8, 9, 63, 64])(
    'mq_send/2-1, mq_timedsend/2-1: a message of %i bytes arrives as it was sent',
    async (size) => {
      const queue = queues.create({ capacity: ways.length })
      for (const name of ways) await way(name)(queue, pattern(size))
      for (const _ of ways) expect((await queue.receive()).data).toEqual(pattern(size))
    },
  )

  test.each(ways)('mq_send/3-1, mq_timedsend/3-1: messages of %s come out by priority', async (name) => {
    const queue = queues.create({ capacity: 6 })
    for (const priority of [1, 5, 3, 32_767, 0, 2]) await way(name)(queue, pattern(1), { priority })
    const seen = await queue.receiveMany(6)
    expect(seen.map(({ priority }) => priority)).toEqual([32_767, 5, 3, 2, 1, 0])
  })

  test.each(ways)(
    'mq_send/3-2, mq_timedsend/3-2: messages of %s of one priority come out in their order',
    async (name) => {
      const queue = queues.create({ capacity: 10 })
      for (let at = 0; at < 10; at++) await way(name)(queue, pattern(1, at), { priority: at % 2 })
      const seen = await queue.receiveMany(10)
      expect(seen.map(({ data }) => data[0])).toEqual([1, 3, 5, 7, 9, 0, 2, 4, 6, 8])
    },
  )

  test('mq_send/4-1, mq_send/4-2, mq_timedsend/4-1, mq_timedsend/4-2: priorities from 0 to MQ_PRIO_MAX - 1 are taken', async () => {
    const queue = queues.create()
    for (const priority of [0, 1, 31, 32_766, 32_767]) {
      for (const name of ways) {
        await way(name)(queue, pattern(1), { priority })
        expect(await queue.receive()).toMatchObject({ priority })
      }
    }
  })

  test.each(ways)(
    'mq_send/4-3, mq_send/13-1, mq_timedsend/4-3, mq_timedsend/13-1: %s refuses priorities of MQ_PRIO_MAX and more, and what is none',
    async (name) => {
      const queue = queues.create()
      for (const priority of [32_768, -1, 1.5, 2 ** 31, 2 ** 32, 2 ** 53, Number.NaN]) {
        await expect(way(name)(queue, pattern(1), { priority })).rejects.toThrow(RangeError)
      }
      for (const priority of ['1', null, 1n]) {
        await expect(way(name)(queue, pattern(1), { priority: priority as never })).rejects.toThrow(TypeError)
      }
      expect(queue.stat().depth).toBe(0)
    },
  )

  test('mq_send/5-1, mq_timedsend/5-1: send waits while the queue is full, until there is room', async () => {
    const queue = queues.create()
    fill(queue)
    const sent = [queue.send(pattern(8, 4)), queue.send(pattern(8, 5), { timeoutMs: 20_000 })]
    expect(await isPending(Promise.race(sent))).toBe(true)
    for (let at = 0; at < 6; at++) expect((await queue.receive()).data).toEqual(pattern(8, at))
    await Promise.all(sent)
  })

  test('mq_send/5-1: sendSync blocks while the queue is full, until another process makes room', async () => {
    const queue = queues.create()
    fill(queue)
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
    const sent = agent.call(theirs, 'sendSync', pattern(8, 4))
    await until(() => sleepersIn('ppoll', agent.pid) > 0)
    expect(queue.stat().depth).toBe(4)
    for (let at = 0; at < 4; at++) await queue.receive()
    await sent
    expect((await queue.receive()).data).toEqual(pattern(8, 4))
  })

  test.each([
    ['mq_send/5-2, mq_send/12-1', undefined],
    ['mq_timedsend/5-2, mq_timedsend/12-1, mq_timedsend01', { timeoutMs: 20_000 }],
  ])(
    '%s: EINTR when a signal that the process handles comes while its thread is blocked',
    async (_, options) => {
      const queue = queues.create()
      fill(queue)
      const agent = await Agent.start()
      const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
      await agent.call('signals', 'handle', 'SIGINT')
      const blocked = agent.call(theirs, 'sendSync', pattern(8), options).catch((error: unknown) => error)
      await until(() => sleepersIn('ppoll', agent.pid) > 0)
      agent.kill('SIGINT')
      expect(await blocked).toMatchObject({ code: 'EINTR', message: expect.stringContaining('signal') })
      expect(queue.stat().depth).toBe(4)
    },
  )

  test('mq_timedsend/5-2: other signals, and stopping and continuing, end no wait', async () => {
    const queue = queues.create()
    fill(queue)
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
    await agent.call('signals', 'handle', 'SIGUSR2')
    for (const method of ['sendSync', 'send']) {
      const sent = agent.call(theirs, method, pattern(8, 50))
      if (method === 'sendSync') await until(() => sleepersIn('ppoll', agent.pid) > 0)
      for (const signal of ['SIGUSR2', 'SIGSTOP', 'SIGCONT', 'SIGUSR2'] as const) agent.kill(signal)
      expect(await isPending(sent)).toBe(true)
      await queue.receive()
      await sent
    }
    expect(queue.stat().depth).toBe(4)
  })

  test('mq_timedsend/5-3, mq_timedsend/15-1, mq_timedsend/20-1, mq_timedsend01: ETIMEDOUT is TimeoutError when the time is up, not before', async () => {
    const queue = queues.create()
    fill(queue)
    const refusal = { name: 'TimeoutError', code: 'ERR_IPC_TIMEOUT', resource: queue.address }
    for (const timeoutMs of [0, 1, 50]) {
      const start = performance.now()
      await expect(queue.send(pattern(8), { timeoutMs })).rejects.toMatchObject(refusal)
      await expect(queue.sendMany([{ data: pattern(8) }], { timeoutMs })).rejects.toMatchObject(refusal)
      expect(() => queue.sendSync(pattern(8), { timeoutMs })).toThrow(expect.objectContaining(refusal))
      expect(performance.now() - start).toBeGreaterThanOrEqual(3 * timeoutMs)
    }
    expect(queue.stat().depth).toBe(4)
  })

  test('mq_send/7-1, mq_send/10-1, mq_timedsend/7-1, mq_timedsend/10-1, mq_timedsend01: EAGAIN when the queue is full and the handle does not wait', async () => {
    const queue = queues.create()
    fill(queue)
    expect(queue.trySend(pattern(8))).toBe(false)
    queue.setAttributes({ nonblock: true })
    for (const name of ways.filter((name) => name !== 'trySend')) {
      await expect(way(name)(queue, pattern(8))).rejects.toMatchObject({ code: 'EAGAIN', syscall: 'mq_send' })
    }
    expect(queue.stat().depth).toBe(4)
  })

  test.each(ways)(
    'mq_send/8-1, mq_timedsend/8-1: success of %s is nothing, true, or the number of messages',
    async (name) => {
      const success = { trySend: true, sendMany: 1 }[name]
      expect(await way(name)(queues.create(), pattern(8))).toBe(success)
    },
  )

  test('mq_send/9-1, mq_timedsend/9-1: what fails puts nothing into the queue', async () => {
    const queue = queues.create()
    for (const name of ways) {
      await expect(way(name)(queue, pattern(65))).rejects.toThrow()
      await expect(way(name)(queue, pattern(1), { priority: -1 })).rejects.toThrow()
      await expect(way(name)(queue, 'text' as never)).rejects.toThrow(TypeError)
    }
    expect(queue.stat().depth).toBe(0)
  })

  test.each(ways)(
    'mq_send/11-1, mq_send/11-2, mq_timedsend/11-1, mq_timedsend/11-2, mq_timedsend01: EBADF for %s by a handle that may only receive',
    async (name) => {
      const queue = queues.create()
      const reader = queues.again(queue, { access: 'read' })
      await expect(way(name)(reader, pattern(5))).rejects.toMatchObject({ code: 'EBADF', syscall: 'mq_send' })
    },
  )

  test('mq_timedsend/18-1: while there is room no timeout matters', async () => {
    const queue = queues.create()
    for (const timeoutMs of [0, 1, 2 ** 31 - 1]) {
      await queue.send(pattern(8), { timeoutMs })
      queue.sendSync(pattern(8), { timeoutMs })
      await queue.receiveMany(2)
    }
  })

  test('mq_timedsend/19-1, mq_timedsend01: timeouts that cannot be are refused', async () => {
    const queue = queues.create()
    for (const timeoutMs of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 53]) {
      await expect(queue.send(pattern(8), { timeoutMs })).rejects.toThrow(RangeError)
      await expect(queue.sendMany([{ data: pattern(8) }], { timeoutMs })).rejects.toThrow(RangeError)
      expect(() => queue.sendSync(pattern(8), { timeoutMs })).toThrow(RangeError)
    }
    for (const timeoutMs of ['5', null, 5n]) {
      await expect(queue.send(pattern(8), { timeoutMs: timeoutMs as never })).rejects.toThrow(TypeError)
    }
    expect(queue.stat().depth).toBe(0)
  })

  test('options that nobody knows are refused', async () => {
    const queue = queues.create()
    const misspelled = { prio: 5 } as never
    for (const name of ['send', 'sendSync', 'trySend']) {
      await expect(way(name)(queue, pattern(5), misspelled)).rejects.toThrow(TypeError)
    }
    await expect(queue.sendMany([], { timeout: 5 } as never)).rejects.toThrow(TypeError)
    await expect(queue.sendMany(5 as never)).rejects.toThrow(TypeError)
    await expect(queue.sendMany([{ data: 'text' as never }])).rejects.toThrow(TypeError)
  })

  test('a sender that waits is aborted with the reason of its signal, and sends nothing', async () => {
    const queue = queues.create()
    fill(queue)
    const controller = new AbortController()
    const sent = Promise.allSettled([
      queue.send(pattern(8), { signal: controller.signal }),
      queue.sendMany([{ data: pattern(8) }], { signal: controller.signal }),
    ])
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await sent).toEqual([
      { status: 'rejected', reason },
      { status: 'rejected', reason },
    ])
    expect(queue.stat().depth).toBe(4)
  })

  test('sendMany waits for room for all, and keeps the order', async () => {
    const queue = queues.create()
    const sent = queue.sendMany(
      Array.from({ length: 40 }, (_, at) => ({ data: pattern(8, at), priority: 2 })),
    )
    for (let at = 0; at < 40; at++) expect((await queue.receive()).data).toEqual(pattern(8, at))
    expect(await sent).toBe(40)
  })

  test('bytes that a getter of the options takes away are an error, and nothing is sent', async () => {
    const queue = queues.create()
    const data = new Uint8Array(50)
    const options = {
      get timeoutMs() {
        if (data.length > 0) structuredClone(data, { transfer: [data.buffer] })
        return 5
      },
    }
    await expect(queue.send(data, options)).rejects.toMatchObject({ code: 'EFAULT' })
    expect(queue.stat().depth).toBe(0)
  })

  test('bytes in shared memory are sent as they are', async () => {
    const queue = queues.create()
    const data = new Uint8Array(new SharedArrayBuffer(8)).subarray(2, 6)
    data.set([1, 2, 3, 4])
    await queue.send(data)
    await queue.sendMany([{ data }])
    const seen = await queue.receiveMany(2)
    expect(seen.map((message) => message.data)).toEqual([Buffer.from(data), Buffer.from(data)])
  })

  test('bytes that change while their message waits are sent as they were, and views send their own bytes', async () => {
    const queue = queues.create()
    fill(queue)
    const memory = pattern(64, 7)
    const data = memory.subarray(10, 30)
    const sent = [
      queue.send(data),
      queue.sendMany([{ data: new Uint8Array(memory.buffer, memory.byteOffset + 3, 5) }]),
    ]
    const expected = [Buffer.from(memory.subarray(10, 30)), Buffer.from(memory.subarray(3, 8))]
    memory.fill(0)
    for (let at = 0; at < 4; at++) await queue.receive()
    await Promise.all(sent)
    expect([(await queue.receive()).data, (await queue.receive()).data]).toEqual(expected)
  })
})
