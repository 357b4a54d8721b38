/**
 * mq_receive(3) and mq_timedreceive(3): the assertions of the Open POSIX Test Suite (conformance/interfaces/mq_receive,
 * mq_timedreceive), and mq_timedreceive01 of the Linux Test Project.
 *
 * | there | why not here |
 * |---|---|
 * | mq_receive/3-1, mq_timedreceive/3-1 | sizes over SSIZE_MAX cannot be asked for |
 * | mq_receive/6-1, mq_timedreceive/6-1 | which waiting process goes first is the kernel's affair |
 * | mq_receive/14-1, mq_timedreceive/19-1 | EBADMSG: Linux never corrupts a message |
 * | mq_timedreceive/8-1, 9-1 | timeouts are spans on the monotonic clock, not points on the real one |
 * | mq_timedreceive/10-1, second half | a timeout is checked also when a message is there |
 * | mq_timedreceive01 EMSGSIZE, EFAULT, EBADF of descriptors | memory and descriptors are the binding's own: mq_receive/2-1 |
 */
import type { MessageQueue } from 'ipckit/posix'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { changeSetting, ownNamespace } from '../helpers/kernel.ts'
import { pattern } from '../helpers/pattern.ts'
import { isPending, sleepersIn, until } from '../helpers/waiting.ts'
import { nameOf, Queues } from './support.ts'

const queues = new Queues()
endAgents()

/** The ways to receive; each gives one message, and fails as a rejection. Those in time are mq_timedreceive. */
const receives: Record<string, (queue: MessageQueue, options?: object) => Promise<unknown>> = {
  receive: (queue, options) => queue.receive(options),
  'receive in time': (queue) => queue.receive({ timeoutMs: 20_000 }),
  receiveSync: async (queue, options) => queue.receiveSync(options),
  'receiveSync in time': async (queue) => queue.receiveSync({ timeoutMs: 20_000 }),
  tryReceive: async (queue) => queue.tryReceive(),
  receiveMany: async (queue, options) => (await queue.receiveMany(1, options))[0],
}
const ways = Object.keys(receives)
const way = (name: string) => receives[name] as (typeof receives)[string]
/** Those that take options. */
const waitingWays = ['receive', 'receiveSync', 'receiveMany']

