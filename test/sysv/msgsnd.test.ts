/**
 * msgsnd(2), after the tests of the Linux Test Project (testcases/kernel/syscalls/ipc/msgsnd).
 *
 * | there | why not here |
 * |---|---|
 * | msgsnd02 EFAULT | the binding passes memory of its own |
 * | msgsnd02 EINVAL for a negative size | sizes are those of the bytes |
 * | msgsnd02 EINVAL for a bad id | a handle is of a queue that existed; removed ones are in msgctl03 |
 */
import { Queue, raw } from 'ipckit'
import { type MessageQueue, usage } from 'ipckit/sysv'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger, withoutPrivileges } from '../helpers/agent.ts'
import { changeSetting, ownNamespace } from '../helpers/kernel.ts'
import { pattern } from '../helpers/pattern.ts'
import { isPending, sleepersIn, until } from '../helpers/waiting.ts'
import { Queues } from './support.ts'

const queues = new Queues()
endAgents()

/** A queue of four messages of 16 bytes, full. */
function fullQueue(): MessageQueue {
  const queue = queues.create({ maxBytes: 64 })
  while (queue.trySend(pattern(16))) {}
  expect(queue.stat()).toMatchObject({ depth: 4, bytes: 64, maxBytes: 64 })
  return queue
}

