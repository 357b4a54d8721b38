/**
 * msgget(2), after the tests of the Linux Test Project (testcases/kernel/syscalls/ipc/msgget). Left out: msgget04
 * and 05, which test the kernel's own msg_next_id.
 */
import { statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { formatKey, ftok, limits, list, MessageQueue } from 'ipckit/sysv'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger, withoutPrivileges } from '../helpers/agent.ts'
import { changeSetting, ownNamespace } from '../helpers/kernel.ts'
import { newKey } from '../helpers/names.ts'
import { pattern } from '../helpers/pattern.ts'
import { withUmask } from '../helpers/umask.ts'
import { Queues } from './support.ts'

const queues = new Queues()
endAgents()

describe('msgget', () => {
  test('msgget01: a queue that was made by key takes a message and gives it back', async () => {
    const queue = queues.create({}, newKey())
    await queue.send(pattern(20), { type: 3 })
    expect(await queue.receive()).toEqual({ data: pattern(20), type: 3 })
  })

  test('msgget01: another process finds the queue by its key', async () => {
    const key = newKey()
    const queue = queues.create({}, key)
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', key)
    await agent.call(theirs, 'send', pattern(20))
    expect((await queue.receive()).data).toEqual(pattern(20))
  })

  test('msgget02: EEXIST when a queue of that key exists', () => {
    const key = newKey()
    const queue = queues.create({}, key)
    expect(() => MessageQueue.create(key)).toThrow(
      expect.objectContaining({
        name: 'ExistsError',
        code: 'EEXIST',
        syscall: 'msgget',
        resource: queue.address,
      }),
    )
  })

  test('msgget02: ENOENT when no queue of that key exists', () => {
    const key = newKey()
    expect(() => MessageQueue.open(key)).toThrow(
      expect.objectContaining({
        name: 'NotFoundError',
        code: 'ENOENT',
        syscall: 'msgget',
        resource: `sysv:${formatKey(key)}`,
      }),
    )
    expect(() => MessageQueue.open({ id: 2 ** 31 - 1 })).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  })

  if (mayChangeUser) {
    test('msgget02: EACCES when the mode gives a user nothing', async () => {
      const key = newKey()
      queues.create({ mode: 0o600 }, key)
      const agent = await Agent.start({ uid: stranger })
      await expect(agent.call('sysv.MessageQueue', 'open', key)).rejects.toMatchObject({
        code: 'EACCES',
        message: expect.stringContaining('mode'),
      })
      await expect(agent.call('sysv.MessageQueue', 'openOrCreate', key)).rejects.toMatchObject({
        code: 'EACCES',
      })
      await expect(agent.call('sysv.MessageQueue', 'create', key)).rejects.toMatchObject({ code: 'EEXIST' })
    })

    test('a user whom the mode lets only send, or only receive, opens the queue for that', async () => {
      const [sendKey, receiveKey] = [newKey(), newKey()]
      const inbox = queues.create({ mode: 0o602 }, sendKey)
      const outbox = queues.create({ mode: 0o604 }, receiveKey)
      const agent = await Agent.start({ uid: stranger })
      const sending = await agent.open('sysv.MessageQueue', 'open', sendKey)
      const receiving = await agent.open('sysv.MessageQueue', 'open', receiveKey)
      await agent.call(sending, 'send', pattern(5))
      expect((await inbox.receive()).data).toEqual(pattern(5))
      await outbox.send(pattern(6))
      expect(await agent.call(receiving, 'receive')).toMatchObject({ type: 1 })
      await expect(agent.call(sending, 'receive')).rejects.toMatchObject({ code: 'EACCES' })
      await expect(agent.call(receiving, 'send', pattern(5))).rejects.toMatchObject({ code: 'EACCES' })
      await expect(agent.call(receiving, 'sendMany', [{ data: pattern(5) }])).rejects.toMatchObject({
        code: 'EACCES',
      })
    })
  } else {
    test('not root: EACCES when the mode gives its owner nothing', async () => {
      const key = newKey()
      queues.create({}, key).set({ mode: 0 })
      const agent = await Agent.start(withoutPrivileges)
      const theirs = await agent.open('sysv.MessageQueue', 'open', key)
      await expect(agent.call(theirs, 'receive')).rejects.toMatchObject({ code: 'EACCES' })
    })
  }

  if (ownNamespace) {
    test('msgget03: ENOSPC, with the limit and what raises it, when kernel.msgmni is reached', () => {
      const queue = queues.create()
      changeSetting('kernel/msgmni', list().length)
      const refusal = expect.objectContaining({
        code: 'ENOSPC',
        syscall: 'msgget',
        message: expect.stringMatching(/\/proc\/sys\/kernel\/msgmni.*sysctl -w kernel\.msgmni=/),
      })
      expect(() => MessageQueue.create('private')).toThrow(refusal)
      expect(() => MessageQueue.create(newKey())).toThrow(refusal)
      expect(() => MessageQueue.openOrCreate(newKey())).toThrow(refusal)
      expect(limits().queues).toBe(list().length)
      queue.unlink()
      queues.create()
    })
  } else {
    test('in a namespace that is not ours: the limit of msgget03 is what the kernel says', () => {
      expect(limits().queues).toBeGreaterThan(0)
    })
  }
})

