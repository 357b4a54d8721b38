/**
 * msgrcv(2), after the tests of the Linux Test Project (testcases/kernel/syscalls/ipc/msgrcv).
 *
 * | there | why not here |
 * |---|---|
 * | msgrcv02 EFAULT | the binding receives into memory of its own |
 * | msgrcv02 EINVAL for a negative size | `maxBytes` is checked before the call |
 * | msgrcv03 MSG_COPY without IPC_NOWAIT, with MSG_EXCEPT | `peek` never waits and has no selector |
 * | msgrcv08 | 32-bit programs on a 64-bit kernel |
 */
import { type MessageQueue, maxType } from 'ipckit/sysv'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger, withoutPrivileges } from '../helpers/agent.ts'
import { changeSetting, ownNamespace } from '../helpers/kernel.ts'
import { pattern } from '../helpers/pattern.ts'
import { isPending, sleepersIn, until } from '../helpers/waiting.ts'
import { Queues, sendFromPython } from './support.ts'

const queues = new Queues()
endAgents()

/** A queue of messages of these types, each of as many bytes as its place in the list. */
async function queueOf(...types: number[]): Promise<MessageQueue> {
  const queue = queues.create()
  for (const [at, type] of types.entries()) await queue.send(pattern(at + 1), { type })
  return queue
}

const typesOf = (queue: MessageQueue) =>
  Array.from({ length: queue.stat().depth }, () => queue.tryReceive()?.type)

