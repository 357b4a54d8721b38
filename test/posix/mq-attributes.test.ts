/**
 * mq_getattr(3) and mq_setattr(3): the assertions of the Open POSIX Test Suite (conformance/interfaces/mq_getattr,
 * mq_setattr).
 *
 * | there | why not here |
 * |---|---|
 * | mq_getattr/6-1, mq_getattr/7-1, mq_setattr/4-1, mq_setattr/5-1 | a handle is either open or closed: mq_close/3-1 |
 */
import { describe, expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { pattern } from '../helpers/pattern.ts'
import { isPending } from '../helpers/waiting.ts'
import { fill, nameOf, Queues } from './support.ts'

const queues = new Queues()
endAgents()

describe('mq_getattr', () => {
  test('mq_getattr/1-1: stat tells the state of the queue, anew each time', async () => {
    const queue = queues.create({ capacity: 3, maxMessageBytes: 20 })
    expect(queue.stat()).toEqual({
      address: queue.address,
      depth: 0,
      capacity: 3,
      maxMessageBytes: 20,
      uid: process.geteuid?.(),
      gid: process.getegid?.(),
      mode: 0o600,
      unlinked: false,
    })
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
    await agent.call(theirs, 'send', pattern(5))
    expect(queue.stat().depth).toBe(1)
  })

  test('mq_getattr/2-1, mq_getattr/2-2: getAttributes tells whether this handle waits', () => {
    const queue = queues.create()
    expect(queue.getAttributes()).toEqual({ nonblock: false })
    queue.setAttributes({ nonblock: true })
    expect(queue.getAttributes()).toEqual({ nonblock: true })
    expect(queues.again(queue).getAttributes()).toEqual({ nonblock: false })
  })

  test('mq_getattr/3-1: capacity and message size are those that the queue was made with', () => {
    const queue = queues.create({ capacity: 2, maxMessageBytes: 11 })
    expect(queue.stat()).toMatchObject({ capacity: 2, maxMessageBytes: 11 })
    expect(queues.again(queue).stat()).toMatchObject({ capacity: 2, maxMessageBytes: 11 })
  })

  test('mq_getattr/4-1: depth counts the messages', async () => {
    const queue = queues.create()
    for (let depth = 1; depth <= 4; depth++) {
      await queue.send(pattern(5))
      expect(queue.stat().depth).toBe(depth)
    }
    await queue.receive()
    expect(queue.stat().depth).toBe(3)
  })

  test('mq_getattr/5-1: handles that may only send, or only receive, may look too', () => {
    const queue = queues.create()
    for (const access of ['read', 'write'] as const) {
      expect(queues.again(queue, { access }).stat()).toEqual(queue.stat())
    }
  })
})

describe('mq_setattr', () => {
  test('mq_setattr/1-1: with nonblock no call waits: each fails with EAGAIN and has done nothing', async () => {
    const queue = queues.create()
    queue.setAttributes({ nonblock: true })
    const empty = {
      code: 'EAGAIN',
      syscall: 'mq_receive',
      resource: queue.address,
      message: expect.stringContaining('empty'),
    }
    await expect(queue.receive()).rejects.toMatchObject(empty)
    await expect(queue.receive({ timeoutMs: 20_000 })).rejects.toMatchObject(empty)
    await expect(queue.receiveMany(3)).rejects.toMatchObject(empty)
    expect(() => queue.receiveSync()).toThrow(expect.objectContaining(empty))
    expect(queue.tryReceive()).toBeUndefined()
    fill(queue)
    const full = {
      code: 'EAGAIN',
      syscall: 'mq_send',
      resource: queue.address,
      message: expect.stringContaining('full'),
    }
    await expect(queue.send(pattern(5))).rejects.toMatchObject(full)
    await expect(queue.send(pattern(5), { timeoutMs: 20_000 })).rejects.toMatchObject(full)
    await expect(queue.sendMany([{ data: pattern(5) }])).rejects.toMatchObject(full)
    expect(() => queue.sendSync(pattern(5))).toThrow(expect.objectContaining(full))
    expect(queue.trySend(pattern(5))).toBe(false)
    expect(queue.stat().depth).toBe(4)
  })

  test('with nonblock the options of a wait are checked all the same, and an aborted signal is heeded', async () => {
    const queue = queues.create()
    await queue.send(pattern(5))
    queue.setAttributes({ nonblock: true })
    const reason = new Error('no longer')
    const calls = (options: object) => [
      queue.send(pattern(8), options),
      queue.sendMany([{ data: pattern(8) }], options),
      queue.receive(options),
      queue.receiveMany(1, options),
    ]
    const refusals = [
      [{ timeoutMs: -1 }, expect.any(RangeError)],
      [{ timeoutMs: 'x' }, expect.any(TypeError)],
      [{ signal: 'x' }, expect.any(TypeError)],
      [{ signal: AbortSignal.abort(reason) }, reason],
    ] as const
    for (const [options, refusal] of refusals) {
      const outcomes = await Promise.allSettled(calls(options))
      expect(outcomes).toEqual(outcomes.map(() => ({ status: 'rejected', reason: refusal })))
    }
    expect(() => queue.sendSync(pattern(8), { timeoutMs: -1 })).toThrow(RangeError)
    expect(() => queue.receiveSync({ timeoutMs: -1 })).toThrow(RangeError)
    expect(() => queue.receiveSync({ timeoutMs: 'x' as never })).toThrow(TypeError)
    expect(queue.stat().depth).toBe(1)
    await queue.close()
    const closed = await Promise.allSettled(calls({ timeoutMs: -1 }))
    expect(closed).toMatchObject(closed.map(() => ({ reason: { code: 'ERR_IPC_CLOSED' } })))
  })

  test('mq_setattr/1-1: with nonblock calls that need not wait do what they do', async () => {
    const queue = queues.create()
    queue.setAttributes({ nonblock: true })
    await queue.send(pattern(1), { priority: 1 })
    queue.sendSync(pattern(2), { priority: 2 })
    expect(await queue.sendMany([3, 4, 5].map((size) => ({ data: pattern(size) })))).toBe(2)
    expect(await queue.receive()).toEqual({ data: pattern(2), priority: 2 })
    expect(queue.receiveSync()).toEqual({ data: pattern(1), priority: 1 })
    expect((await queue.receiveMany(10)).map(({ data }) => data.length)).toEqual([3, 4])
    expect(await queue.sendMany([])).toBe(0)
  })

  test('mq_setattr/1-2: nothing else can be set, and what is no attribute is refused', () => {
    const queue = queues.create()
    const before = queue.stat()
    for (const bad of [
      { capacity: 9, nonblock: true },
      { nonblock: 1 },
      { nonblock: undefined },
      {},
      null,
      undefined,
      true,
    ]) {
      expect(() => queue.setAttributes(bad as never)).toThrow(TypeError)
    }
    expect(queue.getAttributes()).toEqual({ nonblock: false })
    queue.setAttributes({ nonblock: true })
    expect(queue.stat()).toEqual(before)
  })

  test('mq_setattr/2-1, mq_setattr/3-1: setAttributes gives what was before', () => {
    const queue = queues.create()
    expect(queue.setAttributes({ nonblock: true })).toEqual({ nonblock: false })
    expect(queue.setAttributes({ nonblock: true })).toEqual({ nonblock: true })
    expect(queue.setAttributes({ nonblock: false })).toEqual({ nonblock: true })
  })

  test('calls that wait already wait on when nonblock is set, and calls after it is unset wait again', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const waiting = queue.receive()
    queue.setAttributes({ nonblock: true })
    expect(await isPending(waiting)).toBe(true)
    await other.send(pattern(5))
    expect((await waiting).data).toEqual(pattern(5))
    queue.setAttributes({ nonblock: false })
    const again = queue.receive()
    expect(await isPending(again)).toBe(true)
    await other.send(pattern(6))
    expect((await again).data).toEqual(pattern(6))
  })
})
