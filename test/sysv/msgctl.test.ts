/**
 * msgctl(2), after the tests of the Linux Test Project (testcases/kernel/syscalls/ipc/msgctl).
 *
 * | there | why not here |
 * |---|---|
 * | msgctl04 EFAULT | the binding passes memory of its own |
 * | msgctl04 EINVAL for an unknown command | there are only the known ones |
 * | msgctl04 EACCES of IPC_STAT | since Linux 4.17 everyone may look (MSG_STAT_ANY), and `stat` does |
 * | msgctl05 | the layout of 64-bit times in a 32-bit program |
 */
import { type Codec, json, Queue, raw } from 'ipckit'
import { limits, list, MessageQueue, usage } from 'ipckit/sysv'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger, withoutPrivileges } from '../helpers/agent.ts'
import { changeSetting, ownNamespace, readSetting } from '../helpers/kernel.ts'
import { newKey } from '../helpers/names.ts'
import { pattern } from '../helpers/pattern.ts'
import { isPending, sleepersIn, until } from '../helpers/waiting.ts'
import { Queues } from './support.ts'

const queues = new Queues()
endAgents()

describe('msgctl', () => {
  test('msgctl01: stat tells all that IPC_STAT knows', async () => {
    const key = newKey()
    const second = Math.floor(Date.now() / 1000) * 1000
    const queue = queues.create({ mode: 0o640 }, key)
    const { lastChangeTime, ...stat } = queue.stat()
    expect(stat).toEqual({
      address: queue.address,
      id: expect.any(Number),
      key,
      depth: 0,
      bytes: 0,
      maxBytes: readSetting('kernel/msgmnb'),
      maxMessageBytes: Math.min(readSetting('kernel/msgmax'), readSetting('kernel/msgmnb')),
      uid: process.geteuid?.(),
      gid: process.getegid?.(),
      creatorUid: process.geteuid?.(),
      creatorGid: process.getegid?.(),
      mode: 0o640,
      lastSender: 0,
      lastReceiver: 0,
      lastSendTime: undefined,
      lastReceiveTime: undefined,
    })
    expect(lastChangeTime.getTime()).toBeGreaterThanOrEqual(second)
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', key)
    await agent.call(theirs, 'send', pattern(5))
    expect(queue.stat()).toMatchObject({ depth: 1, bytes: 5, lastSender: agent.pid })
  })

  test('msgctl02: set lowers the size, and the queue holds no more than that from then on', async () => {
    const queue = queues.create()
    const { maxBytes } = queue.stat()
    queue.set({ maxBytes: maxBytes - 1 })
    expect(queue.stat().maxBytes).toBe(maxBytes - 1)
    queue.set({ maxBytes: 10 })
    expect(queue.maxMessageBytes).toBe(10)
    expect(queue.trySend(pattern(10))).toBe(true)
    expect(queue.trySend(pattern(1))).toBe(false)
  })

  test('set raises the size up to kernel.msgmnb, and those who wait for room are woken', async () => {
    const queue = queues.create({ maxBytes: 16 })
    await queue.send(pattern(16))
    const waiting = [queue.send(pattern(10)), queue.send(pattern(6)), queue.send(pattern(1))]
    await until(() => sleepersIn('msgsnd') === 1)
    queue.set({ maxBytes: 32 })
    await waiting[0]
    await waiting[1]
    expect(await isPending(waiting[2] as Promise<void>)).toBe(true)
    queue.set({ maxBytes: limits().queueBytes })
    await waiting[2]
    expect(queue.stat()).toMatchObject({ depth: 4, bytes: 33 })
  })

  test('a queue that another process makes larger takes larger messages from this one', async () => {
    const key = newKey()
    const queue = queues.create({ maxBytes: 16 }, key)
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', key)
    await agent.call(theirs, 'set', { maxBytes: 100 })
    await queue.send(pattern(100))
    expect((await queue.receive()).data.length).toBe(100)
    expect(queue.stat().maxMessageBytes).toBe(100)
    expect(queue.maxMessageBytes).toBe(100)
  })

  test.each([
    ['raw', raw(), pattern(100)],
    ['json', json(), 'x'.repeat(100)],
  ] as [string, Codec<unknown>, unknown][])(
    'a queue that another process makes larger takes larger values of %s from this one, in every way',
    async (_, codec, value) => {
      const agent = await Agent.start()
      const puts: ((queue: Queue<unknown>) => unknown)[] = [
        (queue) => queue.put(value),
        (queue) => queue.tryPut(value),
        (queue) => queue.putSync(value),
        (queue) => queue.putMany([value]),
      ]
      for (const put of puts) {
        const { id } = queues.create({ maxBytes: 16 }).stat()
        await using queue = await Queue.open(`sysv:id=${id}`, { codec })
        await expect((async () => put(queue))()).rejects.toMatchObject({ code: 'EMSGSIZE' })
        const theirs = await agent.open('sysv.MessageQueue', 'open', { id })
        await agent.call(theirs, 'set', { maxBytes: 200 })
        await put(queue)
        expect(await queue.get()).toEqual(value)
      }
    },
  )

  test('set changes what is given and nothing else', () => {
    const queue = queues.create({ mode: 0o600 })
    const before = queue.stat()
    queue.set({})
    queue.set({ mode: 0o640 })
    expect(queue.stat()).toMatchObject({
      mode: 0o640,
      uid: before.uid,
      gid: before.gid,
      maxBytes: before.maxBytes,
    })
    queue.set({ maxBytes: 100 })
    expect(queue.stat()).toMatchObject({ mode: 0o640, uid: before.uid, gid: before.gid, maxBytes: 100 })
  })

  test('set refuses what cannot be, and changes nothing', () => {
    const queue = queues.create()
    const { lastChangeTime: _, ...before } = queue.stat()
    for (const bad of [-1, 1.5, 2 ** 32, 2 ** 53, Number.NaN]) {
      expect(() => queue.set({ uid: bad })).toThrow(RangeError)
      expect(() => queue.set({ gid: bad })).toThrow(RangeError)
      expect(() => queue.set({ mode: bad })).toThrow(RangeError)
      expect(() => queue.set({ maxBytes: bad })).toThrow(RangeError)
    }
    expect(() => queue.set({ maxBytes: 0 })).toThrow(RangeError)
    expect(() => queue.set({ mode: 0o1000 })).toThrow(RangeError)
    expect(() => queue.set({ mode: '600' as never })).toThrow(TypeError)
    expect(() => queue.set({ uid: null as never })).toThrow(TypeError)
    expect(() => queue.set({ owner: 5 } as never)).toThrow(TypeError)
    expect(() => queue.set(undefined as never)).toThrow(TypeError)
    expect(queue.stat()).toMatchObject(before)
  })

  test('msgctl03: a removed queue is gone for everyone, and every call says so', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    await queue.send(pattern(5))
    const { id } = queue.stat()
    queue.unlink()
    const removed = expect.objectContaining({ name: 'RemovedError', code: 'EIDRM', resource: other.address })
    await expect(other.send(pattern(5))).rejects.toEqual(removed)
    await expect(other.sendMany([{ data: pattern(5) }])).rejects.toEqual(removed)
    await expect(other.receive()).rejects.toEqual(removed)
    await expect(other.receive({ type: 5, timeoutMs: 0 })).rejects.toEqual(removed)
    await expect(other.receiveMany(5)).rejects.toEqual(removed)
    for (const call of [
      () => other.trySend(pattern(5)),
      () => other.sendSync(pattern(5)),
      () => other.tryReceive(),
      () => other.receiveSync(),
      () => other.peek(),
      () => other.stat(),
      () => other.set({ mode: 0o600 }),
      () => other.unlink(),
      () => queue.unlink(),
      () => queue.stat(),
    ]) {
      expect(call).toThrow(removed)
    }
    expect(list().some((entry) => entry.id === id)).toBe(false)
  })

  if (mayChangeUser) {
    test('msgctl04: EPERM when a user who is neither owner nor creator sets or removes', async () => {
      const queue = queues.create({ mode: 0o666 })
      const agent = await Agent.start({ uid: stranger })
      const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
      const refusal = { code: 'EPERM', syscall: 'msgctl', resource: queue.address }
      await expect(agent.call(theirs, 'set', { mode: 0o600 })).rejects.toMatchObject(refusal)
      await expect(agent.call(theirs, 'set', { maxBytes: 10 })).rejects.toMatchObject(refusal)
      await expect(agent.call(theirs, 'set', { uid: stranger })).rejects.toMatchObject(refusal)
      await expect(agent.call(theirs, 'unlink')).rejects.toMatchObject({
        ...refusal,
        message: expect.stringContaining('only its owner, its creator and root'),
      })
      expect(queue.stat().mode).toBe(0o666)
    })

    test('the owner that set names may set and remove, and so may still the creator', async () => {
      const queue = queues.create({ mode: 0o666 })
      queue.set({ uid: stranger, gid: stranger })
      expect(queue.stat()).toMatchObject({ uid: stranger, gid: stranger, creatorUid: process.geteuid?.() })
      const agent = await Agent.start({ uid: stranger })
      const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
      await agent.call(theirs, 'set', { mode: 0o660 })
      expect(queue.stat().mode).toBe(0o660)
      await agent.call(theirs, 'unlink')
      expect(() => queue.stat()).toThrow(expect.objectContaining({ code: 'EIDRM' }))
    })

    test('EPERM, with the limit, when a user without CAP_SYS_RESOURCE sets more than kernel.msgmnb', async () => {
      const agent = await Agent.start({ uid: stranger })
      const theirs = await agent.open('sysv.MessageQueue', 'create', 'private')
      await expect(agent.call(theirs, 'set', { maxBytes: limits().queueBytes + 1 })).rejects.toMatchObject({
        code: 'EPERM',
        message: expect.stringMatching(/msgmnb.*CAP_SYS_RESOURCE.*sysctl -w kernel\.msgmnb=/),
      })
      await agent.call(theirs, 'unlink')
    })

    test('who may only send may look at the queue all the same', async () => {
      const queue = queues.create({ mode: 0o602 })
      await queue.send(pattern(5))
      const agent = await Agent.start({ uid: stranger })
      const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
      expect(await agent.call(theirs, 'stat')).toMatchObject({ depth: 1, bytes: 5, mode: 0o602 })
    })
  } else {
    test('not root: EPERM, with the limit, when a queue is set to more than kernel.msgmnb', async () => {
      const agent = await Agent.start(withoutPrivileges)
      const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queues.create().stat().id })
      await expect(agent.call(theirs, 'set', { maxBytes: limits().queueBytes + 1 })).rejects.toMatchObject({
        code: 'EPERM',
        message: expect.stringContaining('msgmnb'),
      })
    })
  }

  test('msgctl12: limits tells what IPC_INFO knows', () => {
    expect(limits()).toEqual({
      messageBytes: readSetting('kernel/msgmax'),
      queueBytes: readSetting('kernel/msgmnb'),
      queues: readSetting('kernel/msgmni'),
    })
  })

  if (ownNamespace) {
    test('limits is read anew each time', () => {
      changeSetting('kernel/msgmnb', 5000)
      expect(limits().queueBytes).toBe(5000)
      expect(queues.create().stat().maxBytes).toBe(5000)
    })
  }

  test('msgctl12: usage counts queues, messages and bytes of the namespace, as MSG_INFO does', async () => {
    const before = usage()
    const queue = queues.create()
    await queue.send(pattern(10))
    await queue.send(pattern(0))
    await queue.send(pattern(32))
    expect(usage()).toEqual({
      queues: before.queues + 1,
      messages: before.messages + 3,
      bytes: before.bytes + 42,
    })
  })

  test('msgctl06: usage counts as many queues as list shows, and each is found by its id there', () => {
    const made = Array.from({ length: 3 }, () => queues.create())
    queues.create().unlink()
    const shown = list()
    expect(usage().queues).toBe(shown.length)
    for (const queue of made) {
      const { id } = queue.stat()
      expect(shown.filter((entry) => entry.id === id)).toHaveLength(1)
      expect(queues.open({ id }).stat()).toEqual(queue.stat())
    }
  })

  test('list shows every queue as it is', async () => {
    const key = newKey()
    const named = queues.create({ mode: 0o644 }, key)
    const hidden = queues.create()
    await named.send(pattern(30))
    await named.send(pattern(12))
    await named.receive()
    const all = list()
    expect(all.find((entry) => entry.id === named.stat().id)).toEqual({
      id: named.stat().id,
      key,
      address: named.address,
      depth: 1,
      bytes: 12,
      uid: process.geteuid?.(),
      gid: process.getegid?.(),
      mode: 0o644,
      lastSender: process.pid,
      lastReceiver: process.pid,
    })
    expect(all.find((entry) => entry.id === hidden.stat().id)).toMatchObject({
      key: 0,
      address: hidden.address,
      depth: 0,
    })
    expect(all.map((entry) => entry.id)).toEqual(
      all.map((entry) => entry.id).sort((one, other) => one - other),
    )
    hidden.unlink()
    expect(list().length).toBe(all.length - 1)
  })

  test('list is empty, or shows the queues of others, when we have none', () => {
    for (const entry of list()) expect(entry.address).toMatch(/^sysv:(0x[0-9a-f]{8}|id=\d+)$/)
    expect(usage().queues).toBe(list().length)
  })

  test('a key of which the highest bit is set is listed as it was given', () => {
    const queue = queues.create({}, 0xf000_0000 + (newKey() & 0xffff))
    expect(list().find((entry) => entry.id === queue.stat().id)).toMatchObject({
      key: queue.stat().key,
      address: queue.address,
    })
    expect(MessageQueue.open(queue.stat().key).address).toBe(queue.address)
  })
})