describe('msgrcv', () => {
  test('msgrcv01: a received message is counted out, with its receiver and the time', async () => {
    const queue = queues.create()
    await queue.send(pattern(1000), { type: 4 })
    const before = Math.floor(Date.now() / 1000) * 1000
    expect(await queue.receive()).toEqual({ data: pattern(1000), type: 4 })
    const stat = queue.stat()
    expect(stat).toMatchObject({ depth: 0, bytes: 0, lastReceiver: process.pid })
    expect(stat.lastReceiveTime?.getTime()).toBeGreaterThanOrEqual(before)
  })

  test('msgrcv02: E2BIG for a message longer than maxBytes, which stays in the queue', async () => {
    const queue = queues.create()
    await queue.send(pattern(100), { type: 3 })
    const refusal = {
      code: 'E2BIG',
      syscall: 'msgrcv',
      resource: queue.address,
      message: expect.stringMatching(/longer than the 99 bytes.*stays in the queue/),
    }
    await expect(queue.receive({ maxBytes: 99 })).rejects.toMatchObject(refusal)
    await expect(queue.receiveMany(5, { maxBytes: 99 })).rejects.toMatchObject(refusal)
    await expect(queue.receive({ type: 3, maxBytes: 99 })).rejects.toMatchObject(refusal)
    expect(() => queue.tryReceive({ maxBytes: 99 })).toThrow(expect.objectContaining(refusal))
    expect(() => queue.receiveSync({ maxBytes: 99 })).toThrow(expect.objectContaining(refusal))
    expect(queue.stat().depth).toBe(1)
    expect(await queue.receive({ maxBytes: 100 })).toEqual({ data: pattern(100), type: 3 })
  })

  test('msgrcv02: E2BIG also for one who waited, and then the message is there for others', async () => {
    const queue = queues.create()
    const small = queue.receive({ maxBytes: 3 })
    const outcome = Promise.allSettled([small])
    expect(await isPending(small)).toBe(true)
    await queues.again(queue).send(pattern(4))
    expect(await outcome).toMatchObject([{ status: 'rejected', reason: { code: 'E2BIG' } }])
    expect((await queue.receive()).data).toEqual(pattern(4))
  })

  if (mayChangeUser) {
    test('msgrcv02: EACCES when the mode does not let a user receive', async () => {
      const queue = queues.create({ mode: 0o602 })
      await queue.send(pattern(5))
      const agent = await Agent.start({ uid: stranger })
      const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
      for (const method of ['receive', 'tryReceive', 'receiveSync', 'peek']) {
        await expect(agent.call(theirs, method)).rejects.toMatchObject({ code: 'EACCES', syscall: 'msgrcv' })
      }
      expect(queue.stat().depth).toBe(1)
    })

    test('EACCES when the mode is taken away from one who waits', async () => {
      const queue = queues.create({ mode: 0o606 })
      const agent = await Agent.start({ uid: stranger })
      const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
      const waiting = Promise.allSettled([agent.call(theirs, 'receive')])
      await until(() => sleepersIn('msgrcv', agent.pid) === 1)
      queue.set({ mode: 0o600 })
      expect(await waiting).toMatchObject([{ status: 'rejected', reason: { code: 'EACCES' } }])
    })
  } else {
    test('not root: EACCES when the mode does not let the owner receive', async () => {
      const queue = queues.create()
      await queue.send(pattern(5))
      queue.set({ mode: 0o200 })
      const agent = await Agent.start(withoutPrivileges)
      const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
      await expect(agent.call(theirs, 'receive')).rejects.toMatchObject({ code: 'EACCES', syscall: 'msgrcv' })
      await expect(agent.call(theirs, 'peek')).rejects.toMatchObject({ code: 'EACCES', syscall: 'msgrcv' })
    })
  }

  test('msgrcv02: ENOMSG is undefined: a try that finds no message that is wanted', async () => {
    const queue = await queueOf(3, 5)
    expect(queue.tryReceive({ type: 4 })).toBeUndefined()
    expect(queue.tryReceive({ maxType: 2 })).toBeUndefined()
    expect(queue.tryReceive({ except: 3 })?.type).toBe(5)
    expect(queue.tryReceive({ except: 3 })).toBeUndefined()
    expect(queue.stat().depth).toBe(1)
  })

  test('msgrcv03: peek beyond the last message gives nothing, and positions that cannot be are refused', async () => {
    const queue = await queueOf(1, 2)
    expect(queue.peek(2)).toBeUndefined()
    expect(queue.peek(2 ** 31 - 1)).toBeUndefined()
    expect(queues.create().peek()).toBeUndefined()
    for (const bad of [-1, 2 ** 31, 2 ** 53, 0.5, Number.NaN])
      expect(() => queue.peek(bad)).toThrow(RangeError)
    expect(() => queue.peek('1' as never)).toThrow(TypeError)
  })

  test('msgrcv05: EINTR when a signal that the process handles comes while its thread is blocked', async () => {
    const queue = queues.create()
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    await agent.call('signals', 'handle', 'SIGINT')
    const blocked = agent.call(theirs, 'receiveSync').catch((error: unknown) => error)
    await until(() => sleepersIn('msgrcv', agent.pid) > 0)
    agent.kill('SIGINT')
    expect(await blocked).toMatchObject({
      code: 'EINTR',
      syscall: 'msgrcv',
      message: expect.stringContaining('signal'),
    })
    await queue.send(pattern(5))
    expect(await agent.call(theirs, 'receiveSync')).toMatchObject({ type: 1 })
  })

  test('msgrcv05: other signals, and stopping and continuing, do not end a blocked or a waiting call', async () => {
    const queue = queues.create()
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    await agent.call('signals', 'handle', 'SIGUSR2')
    for (const method of ['receiveSync', 'receive']) {
      const waiting = agent.call(theirs, method)
      await until(() => sleepersIn('msgrcv', agent.pid) > 0)
      for (const signal of ['SIGUSR2', 'SIGSTOP', 'SIGCONT', 'SIGUSR2'] as const) agent.kill(signal)
      await until(() => sleepersIn('msgrcv', agent.pid) > 0)
      await queue.send(pattern(5), { type: 7 })
      expect(await waiting).toMatchObject({ type: 7 })
    }
  })

  test('msgrcv06: EIDRM when the queue is removed while receivers wait', async () => {
    const queue = queues.create()
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    const blocked = agent.call(theirs, 'receiveSync', { timeoutMs: 20_000 }).catch((error: unknown) => error)
    await until(() => sleepersIn('msgrcv', agent.pid) > 0)
    queue.unlink()
    expect(await blocked).toMatchObject({ name: 'RemovedError', code: 'EIDRM', syscall: 'msgrcv' })
  })

  test('msgrcv06: removing the queue wakes all of fifty who wait, with an error for each', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const waits = Array.from({ length: 50 }, (_, at) => {
      const handle = at % 2 === 0 ? queue : other
      if (at % 5 === 0) return handle.receive({ type: 1 + at })
      if (at % 5 === 1) return handle.receive({ maxType: 1 + at })
      if (at % 5 === 2) return handle.receive({ except: 1 + at, timeoutMs: 20_000 })
      if (at % 5 === 3) return handle.receiveMany(3)
      return handle.receive()
    })
    const outcome = Promise.allSettled(waits)
    await until(() => sleepersIn('msgrcv') >= 32)
    queue.unlink()
    const errors = new Set<unknown>()
    for (const each of await outcome) {
      expect(each).toMatchObject({
        status: 'rejected',
        reason: { name: 'RemovedError', code: 'EIDRM', syscall: 'msgrcv', resource: queue.address },
      })
      errors.add((each as PromiseRejectedResult).reason)
    }
    expect(errors.size).toBe(50)
  })

  test('msgrcv07: without a type the oldest message comes', async () => {
    expect(typesOf(await queueOf(3, 1, 2))).toEqual([3, 1, 2])
  })

  test('msgrcv07: a positive type takes the oldest of that type', async () => {
    const queue = await queueOf(3, 1, 3, 2)
    expect(await queue.receive({ type: 3 })).toEqual({ data: pattern(1), type: 3 })
    expect(await queue.receive({ type: 3 })).toEqual({ data: pattern(3), type: 3 })
    expect(typesOf(queue)).toEqual([1, 2])
  })

  test('msgrcv07: a negative type, which is maxType, takes the oldest of the lowest type up to it', async () => {
    const queue = await queueOf(9, 5, 7, 5, 6)
    expect(await queue.receive({ maxType: 8 })).toEqual({ data: pattern(2), type: 5 })
    expect(await queue.receive({ maxType: 8 })).toEqual({ data: pattern(4), type: 5 })
    expect(await queue.receive({ maxType: 6 })).toEqual({ data: pattern(5), type: 6 })
    expect(queue.tryReceive({ maxType: 6 })).toBeUndefined()
    expect(typesOf(queue)).toEqual([9, 7])
  })

  test('msgrcv07: MSG_EXCEPT, which is except, takes the oldest of any other type', async () => {
    const queue = await queueOf(2, 2, 3, 1)
    expect(await queue.receive({ except: 2 })).toEqual({ data: pattern(3), type: 3 })
    expect(await queue.receive({ except: 2 })).toEqual({ data: pattern(4), type: 1 })
    expect(typesOf(queue)).toEqual([2, 2])
  })

  test('msgrcv07: MSG_NOERROR, which is truncate, takes the beginning of a longer message, and the end is lost', async () => {
    const queue = queues.create()
    for (let round = 0; round < 5; round++) await queue.send(pattern(100, round), { type: 3 })
    expect(await queue.receive({ maxBytes: 10, truncate: true })).toEqual({ data: pattern(10, 0), type: 3 })
    expect(queue.tryReceive({ maxBytes: 0, truncate: true })).toEqual({ data: pattern(0), type: 3 })
    expect(queue.receiveSync({ maxBytes: 99, truncate: true })).toEqual({ data: pattern(99, 2), type: 3 })
    expect(await queue.receiveMany(5, { maxBytes: 7, truncate: true, type: 3 })).toEqual([
      { data: pattern(7, 3), type: 3 },
      { data: pattern(7, 4), type: 3 },
    ])
    expect(queue.stat()).toMatchObject({ depth: 0, bytes: 0 })
  })

  test('msgrcv07: a message shorter than maxBytes loses nothing by truncate, and without truncate neither', async () => {
    const queue = await queueOf(1, 2)
    expect((await queue.receive({ maxBytes: 8192, truncate: true })).data).toEqual(pattern(1))
    expect((await queue.receive({ maxBytes: 2, truncate: false })).data).toEqual(pattern(2))
  })

  test('msgrcv07: MSG_COPY, which is peek, shows messages by their age and takes none', async () => {
    const queue = await queueOf(5, 1, 3)
    expect([0, 1, 2].map((at) => queue.peek(at))).toEqual([
      { data: pattern(1), type: 5 },
      { data: pattern(2), type: 1 },
      { data: pattern(3), type: 3 },
    ])
    expect(queue.peek()).toEqual({ data: pattern(1), type: 5 })
    expect(typesOf(queue)).toEqual([5, 1, 3])
  })

  test('what was peeked at is in memory of its own', async () => {
    const queue = await queueOf(1, 2)
    const seen = queue.peek()
    await queue.receiveMany(2)
    await queue.send(pattern(50, 77))
    await queue.receive()
    expect(seen?.data).toEqual(pattern(1))
  })
})