describe('msgsnd', () => {
  test('msgsnd01: a sent message is counted, with its bytes, its sender and the time', async () => {
    const queue = queues.create()
    const before = Math.floor(Date.now() / 1000) * 1000
    await queue.send(pattern(1000), { type: 9 })
    const stat = queue.stat()
    expect(stat).toMatchObject({ depth: 1, bytes: 1000, lastSender: process.pid, lastReceiver: 0 })
    expect(stat.lastSendTime?.getTime()).toBeGreaterThanOrEqual(before)
    expect(stat.lastReceiveTime).toBeUndefined()
  })

  if (mayChangeUser) {
    test('msgsnd02: EACCES when the mode does not let a user send', async () => {
      const queue = queues.create({ mode: 0o604 })
      const agent = await Agent.start({ uid: stranger })
      const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
      for (const method of ['send', 'trySend', 'sendSync']) {
        await expect(agent.call(theirs, method, pattern(5))).rejects.toMatchObject({
          code: 'EACCES',
          syscall: 'msgsnd',
          resource: queue.address,
        })
      }
      expect(queue.stat().depth).toBe(0)
    })
  } else {
    test('not root: EACCES when the mode does not let the owner send', async () => {
      const queue = queues.create({ mode: 0o400 })
      const agent = await Agent.start(withoutPrivileges)
      const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
      await expect(agent.call(theirs, 'send', pattern(5))).rejects.toMatchObject({
        code: 'EACCES',
        syscall: 'msgsnd',
      })
    })
  }

  test.each([0, -1, -(2 ** 31), 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])(
    'msgsnd02: the type %d is refused',
    async (type) => {
      const queue = queues.create()
      await expect(queue.send(pattern(5), { type })).rejects.toThrow(RangeError)
      await expect(queue.sendMany([{ data: pattern(5), type }])).rejects.toThrow(RangeError)
      expect(() => queue.trySend(pattern(5), { type })).toThrow(RangeError)
      expect(() => queue.sendSync(pattern(5), { type })).toThrow(RangeError)
      expect(queue.stat().depth).toBe(0)
    },
  )

  test.each(['1', null, 1n, {}])('msgsnd02: the type %o is refused', async (type) => {
    const queue = queues.create()
    await expect(queue.send(pattern(5), { type: type as never })).rejects.toThrow(TypeError)
    await expect(queue.sendMany([{ data: pattern(5), type: type as never }])).rejects.toThrow(TypeError)
    expect(queue.stat().depth).toBe(0)
  })

  test.each(['hello', null, undefined, new ArrayBuffer(5), new Uint16Array(5), [1, 2]])(
    'msgsnd02: what is no bytes, as %o, is refused',
    async (data) => {
      const queue = queues.create()
      await expect(queue.send(data as never)).rejects.toThrow(TypeError)
      await expect(queue.sendMany([{ data: data as never }])).rejects.toThrow(TypeError)
      expect(() => queue.trySend(data as never)).toThrow(TypeError)
    },
  )

  test('msgsnd05: a full queue takes nothing from who will not wait (EAGAIN)', () => {
    const queue = fullQueue()
    expect(queue.trySend(pattern(1))).toBe(false)
    expect(queue.stat()).toMatchObject({ depth: 4, bytes: 64 })
  })

  test('msgsnd05: EINTR when a signal that the process handles comes while its thread is blocked', async () => {
    const queue = fullQueue()
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    await agent.call('signals', 'handle', 'SIGINT')
    const blocked = agent.call(theirs, 'sendSync', pattern(5)).catch((error: unknown) => error)
    await until(() => sleepersIn('msgsnd', agent.pid) > 0)
    agent.kill('SIGINT')
    expect(await blocked).toMatchObject({
      code: 'EINTR',
      syscall: 'msgsnd',
      message: expect.stringContaining('signal'),
    })
    expect(queue.stat().depth).toBe(4)
  })

  test('msgsnd05: a signal that nothing handles ends a process that is blocked', async () => {
    const queue = fullQueue()
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    const blocked = agent.call(theirs, 'sendSync', pattern(5)).catch((error: Error) => error.message)
    await until(() => sleepersIn('msgsnd', agent.pid) > 0)
    agent.kill('SIGTERM')
    expect(await blocked).toBe('the agent ended: SIGTERM')
    expect(queue.stat().depth).toBe(4)
  })

  test('msgsnd06: EIDRM when the queue is removed while senders wait', async () => {
    const queue = fullQueue()
    const other = queues.again(queue)
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    const calls = Promise.allSettled([
      queue.send(pattern(5)),
      queue.send(pattern(6), { timeoutMs: 20_000 }),
      queue.sendMany([{ data: pattern(7) }, { data: pattern(8) }]),
      other.send(pattern(9)),
      agent.call(theirs, 'send', pattern(10)),
    ])
    const blocked = agent.call(theirs, 'sendSync', pattern(11)).catch((error: unknown) => error)
    await until(() => sleepersIn('msgsnd') >= 2 && sleepersIn('msgsnd', agent.pid) >= 1)
    other.unlink()
    for (const call of await calls) {
      expect(call).toMatchObject({
        status: 'rejected',
        reason: { name: 'RemovedError', code: 'EIDRM', syscall: 'msgsnd' },
      })
    }
    expect(await blocked).toMatchObject({ name: 'RemovedError', code: 'EIDRM' })
  })

  test('messages of one type and of many come out in the order in which they were sent', async () => {
    const queue = queues.create()
    for (let at = 0; at < 100; at++) await queue.send(pattern(3, at), { type: 1 + (at % 7) })
    for (let at = 0; at < 100; at++)
      expect(await queue.receive()).toEqual({ data: pattern(3, at), type: 1 + (at % 7) })
  })

  test.each([1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 32 + 5, 2 ** 53 - 1])(
    'the type %i arrives as it was sent',
    async (type) => {
      const queue = queues.create()
      await queue.send(pattern(5), { type })
      await queue.sendMany([{ data: pattern(6), type }])
      queue.trySend(pattern(7), { type })
      queue.sendSync(pattern(8), { type })
      for (const length of [5, 6, 7, 8])
        expect(await queue.receive({ type })).toEqual({ data: pattern(length), type })
    },
  )

  test.each([0, 1, 8191, 8192])('a message of %i bytes arrives as it was sent', async (length) => {
    const queue = queues.create()
    await queue.send(pattern(length))
    expect((await queue.receive()).data.equals(pattern(length))).toBe(true)
  })

  test('a view into larger memory sends its own bytes', async () => {
    const queue = queues.create()
    const memory = pattern(1000)
    await queue.send(memory.subarray(100, 120))
    await queue.sendMany([{ data: new Uint8Array(memory.buffer, memory.byteOffset + 7, 5) }])
    expect((await queue.receive()).data).toEqual(Buffer.from(memory.subarray(100, 120)))
    expect((await queue.receive()).data).toEqual(Buffer.from(memory.subarray(7, 12)))
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

  test('bytes that change while their message waits for room are sent as they were', async () => {
    const queue = fullQueue()
    const data = pattern(16, 9)
    const sent = queue.send(data, { type: 2 })
    const many = queue.sendMany([{ data, type: 2 }])
    data.fill(0)
    for (let at = 0; at < 4; at++) await queue.receive({ type: 1 })
    await Promise.all([sent, many])
    const seen = [await queue.receive({ type: 2 }), await queue.receive({ type: 2 })]
    expect(seen.map((message) => message.data)).toEqual([pattern(16, 9), pattern(16, 9)])
  })

  test('one byte more than kernel.msgmax is EMSGSIZE, with both sizes and what raises the limit', async () => {
    const queue = queues.create()
    expect(queue.maxMessageBytes).toBe(8192)
    const refusal = {
      code: 'EMSGSIZE',
      syscall: 'msgsnd',
      message: expect.stringMatching(/8193 bytes.*8192.*sysctl -w kernel\.msgmax=8193/),
    }
    await expect(queue.send(pattern(8193))).rejects.toMatchObject(refusal)
    await expect(queue.sendMany([{ data: pattern(8193) }])).rejects.toMatchObject(refusal)
    expect(() => queue.trySend(pattern(8193))).toThrow(expect.objectContaining(refusal))
    expect(() => queue.sendSync(pattern(8193))).toThrow(expect.objectContaining(refusal))
    expect(queue.stat().depth).toBe(0)
  })

  test('a message larger than kernel.msgmax and the queue names both, and one larger than the queue the queue alone', () => {
    const queue = queues.create({ maxBytes: 100 })
    const advise = (length: number): string => {
      try {
        queue.trySend(pattern(length))
      } catch (error) {
        return (error as Error).message
      }
      return ''
    }
    expect(advise(202)).toMatch(
      /202 bytes.*at most 100.*larger `maxBytes`.*MessageQueue\.set of ipckit\/sysv/,
    )
    expect(advise(202)).not.toMatch(/msgmax|sysctl/)
    expect(advise(8193)).toMatch(/8193 bytes.*sysctl -w kernel\.msgmax=8193.*at most 100.*`maxBytes`/)
    const roomy = queues.create()
    expect(() => roomy.trySend(pattern(8193))).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('maxBytes') }),
    )
  })

  test('sendMany that meets a message that is too large says how many came before it', async () => {
    const queue = queues.create()
    const messages = [pattern(1), pattern(2), pattern(8193), pattern(4)].map((data) => ({ data }))
    const sent = await queue.sendMany(messages)
    expect(sent).toBe(2)
    expect(queue.stat().depth).toBe(2)
  })

  test('a message larger than the queue is EMSGSIZE and no endless wait', async () => {
    const queue = queues.create({ maxBytes: 64 })
    expect(queue.maxMessageBytes).toBe(64)
    const refusal = { code: 'EMSGSIZE', message: expect.stringMatching(/65 bytes.*64/) }
    await expect(queue.send(pattern(65))).rejects.toMatchObject(refusal)
    await expect(queue.sendMany([{ data: pattern(65) }])).rejects.toMatchObject(refusal)
    expect(() => queue.trySend(pattern(65))).toThrow(expect.objectContaining(refusal))
    expect(() => queue.sendSync(pattern(65))).toThrow(expect.objectContaining(refusal))
    await queue.send(pattern(64))
    await expect(queue.send(pattern(65))).rejects.toMatchObject(refusal)
  })

  test('a message larger than the queue after somebody made it smaller is EMSGSIZE and no endless wait', async () => {
    const queue = queues.create()
    const blocking = queues.again(queue)
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    await agent.call(theirs, 'set', { maxBytes: 64 })
    await expect(queue.send(pattern(65))).rejects.toMatchObject({ code: 'EMSGSIZE' })
    expect(queue.maxMessageBytes).toBe(64)
    expect(() => blocking.sendSync(pattern(65))).toThrow(expect.objectContaining({ code: 'EMSGSIZE' }))
    await queue.send(pattern(64))
  })

  test('a message that waits behind others and no longer fits is EMSGSIZE, and those behind it are sent', async () => {
    const queue = fullQueue()
    const waiting = [queue.send(pattern(16)), queue.send(pattern(50)), queue.send(pattern(1))]
    const outcome = Promise.allSettled(waiting)
    await until(() => sleepersIn('msgsnd') === 1)
    queues.again(queue).set({ maxBytes: 20 })
    while (queue.tryReceive() !== undefined) {}
    await until(() => queue.stat().depth > 0)
    while (await isPending(outcome)) queue.tryReceive()
    expect(await outcome).toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: { code: 'EMSGSIZE' } },
      { status: 'fulfilled' },
    ])
  })

  test('send waits until another process makes room', async () => {
    const queue = fullQueue()
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    const sent = queue.send(pattern(16, 7), { type: 7 })
    await until(() => sleepersIn('msgsnd') === 1)
    expect(await isPending(sent)).toBe(true)
    await agent.call(theirs, 'receive')
    await sent
    expect(await queue.receive({ type: 7 })).toEqual({ data: pattern(16, 7), type: 7 })
  })

  test('sendSync waits until another process makes room', async () => {
    const queue = fullQueue()
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    const sent = agent.call(theirs, 'sendSync', pattern(16, 7), { type: 7, timeoutMs: 20_000 })
    await until(() => sleepersIn('msgsnd', agent.pid) > 0)
    await queue.receive()
    await sent
    expect(await queue.receive({ type: 7 })).toEqual({ data: pattern(16, 7), type: 7 })
  })

  test('sendSync comes behind sends of the same handle that wait', async () => {
    const queue = fullQueue()
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    const waiting = [agent.call(theirs, 'send', pattern(16, 100), { type: 2 })]
    await until(() => sleepersIn('msgsnd', agent.pid) > 0)
    waiting.push(agent.call(theirs, 'sendSync', pattern(16, 101), { type: 2, timeoutMs: 20_000 }))
    await until(() => sleepersIn('msgsnd', agent.pid) > 0)
    const seen = [await queue.receive({ except: 2 }), await queue.receive({ except: 2 })]
    expect(seen.length).toBe(2)
    await Promise.all(waiting)
    expect((await queue.receive({ type: 2 })).data).toEqual(pattern(16, 100))
    expect((await queue.receive({ type: 2 })).data).toEqual(pattern(16, 101))
  })

  test('a queue is full also by its number of messages: as many as it has bytes', async () => {
    const queue = queues.create({ maxBytes: 5 })
    for (let at = 0; at < 5; at++) expect(queue.trySend(pattern(0))).toBe(true)
    expect(queue.trySend(pattern(0))).toBe(false)
    const sent = queue.send(pattern(0), { type: 6 })
    expect(await isPending(sent)).toBe(true)
    await queue.receive()
    await sent
    expect(queue.stat()).toMatchObject({ depth: 5, bytes: 0 })
  })

  if (ownNamespace) {
    test('a limit that was raised or lowered since the queue was opened holds', async () => {
      const made = queues.create()
      const queue = await Queue.open(made.address as 'sysv:id=1', { codec: raw() })
      onTestFinished(() => queue.close())
      changeSetting('kernel/msgmax', 10_000)
      await queue.put(pattern(9000))
      expect(queue.maxMessageBytes).toBe(10_000)
      await expect(queue.put(pattern(10_001))).rejects.toMatchObject({
        code: 'EMSGSIZE',
        message: expect.stringMatching(/kernel\.msgmax is 10000.*kernel\.msgmax=10001/),
      })
      expect(made.stat().maxMessageBytes).toBe(10_000)
      expect((await queue.get()).length).toBe(9000)

      changeSetting('kernel/msgmax', 1000)
      const refusal = {
        code: 'EMSGSIZE',
        message: expect.stringMatching(/2000 bytes.*kernel\.msgmax is 1000/),
      }
      expect(() => made.trySend(pattern(2000))).toThrow(expect.objectContaining(refusal))
      expect(made.maxMessageBytes).toBe(1000)
      await expect(queues.again(made).sendMany([{ data: pattern(2000) }])).rejects.toMatchObject(refusal)
      await expect(queue.put(pattern(2000))).rejects.toMatchObject(refusal)
      expect(() => queue.tryPut(pattern(2000))).toThrow(expect.objectContaining(refusal))
      expect(() => queue.putSync(pattern(2000))).toThrow(expect.objectContaining(refusal))
      expect(queue.stat()).toMatchObject({ maxMessageBytes: 1000, depth: 0 })
      await queue.put(pattern(1000))
    })

    test('messages of a megabyte cross when the limits are raised', async () => {
      changeSetting('kernel/msgmax', 2 ** 20)
      changeSetting('kernel/msgmnb', 2 ** 21)
      const queue = queues.create()
      expect(queue.maxMessageBytes).toBe(2 ** 20)
      for (const length of [2 ** 20, 300_000, 2 ** 18, 2 ** 18 - 8, 2 ** 18 - 7, 5]) {
        await queue.send(pattern(length, 3))
        expect((await queue.receive()).data.equals(pattern(length, 3))).toBe(true)
        await queue.sendMany([{ data: pattern(length, 4) }])
        expect((await queue.receiveMany(256))[0]?.data.equals(pattern(length, 4))).toBe(true)
        queue.sendSync(pattern(length, 5))
        expect(queue.peek()?.data.equals(pattern(length, 5))).toBe(true)
        expect(queue.receiveSync({ timeoutMs: 0 }).data.equals(pattern(length, 5))).toBe(true)
      }
    })
  } else {
    test('in a namespace that is not ours: a queue of the default size has the size of kernel.msgmnb', () => {
      expect(queues.create().stat().maxBytes).toBeGreaterThan(0)
    })
  }

  test('a queue larger than kernel.msgmnb is EPERM, with what raises the limit, and is not made', async () => {
    const agent = await Agent.start(mayChangeUser ? { uid: stranger } : withoutPrivileges)
    const before = usage().queues
    await expect(
      agent.call('sysv.MessageQueue', 'create', 'private', { maxBytes: 2 ** 30 }),
    ).rejects.toMatchObject({
      code: 'EPERM',
      syscall: 'msgctl',
      message: expect.stringMatching(/msgmnb.*sysctl -w/),
    })
    expect(usage().queues).toBe(before)
  })
})