describe('mq_receive, mq_timedreceive', () => {
  test.each(ways)(
    'mq_receive/1-1, mq_timedreceive/1-1: %s takes the oldest message of the highest priority',
    async (name) => {
      const queue = queues.create()
      await queue.send(pattern(5, 1), { priority: 1 })
      await queue.send(pattern(5, 2), { priority: 9 })
      await queue.send(pattern(5, 3), { priority: 9 })
      expect(await way(name)(queue)).toEqual({ data: pattern(5, 2), priority: 9 })
      expect(await way(name)(queue)).toEqual({ data: pattern(5, 3), priority: 9 })
      expect(await way(name)(queue)).toEqual({ data: pattern(5, 1), priority: 1 })
    },
  )

  test('mq_receive/2-1, mq_receive/12-1, mq_timedreceive/2-1, mq_timedreceive/15-1: a receiver has room for the largest message of any queue', async () => {
    const sizes = [1, 64, 8192, 5]
    const all = sizes.map((maxMessageBytes) => queues.create({ capacity: 1, maxMessageBytes }))
    for (let round = 0; round < 3; round++) {
      for (const [at, queue] of all.entries()) {
        const size = sizes[at] as number
        for (const name of ways) {
          await queue.send(pattern(size, round))
          expect(await way(name)(queue)).toEqual({ data: pattern(size, round), priority: 0 })
        }
      }
    }
  })

  if (ownNamespace) {
    test('mq_receive/2-1: a receiver has room for messages larger than all that it ever saw', async () => {
      changeSetting('fs/mqueue/msgsize_max', 400_000)
      const queue = queues.create({ capacity: 1, maxMessageBytes: 300_000 })
      await queue.send(pattern(300_000))
      expect((await queue.receive()).data.equals(pattern(300_000))).toBe(true)
      const waiting = queue.receiveMany(256)
      await queue.send(pattern(299_999))
      expect((await waiting)[0]?.data.equals(pattern(299_999))).toBe(true)
    })
  } else {
    test('mq_receive/2-1, in a namespace that is not ours: the largest message that can be', async () => {
      const queue = queues.create({ capacity: 1, maxMessageBytes: 8192 })
      await queue.send(pattern(8192))
      expect((await queue.receive()).data.equals(pattern(8192))).toBe(true)
    })
  }

  test('mq_receive/4-1, mq_timedreceive/4-1: the priority comes with the message', async () => {
    const queue = queues.create()
    for (const priority of [0, 1, 32_767]) {
      for (const name of ways) {
        await queue.send(pattern(1), { priority })
        expect(await way(name)(queue)).toMatchObject({ priority })
      }
    }
  })

  test('mq_receive/5-1, mq_timedreceive/5-1: receive waits while the queue is empty, until a message comes', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const received = [queue.receive(), queue.receive({ timeoutMs: 20_000 }), queue.receiveMany(2)]
    expect(await isPending(Promise.race(received))).toBe(true)
    for (let at = 0; at < 3; at++) await other.send(pattern(5, at))
    expect(await Promise.all(received)).toEqual([
      { data: pattern(5, 0), priority: 0 },
      { data: pattern(5, 1), priority: 0 },
      [{ data: pattern(5, 2), priority: 0 }],
    ])
  })

  test('mq_receive/5-1: receiveSync blocks while the queue is empty, until another process sends', async () => {
    const queue = queues.create()
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
    const received = agent.call(theirs, 'receiveSync')
    await until(() => sleepersIn('ppoll', agent.pid) > 0)
    await queue.send(pattern(5), { priority: 6 })
    expect(await received).toEqual({ data: expect.anything(), priority: 6 })
  })

  test('mq_timedreceive/5-2, mq_timedreceive/18-1, mq_timedreceive/18-2, mq_timedreceive01: ETIMEDOUT is TimeoutError when the time is up, not before', async () => {
    const queue = queues.create()
    for (const name of waitingWays) {
      for (const timeoutMs of [0, 1, 50]) {
        const start = performance.now()
        await expect(way(name)(queue, { timeoutMs })).rejects.toMatchObject({
          name: 'TimeoutError',
          code: 'ERR_IPC_TIMEOUT',
          resource: queue.address,
        })
        expect(performance.now() - start).toBeGreaterThanOrEqual(timeoutMs)
      }
    }
  })

  test.each([
    ['mq_receive/13-1', undefined],
    ['mq_timedreceive/5-3, mq_timedreceive/16-1, mq_timedreceive01', { timeoutMs: 20_000 }],
  ])(
    '%s: EINTR when a signal that the process handles comes while its thread is blocked',
    async (_, options) => {
      const queue = queues.create()
      const agent = await Agent.start()
      const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
      await agent.call('signals', 'handle', 'SIGINT')
      const blocked = agent.call(theirs, 'receiveSync', options).catch((error: unknown) => error)
      await until(() => sleepersIn('ppoll', agent.pid) > 0)
      agent.kill('SIGINT')
      expect(await blocked).toMatchObject({ code: 'EINTR', message: expect.stringContaining('signal') })
      await queue.send(pattern(5))
      expect(await agent.call(theirs, 'receiveSync')).toMatchObject({ priority: 0 })
    },
  )

  test('mq_receive/13-1: other signals, and stopping and continuing, end no wait', async () => {
    const queue = queues.create()
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
    await agent.call('signals', 'handle', 'SIGUSR2')
    for (const method of ['receiveSync', 'receive']) {
      const received = agent.call(theirs, method)
      if (method === 'receiveSync') await until(() => sleepersIn('ppoll', agent.pid) > 0)
      for (const signal of ['SIGUSR2', 'SIGSTOP', 'SIGCONT', 'SIGUSR2'] as const) agent.kill(signal)
      expect(await isPending(received)).toBe(true)
      await queue.send(pattern(5), { priority: 4 })
      expect(await received).toMatchObject({ priority: 4 })
    }
  })

  test('mq_receive/7-1, mq_receive/10-1, mq_timedreceive/7-1, mq_timedreceive/13-1, mq_timedreceive01: EAGAIN when the queue is empty and the handle does not wait', async () => {
    const queue = queues.create()
    expect(queue.tryReceive()).toBeUndefined()
    queue.setAttributes({ nonblock: true })
    for (const name of ways.filter((name) => name !== 'tryReceive')) {
      await expect(way(name)(queue)).rejects.toMatchObject({ code: 'EAGAIN', syscall: 'mq_receive' })
    }
  })

  test.each(ways)(
    'mq_receive/8-1, mq_timedreceive/11-1: the data that %s gives is as long as the message, and in memory of its own',
    async (name) => {
      const queue = queues.create()
      const kept: unknown[] = []
      for (const size of [0, 1, 63, 64, 0, 17]) {
        await queue.send(pattern(size, size))
        kept.push(await way(name)(queue))
        expect(queue.stat().depth).toBe(0)
      }
      expect(kept).toEqual([0, 1, 63, 64, 0, 17].map((size) => ({ data: pattern(size, size), priority: 0 })))
    },
  )

  test('mq_receive/9-1, mq_timedreceive/12-1: what fails takes nothing', async () => {
    const queue = queues.create()
    await queue.send(pattern(5))
    const writer = queues.again(queue, { access: 'write' })
    for (const name of ways) await expect(way(name)(writer)).rejects.toThrow()
    for (const name of waitingWays) {
      await expect(way(name)(queue, { timeoutMs: -1 })).rejects.toThrow(RangeError)
      await expect(way(name)(queue, { timeout: 1 })).rejects.toThrow(TypeError)
      await expect(way(name)(queue, 5 as never)).rejects.toThrow(TypeError)
    }
    for (const max of [0, -1, 257, 1.5, 2 ** 31, 2 ** 53])
      await expect(queue.receiveMany(max)).rejects.toThrow(RangeError)
    await expect(queue.receiveMany('1' as never)).rejects.toThrow(TypeError)
    await expect(queue.receive({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
    expect(queue.stat().depth).toBe(1)
  })

  test.each(ways)(
    'mq_receive/11-1, mq_receive/11-2, mq_timedreceive/14-1, mq_timedreceive01: EBADF for %s by a handle that may only send',
    async (name) => {
      const writer = queues.again(queues.create(), { access: 'write' })
      await expect(way(name)(writer)).rejects.toMatchObject({ code: 'EBADF', syscall: 'mq_receive' })
    },
  )

  test('mq_timedreceive/10-1: while a message is there no timeout matters', async () => {
    const queue = queues.create()
    for (const name of waitingWays) {
      for (const timeoutMs of [0, 1, 2 ** 31 - 1]) {
        await queue.send(pattern(5))
        expect(await way(name)(queue, { timeoutMs })).toEqual({ data: pattern(5), priority: 0 })
      }
    }
  })

  test('mq_timedreceive/17-1, mq_timedreceive/17-2, mq_timedreceive/17-3, mq_timedreceive01: timeouts that cannot be are refused', async () => {
    const queue = queues.create()
    for (const name of waitingWays) {
      for (const timeoutMs of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 53]) {
        await expect(way(name)(queue, { timeoutMs })).rejects.toThrow(RangeError)
      }
      for (const timeoutMs of ['5', null, 5n])
        await expect(way(name)(queue, { timeoutMs })).rejects.toThrow(TypeError)
    }
  })

  test('receiveMany takes all that is there, in its order', async () => {
    const queue = queues.create({ capacity: 8 })
    for (let at = 0; at < 8; at++) await queue.send(pattern(5, at), { priority: at % 3 })
    const seen = await queue.receiveMany(256)
    expect(seen.map(({ priority }) => priority)).toEqual([2, 2, 1, 1, 1, 0, 0, 0])
    expect(seen.map(({ data }) => data)).toEqual([2, 5, 1, 4, 7, 0, 3, 6].map((at) => pattern(5, at)))
  })

  test('processes that wait for one queue share its messages, and each comes once', async () => {
    const queue = queues.create()
    const agents = await Promise.all([Agent.start(), Agent.start()])
    const seen: number[] = []
    const workers = agents.map(async (agent) => {
      const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue), { access: 'read' })
      for (;;) {
        const { data } = (await agent.call(theirs, 'receive')) as { data: Uint8Array }
        if (data.length === 0) return
        seen.push(data[0] as number)
      }
    })
    for (let at = 0; at < 200; at++) await queue.send(Buffer.from([at]))
    for (const _ of agents) await queue.send(Buffer.alloc(0))
    await Promise.all(workers)
    expect(seen.sort((one, other) => one - other)).toEqual(Array.from({ length: 200 }, (_, at) => at))
  })
})