describe('selectors', () => {
  const large = [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32, 2 ** 53 - 1]

  test.each(large)('type, maxType and except take %i exactly', async (type) => {
    const queue = await queueOf(type - 1, type, type === 2 ** 53 - 1 ? 1 : type + 1)
    expect(queue.tryReceive({ type })?.data).toEqual(pattern(2))
    await queue.send(pattern(4), { type })
    expect(queue.tryReceive({ except: type })?.data).toEqual(pattern(1))
    expect(queue.tryReceive({ maxType: type })?.type).toBe(type === 2 ** 53 - 1 ? 1 : type)
  })

  test('a type above 2^53 - 1, from another language, is rounded, and found by what names no type or another', async () => {
    const queue = queues.create()
    const { id } = queue.stat()
    for (const [type, rounded] of [
      [2n ** 53n + 1n, 2 ** 53],
      [2n ** 62n + 1n, 2 ** 62],
      [2n ** 63n - 1n, 2 ** 63],
    ] as const) {
      sendFromPython(id, type, 'hi')
      expect(queue.tryReceive({ maxType })).toBeUndefined()
      expect(queue.peek()).toMatchObject({ type: rounded })
      expect(queue.tryReceive({ except: 5 })).toEqual({ data: Buffer.from('hi'), type: rounded })
      sendFromPython(id, type, 'hi')
      expect(queue.receiveSync({ timeoutMs: 0 })).toMatchObject({ type: rounded })
    }
  })

  test.each(['type', 'maxType', 'except'])('%s refuses what is no type', async (option) => {
    const queue = await queueOf(1)
    for (const bad of [0, -1, -(2 ** 31), 1.5, 2 ** 53, 2 ** 63, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(queue.receive({ [option]: bad })).rejects.toThrow(RangeError)
      await expect(queue.receiveMany(1, { [option]: bad })).rejects.toThrow(RangeError)
      expect(() => queue.tryReceive({ [option]: bad })).toThrow(RangeError)
      expect(() => queue.receiveSync({ [option]: bad })).toThrow(RangeError)
    }
    for (const bad of ['1', null, 1n, [1]]) {
      await expect(queue.receive({ [option]: bad })).rejects.toThrow(TypeError)
    }
    expect(queue.stat().depth).toBe(1)
  })

  test('only one of type, maxType and except can be asked for', async () => {
    const queue = await queueOf(1)
    await expect(queue.receive({ type: 1, except: 2 })).rejects.toThrow(TypeError)
    await expect(queue.receive({ maxType: 1, except: 2 })).rejects.toThrow(TypeError)
    expect(() => queue.tryReceive({ type: 1, maxType: 2 })).toThrow(TypeError)
    expect(await queue.receive({ type: 1, maxType: undefined, except: undefined })).toMatchObject({ type: 1 })
  })

  test('maxBytes and truncate refuse what they cannot be', async () => {
    const queue = await queueOf(1)
    for (const maxBytes of [-1, 1.5, 2 ** 31, 2 ** 53]) {
      await expect(queue.receive({ maxBytes })).rejects.toThrow(RangeError)
    }
    await expect(queue.receive({ maxBytes: '5' as never })).rejects.toThrow(TypeError)
    await expect(queue.receive({ maxBytes: 5, truncate: 1 as never })).rejects.toThrow(TypeError)
    await expect(queue.receive({ truncate: 'yes' as never })).rejects.toThrow(TypeError)
    await expect(queue.receive({ size: 5 } as never)).rejects.toThrow(TypeError)
    for (const max of [0, 257, 1.5]) await expect(queue.receiveMany(max)).rejects.toThrow(RangeError)
    expect(await queue.receive({ maxBytes: 2 ** 31 - 1 })).toMatchObject({ type: 1 })
  })

  test('waits with different selectors each get what they want', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const waits = [
      queue.receive({ type: 5 }),
      queue.receive({ maxType: 3 }),
      queue.receive({ type: 2 ** 40 }),
      queue.receive({ type: 5 }),
      queue.receive({ except: 5 }),
    ]
    await until(() => sleepersIn('msgrcv') >= 4)
    for (const type of [2 ** 40, 5, 2, 5, 8]) {
      await other.send(pattern(8), { type })
    }
    expect((await Promise.all(waits)).map(({ type }) => type)).toEqual([5, 2, 2 ** 40, 5, 8])
    expect(queue.stat().depth).toBe(0)
  })

  test('of two who want the same message by different selectors, the one who came first gets it', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    for (let round = 0; round < 20; round++) {
      const first = round % 2 === 0 ? queue.receive({ type: 5 }) : queue.receive()
      const second = round % 2 === 0 ? queue.receive() : queue.receive({ type: 5 })
      if (round % 3 === 0) await until(() => sleepersIn('msgrcv') >= 2)
      other.trySend(pattern(1), { type: 5 })
      expect((await first).data).toEqual(pattern(1))
      expect(await isPending(second)).toBe(true)
      other.trySend(pattern(2), { type: 5 })
      expect((await second).data).toEqual(pattern(2))
    }
  })

  test('one who wants the same as the first does not overtake one who waits longer with another selector', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const first = queue.receive({ type: 1 })
    const second = queue.receive({ except: 9 })
    const third = queue.receive({ type: 1 })
    await until(() => sleepersIn('msgrcv') === 2)
    await other.sendMany([
      { data: pattern(5, 1), type: 1 },
      { data: pattern(5, 2), type: 1 },
    ])
    expect(await first).toEqual({ data: pattern(5, 1), type: 1 })
    expect(await Promise.race([second, third])).toEqual({ data: pattern(5, 2), type: 1 })
    expect(await isPending(third)).toBe(true)
    await other.send(pattern(5, 3), { type: 1 })
    expect(await Promise.all([second, third])).toEqual([
      { data: pattern(5, 2), type: 1 },
      { data: pattern(5, 3), type: 1 },
    ])
  })

  test('messages that nobody wants stay, and do not hide those that are wanted', async () => {
    const queue = await queueOf(1, 1, 1)
    const wanted = queue.receive({ type: 9 })
    expect(await isPending(wanted)).toBe(true)
    await queue.send(pattern(9), { type: 9 })
    expect((await wanted).data).toEqual(pattern(9))
    expect(queue.stat().depth).toBe(3)
  })

  test('receiveMany takes only what is wanted', async () => {
    const queue = await queueOf(1, 2, 1, 3, 1)
    expect((await queue.receiveMany(10, { type: 1 })).map(({ data }) => data.length)).toEqual([1, 3, 5])
    expect((await queue.receiveMany(10, { maxType: 3 })).map(({ type }) => type)).toEqual([2, 3])
  })

  test('receiveMany stops at a message longer than maxBytes, and the next call says E2BIG', async () => {
    const queue = await queueOf(1, 1, 1, 1)
    expect((await queue.receiveMany(10, { maxBytes: 2 })).map(({ data }) => data.length)).toEqual([1, 2])
    await expect(queue.receiveMany(10, { maxBytes: 2 })).rejects.toMatchObject({ code: 'E2BIG' })
    expect(queue.stat().depth).toBe(2)
  })

  if (ownNamespace) {
    test('receiveMany with truncate loses no more than it was told to, however much comes at once', async () => {
      changeSetting('kernel/msgmnb', 2 ** 20)
      const queue = queues.create()
      for (let at = 0; at < 60; at++) await queue.send(pattern(8192, at))
      const seen: Buffer[] = []
      while (seen.length < 60) {
        const messages = await queue.receiveMany(256, { maxBytes: 8000, truncate: true })
        seen.push(...messages.map(({ data }) => data))
      }
      expect(seen.map((data) => data.length)).toEqual(seen.map(() => 8000))
      expect(seen.every((data, at) => data.equals(pattern(8192, at).subarray(0, 8000)))).toBe(true)
    })

    test('maxBytes may be larger than any memory that was made so far, with truncate and without', async () => {
      changeSetting('kernel/msgmax', 2 ** 22)
      changeSetting('kernel/msgmnb', 2 ** 23)
      const queue = queues.create()
      const size = 2 ** 21 + 5
      await queue.send(pattern(size))
      expect((await queue.receive({ maxBytes: 2 ** 31 - 1 })).data.equals(pattern(size))).toBe(true)
      const longer = 2 ** 22
      await queue.send(pattern(longer))
      const { data } = await queue.receive({ maxBytes: longer - 1, truncate: true })
      expect(data.equals(pattern(longer).subarray(0, longer - 1))).toBe(true)
    })
  } else {
    test('in a namespace that is not ours: receiveMany with truncate of two large messages', async () => {
      const queue = queues.create()
      for (let at = 0; at < 2; at++) await queue.send(pattern(8000, at))
      const seen = await queue.receiveMany(256, { maxBytes: 7000, truncate: true })
      expect(seen.map(({ data }) => data.length)).toEqual([7000, 7000])
    })
  }
})