describe('names of queues', () => {
  test('a queue is made for its owner alone unless a mode is given, whatever the umask', () => {
    withUmask(0o777, () => {
      expect(queues.create().stat().mode).toBe(0o600)
      expect(queues.create({ mode: 0o666 }).stat().mode).toBe(0o666)
    })
  })

  test.each([1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe])('the key %i is taken as it is', (key) => {
    const queue = queues.keep(MessageQueue.openOrCreate(key))
    expect(queue.stat().key).toBe(key)
    expect(queue.address).toBe(`sysv:${formatKey(key)}`)
    expect(queues.open(key | 0).stat().id).toBe(queue.stat().id)
    queue.unlink()
  })

  test.each([0, 2 ** 32, -(2 ** 31) - 1, 2 ** 53, 1.5, Number.NaN])('the key %d is refused', (key) => {
    expect(() => MessageQueue.open(key)).toThrow(RangeError)
    expect(() => MessageQueue.create(key)).toThrow(RangeError)
  })

  test.each([undefined, null, '0x1234', 'public', {}, { path: 5, project: 1 }, { id: '5' }, [], true, 5n])(
    'the name %o is refused',
    (name) => {
      expect(() => MessageQueue.open(name as never)).toThrow(TypeError)
      expect(() => MessageQueue.create(name as never)).toThrow(TypeError)
    },
  )

  test('a private queue is found by its id alone', async () => {
    const queue = queues.create()
    const { id, key } = queue.stat()
    expect(key).toBe(0)
    expect(queue.address).toBe(`sysv:id=${id}`)
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id })
    await agent.call(theirs, 'send', pattern(5))
    expect((await queue.receive()).data).toEqual(pattern(5))
    expect(queues.create().stat().id).not.toBe(id)
  })

  test('of several processes that openOrCreate a key at once, all succeed, also while it is removed', async () => {
    const agents = await Promise.all(Array.from({ length: 3 }, () => Agent.start()))
    for (let round = 0; round < 200; round++) {
      const key = newKey()
      await Promise.all(
        agents.map(async (agent, at) => {
          const theirs = await agent.open('sysv.MessageQueue', 'openOrCreate', key)
          if (at > 0) await agent.call(theirs, 'unlink').catch(() => {})
        }),
      )
      await agents[0]
        ?.open('sysv.MessageQueue', 'open', key)
        .then((theirs) => agents[0]?.call(theirs, 'unlink'))
        .catch(() => {})
    }
    expect(list()).toEqual([])
  })

  test('ids are given by the kernel, and a private queue has no other name', () => {
    expect(() => MessageQueue.create({ id: 5 })).toThrow(TypeError)
    expect(() => MessageQueue.openOrCreate({ id: 5 })).toThrow(TypeError)
    expect(() => MessageQueue.open('private')).toThrow(TypeError)
    for (const id of [-1, 2 ** 31, 2 ** 53, 1.5]) expect(() => MessageQueue.open({ id })).toThrow(RangeError)
  })

  test('the id of a removed queue is not found', () => {
    const queue = queues.create()
    const { id } = queue.stat()
    queue.unlink()
    expect(() => MessageQueue.open({ id })).toThrow(
      expect.objectContaining({ name: 'NotFoundError', code: 'ENOENT' }),
    )
  })

  test('ftok makes of a file and a number the key that C makes', () => {
    const file = fileURLToPath(import.meta.url)
    const { ino, dev } = statSync(file)
    for (const project of [1, 0x41, 255]) {
      const expected = ((project << 24) | ((dev & 0xff) << 16) | (ino & 0xffff)) >>> 0
      expect(ftok(file, project)).toBe(expected)
      const queue = queues.keep(MessageQueue.openOrCreate({ path: file, project }))
      expect(queue.stat().key).toBe(expected)
      expect(queues.open(expected).stat().id).toBe(queue.stat().id)
      queue.unlink()
    }
  })

  test('ftok refuses files that are not there, and numbers of more than 8 bits', () => {
    expect(() => ftok('/no/such/file', 1)).toThrow(
      expect.objectContaining({ name: 'NotFoundError', code: 'ENOENT', resource: '/no/such/file' }),
    )
    for (const project of [0, 256, -1, 2 ** 31, 1.5]) expect(() => ftok('/', project)).toThrow(RangeError)
    expect(() => ftok('/', '1' as never)).toThrow(TypeError)
    expect(() => ftok(5 as never, 1)).toThrow(TypeError)
    expect(() => ftok('/a\0b', 1)).toThrow(RangeError)
    expect(() => MessageQueue.create({ path: '/', project: 256 })).toThrow(RangeError)
  })

  test('options that nobody knows, and sizes and modes that cannot be, are refused and make nothing', () => {
    const before = list().length
    expect(() => MessageQueue.create('private', { size: 5 } as never)).toThrow(TypeError)
    expect(() => MessageQueue.create('private', null as never)).toThrow(TypeError)
    for (const maxBytes of [0, -1, 1.5, 2 ** 32, 2 ** 53]) {
      expect(() => MessageQueue.create('private', { maxBytes })).toThrow(RangeError)
    }
    for (const mode of [-1, 0o1000, 0.5])
      expect(() => MessageQueue.create('private', { mode })).toThrow(RangeError)
    expect(() => MessageQueue.create('private', { mode: '600' as never })).toThrow(TypeError)
    expect(list().length).toBe(before)
  })
})