describe('who sleeps', () => {
  if (mayChangeUser) {
    test('is told with EAGAIN when no thread can be made, and others are served', async () => {
      const agent = await Agent.start({ uid: stranger, through: ['prlimit', '--nproc=1:1'] })
      const theirs = await agent.open('sysv.MessageQueue', 'create', 'private', { maxBytes: 1 })
      const refusal = {
        code: 'EAGAIN',
        syscall: 'pthread_create',
        message: expect.stringContaining('ulimit -u'),
      }
      await expect(agent.call(theirs, 'receive')).rejects.toMatchObject(refusal)
      await agent.call(theirs, 'send', Buffer.from('x'))
      await expect(agent.call(theirs, 'send', Buffer.from('x'))).rejects.toMatchObject(refusal)
      expect(await agent.call(theirs, 'receive')).toMatchObject({ type: 1 })
      await agent.call(theirs, 'unlink')
    })
  }

  test('pending receives with one selector need one thread, and none when they have ended', async () => {
    const queue = queues.create()
    const controller = new AbortController()
    const waits = Array.from({ length: 100 }, () => queue.receive({ signal: controller.signal }))
    const outcome = Promise.allSettled(waits)
    await until(() => sleepersIn('msgrcv') === 1)
    await isPending(outcome)
    expect(sleepersIn('msgrcv')).toBe(1)
    controller.abort()
    await outcome
    await until(() => sleepersIn('msgrcv') === 0)
  })
})
