/**
 * mq_open(3): the assertions of the Open POSIX Test Suite (conformance/interfaces/mq_open), and mq_open01 of the
 * Linux Test Project.
 *
 * | there | why not here |
 * |---|---|
 * | mq_open/5, 6 | flags are made of `access` and of the function that is called; no other combination can be asked for |
 * | mq_open/14 | Linux lets everyone make a queue |
 * | mq_open/17 | O_EXCL without O_CREAT is never asked for |
 * | mq_open/24 | Linux never interrupts mq_open |
 * | mq_open/28 | ENFILE is a limit of the whole machine |
 * | mq_open01 EINTR, EFAULT | as above; the name is a string |
 */
import { MessageQueue, Semaphore, SharedMemory, unlink } from 'ipckit/posix'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger, withoutPrivileges } from '../helpers/agent.ts'
import { changeSetting, ownNamespace, readSetting } from '../helpers/kernel.ts'
import { pattern } from '../helpers/pattern.ts'
import { withUmask } from '../helpers/umask.ts'
import { fill, nameOf, Queues } from './support.ts'

const queues = new Queues()
endAgents()

describe('mq_open', () => {
  test('mq_open/1-1: the handle is of the queue that was made', async () => {
    const queue = queues.create()
    await queue.send(pattern(5), { priority: 1 })
    expect(await queue.receive()).toEqual({ data: pattern(5), priority: 1 })
  })

  test('mq_open/2-1: another process that opens the name has the same queue', async () => {
    const queue = queues.create()
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
    await agent.call(theirs, 'send', pattern(5), { priority: 7 })
    expect(await queue.receive()).toEqual({ data: pattern(5), priority: 7 })
  })

  test.each(['name', '', '/', '//', '/a/b', '/a/', '//a', '/.', '/..', '/a\0b', '\0', 'a/', './a', '/a\0'])(
    'mq_open/2-2: the name %j is refused',
    (name) => {
      expect(() => MessageQueue.open(name)).toThrow(RangeError)
      expect(() => MessageQueue.create(name)).toThrow(RangeError)
      expect(() => MessageQueue.openOrCreate(name)).toThrow(/Expected a slash followed by 1 to 255 bytes/)
    },
  )

  test.each([undefined, null, 5, {}, ['/a'], Symbol('/a'), Buffer.from('/a')])(
    'mq_open/2-3: a name that is no string is refused',
    (name) => {
      expect(() => MessageQueue.open(name as never)).toThrow(TypeError)
      expect(() => MessageQueue.create(name as never)).toThrow(TypeError)
    },
  )

  test.each(['/ ', '/a b', '/ä漢🦊', '/...', '/-', '/%n', '/a:b?c=d'])(
    'mq_open/2-3: the name %j, a prefix to others, is taken',
    (name) => {
      const queue = queues.create({}, queues.name() + name.slice(1))
      expect(queues.again(queue).address).toBe(queue.address)
    },
  )

  test('mq_open/3-1: open fails when there is no such queue', () => {
    expect(() => MessageQueue.open(queues.name())).toThrow(expect.objectContaining({ name: 'NotFoundError' }))
  })

  test('mq_open/4-1: hundreds of handles may be open', async () => {
    const queue = queues.create()
    const handles = Array.from({ length: 500 }, () => queues.again(queue))
    for (const [at, handle] of handles.entries()) {
      await handle.send(pattern(2, at))
      expect((await (handles[499 - at] as MessageQueue).receive()).data).toEqual(pattern(2, at))
    }
  })

  test('mq_open/7-1: a handle with access read receives', async () => {
    const queue = queues.create()
    const reader = queues.again(queue, { access: 'read' })
    await queue.send(pattern(5))
    expect((await reader.receive()).data).toEqual(pattern(5))
    const waiting = reader.receive()
    await queue.send(pattern(6))
    expect((await waiting).data).toEqual(pattern(6))
  })

  test('mq_open/7-2: handles of two processes with access read receive from one queue', async () => {
    const queue = queues.create()
    const reader = queues.again(queue, { access: 'read' })
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue), { access: 'read' })
    await queue.send(pattern(5))
    await queue.send(pattern(6))
    expect(await agent.call(theirs, 'receive')).toMatchObject({ data: pattern(5) })
    expect((await reader.receive()).data).toEqual(pattern(6))
  })

  test('mq_open/7-3: a handle with access read cannot send, and says why', async () => {
    const queue = queues.create()
    const reader = queues.again(queue, { access: 'read' })
    const refusal = { code: 'EBADF', syscall: 'mq_send', message: expect.stringContaining('`access`') }
    await expect(reader.send(pattern(5))).rejects.toMatchObject(refusal)
    await expect(reader.sendMany([{ data: pattern(5) }])).rejects.toMatchObject(refusal)
    expect(() => reader.trySend(pattern(5))).toThrow(expect.objectContaining(refusal))
    expect(() => reader.sendSync(pattern(5))).toThrow(expect.objectContaining(refusal))
    fill(queue)
    await expect(reader.send(pattern(5))).rejects.toMatchObject(refusal)
  })

  test('mq_open/8-1: a handle with access write sends, and waits for room', async () => {
    const queue = queues.create()
    const writer = queues.again(queue, { access: 'write' })
    expect(fill(writer)).toBe(4)
    const waiting = writer.send(pattern(8, 4))
    for (let at = 0; at < 5; at++) expect((await queue.receive()).data).toEqual(pattern(8, at))
    await waiting
  })

  test('mq_open/8-2: handles of two processes with access write send to one queue', async () => {
    const queue = queues.create()
    const writer = queues.again(queue, { access: 'write' })
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue), { access: 'write' })
    await agent.call(theirs, 'send', pattern(5))
    await writer.send(pattern(6))
    expect((await queue.receive()).data).toEqual(pattern(5))
    expect((await queue.receive()).data).toEqual(pattern(6))
  })

  test('mq_open/8-3: a handle with access write cannot receive, and says why', async () => {
    const queue = queues.create()
    const writer = queues.again(queue, { access: 'write' })
    const refusal = { code: 'EBADF', syscall: 'mq_receive', message: expect.stringContaining('`access`') }
    for (const state of ['empty', 'not empty']) {
      if (state === 'not empty') await queue.send(pattern(5))
      await expect(writer.receive()).rejects.toMatchObject(refusal)
      await expect(writer.receiveMany(3)).rejects.toMatchObject(refusal)
      expect(() => writer.tryReceive()).toThrow(expect.objectContaining(refusal))
      expect(() => writer.receiveSync()).toThrow(expect.objectContaining(refusal))
    }
    expect(queue.stat().depth).toBe(1)
  })

  test('mq_open/9-1: a handle with access readwrite, which is the default, sends and receives', async () => {
    const queue = queues.create({ access: 'readwrite' })
    await queue.send(pattern(5))
    expect((await queue.receive()).data).toEqual(pattern(5))
    const other = queues.again(queue)
    await other.send(pattern(6))
    expect((await other.receive()).data).toEqual(pattern(6))
  })

  test('mq_open/9-2: handles of two processes send to and receive from each other', async () => {
    const queue = queues.create()
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
    for (let at = 0; at < 10; at++) {
      await queue.send(pattern(5, at))
      expect(await agent.call(theirs, 'receive')).toMatchObject({ data: pattern(5, at) })
      await agent.call(theirs, 'send', pattern(6, at))
      expect((await queue.receive()).data).toEqual(pattern(6, at))
    }
  })

  test('mq_open/10-1: a new queue is empty, and belongs to who made it, with the mode that was asked for', () => {
    withUmask(0o777, () => {
      for (const mode of [0o600, 0o640, 0o622, 0o777, 0]) {
        expect(queues.create({ mode }).stat()).toMatchObject({
          depth: 0,
          uid: process.geteuid?.(),
          gid: process.getegid?.(),
          mode,
          unlinked: false,
        })
      }
      expect(queues.create().stat().mode).toBe(0o600)
    })
  })

  test('mq_open/11-1: openOrCreate of a queue that exists changes nothing of it', async () => {
    const queue = queues.create({ capacity: 3, maxMessageBytes: 32, mode: 0o640 })
    await queue.send(pattern(5))
    const other = queues.keep(
      MessageQueue.openOrCreate(nameOf(queue), { capacity: 7, maxMessageBytes: 50, mode: 0o600 }),
    )
    expect(other.stat()).toEqual({ ...queue.stat(), depth: 1, capacity: 3, maxMessageBytes: 32, mode: 0o640 })
    expect((await other.receive()).data).toEqual(pattern(5))
  })

  test('mq_open/12-1: a queue that is made without sizes has some', async () => {
    const queue = queues.keep(MessageQueue.create(queues.name()))
    expect(queue.stat().capacity).toBeGreaterThanOrEqual(1)
    expect(queue.stat().maxMessageBytes).toBe(readSetting('fs/mqueue/msgsize_default'))
    expect(queue.maxMessageBytes).toBe(queue.stat().maxMessageBytes)
  })

  test('mq_open/13-1: a queue that is made with sizes has these', async () => {
    for (const [capacity, maxMessageBytes] of [
      [1, 1],
      [1, 100],
      [7, 3],
      [10, 8],
    ] as const) {
      const queue = queues.create({ capacity, maxMessageBytes })
      expect(queue.stat()).toMatchObject({ capacity, maxMessageBytes })
      for (let at = 0; at < capacity; at++) expect(queue.trySend(pattern(maxMessageBytes))).toBe(true)
      expect(queue.trySend(pattern(1))).toBe(false)
      await expect(queue.send(pattern(maxMessageBytes + 1))).rejects.toMatchObject({ code: 'EMSGSIZE' })
    }
  })

  test('mq_open/15-1: create fails when the queue exists', async () => {
    const queue = queues.create()
    await queue.send(pattern(5))
    expect(() => MessageQueue.create(nameOf(queue))).toThrow(expect.objectContaining({ name: 'ExistsError' }))
    expect((await queue.receive()).data).toEqual(pattern(5))
  })

  test('mq_open/16-1: of several processes that create a name at once, one succeeds', async () => {
    const agents = await Promise.all(Array.from({ length: 4 }, () => Agent.start()))
    for (let round = 0; round < 25; round++) {
      const name = queues.name()
      const outcomes = await Promise.allSettled(
        agents.map((agent) =>
          agent.open('posix.MessageQueue', 'create', name, { capacity: 1, maxMessageBytes: 8 }),
        ),
      )
      expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(1)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'EEXIST' })
      }
      await agents[0]?.call('posix', 'unlink', name)
    }
  })

  test('mq_open/16-1: of several processes that openOrCreate a name at once, all succeed, also while it is removed', async () => {
    const agents = await Promise.all(Array.from({ length: 3 }, () => Agent.start()))
    for (let round = 0; round < 25; round++) {
      const name = queues.name()
      await Promise.all(
        agents.map(async (agent, at) => {
          await agent.open('posix.MessageQueue', 'openOrCreate', name, { capacity: 1, maxMessageBytes: 8 })
          if (at === 0) await agent.call('posix', 'unlink', name)
        }),
      )
    }
  })

  test('mq_open/18-1: whether a handle waits is its own affair', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    queue.setAttributes({ nonblock: true })
    await expect(queue.receive()).rejects.toMatchObject({ code: 'EAGAIN' })
    const waiting = other.receive()
    await queue.send(pattern(5))
    expect((await waiting).data).toEqual(pattern(5))
  })

  test('mq_open/19-1: opening adds no message and takes none', async () => {
    const queue = queues.create()
    await queue.send(pattern(5))
    for (let at = 0; at < 5; at++) {
      expect(queues.again(queue).stat().depth).toBe(1)
      expect(queues.keep(MessageQueue.openOrCreate(nameOf(queue))).stat().depth).toBe(1)
    }
    expect((await queue.receive()).data).toEqual(pattern(5))
  })

  test('mq_open/20-1: success is a handle', () => {
    const queue = queues.create()
    expect(queue).toBeInstanceOf(MessageQueue)
    expect(queue.closed).toBe(false)
    expect(queue.address).toBe(`posix:${nameOf(queue)}`)
  })

  test('mq_open/21-1: failure is an error with the errno', () => {
    const name = queues.name()
    expect(() => MessageQueue.open(name)).toThrow(
      expect.objectContaining({ code: 'ENOENT', errno: -2, syscall: 'mq_open', resource: `posix:${name}` }),
    )
  })

  if (mayChangeUser) {
    test('mq_open/22-1, mq_open01: EACCES when the mode does not allow the access', async () => {
      const queue = queues.create({ mode: 0o602 })
      const readable = queues.create({ mode: 0o604 })
      const agent = await Agent.start({ uid: stranger })
      const refusal = { code: 'EACCES', syscall: 'mq_open', message: expect.stringContaining('`access`') }
      const open = (of: MessageQueue, access: string) =>
        agent.call('posix.MessageQueue', 'open', nameOf(of), { access })
      await expect(open(queue, 'readwrite')).rejects.toMatchObject(refusal)
      await expect(open(queue, 'read')).rejects.toMatchObject(refusal)
      await expect(open(readable, 'readwrite')).rejects.toMatchObject(refusal)
      await expect(open(readable, 'write')).rejects.toMatchObject(refusal)
      await expect(open(queue, 'write')).resolves.toBeTypeOf('number')
      await expect(open(readable, 'read')).resolves.toBeTypeOf('number')
      await expect(agent.call('posix.MessageQueue', 'openOrCreate', nameOf(queue))).rejects.toMatchObject(
        refusal,
      )
    })
  } else {
    test('mq_open/22-1, not root: EACCES when the mode does not allow its owner the access', async () => {
      const queue = queues.create({ mode: 0o200 })
      const agent = await Agent.start(withoutPrivileges)
      const open = (access: string) => agent.call('posix.MessageQueue', 'open', nameOf(queue), { access })
      await expect(open('readwrite')).rejects.toMatchObject({ code: 'EACCES', syscall: 'mq_open' })
      await expect(open('read')).rejects.toMatchObject({ code: 'EACCES', syscall: 'mq_open' })
      await expect(open('write')).resolves.toBeTypeOf('number')
    })
  }

  test('mq_open/23-1, mq_open01: EEXIST when the queue exists', () => {
    const queue = queues.create()
    expect(() => MessageQueue.create(nameOf(queue))).toThrow(
      expect.objectContaining({
        code: 'EEXIST',
        syscall: 'mq_open',
        message: expect.stringContaining('unlink'),
      }),
    )
  })

  test.each([0, -1, 1.5, 2 ** 31, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])(
    'mq_open/25-2: the size %d is refused and nothing is made',
    (size) => {
      const name = queues.name()
      expect(() => MessageQueue.create(name, { capacity: size })).toThrow(RangeError)
      expect(() => MessageQueue.create(name, { maxMessageBytes: size })).toThrow(RangeError)
      expect(() => MessageQueue.openOrCreate(name, { capacity: 1, maxMessageBytes: size })).toThrow(
        RangeError,
      )
      expect(() => MessageQueue.open(name)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    },
  )

  test('mq_open/25-1: options that cannot be are refused', () => {
    const name = queues.name()
    for (const capacity of ['10', null, 10n]) {
      expect(() => MessageQueue.create(name, { capacity: capacity as never })).toThrow(TypeError)
    }
    for (const mode of [-1, 0o1000, 1.5])
      expect(() => MessageQueue.create(name, { mode })).toThrow(RangeError)
    expect(() => MessageQueue.create(name, { mode: '600' as never })).toThrow(TypeError)
    for (const access of ['rw', 'toString', '', null, 2]) {
      expect(() => MessageQueue.create(name, { access: access as never })).toThrow(TypeError)
      expect(() => MessageQueue.open(name, { access: access as never })).toThrow(TypeError)
    }
    expect(() => MessageQueue.open(name, { capacity: 5 } as never)).toThrow(TypeError)
    expect(() => MessageQueue.create(name, { depth: 5 } as never)).toThrow(TypeError)
    expect(() => MessageQueue.create(name, null as never)).toThrow(TypeError)
    expect(() => MessageQueue.open(name)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  })

  test('mq_open/26-1, mq_open01: EMFILE that says so when the process has too many descriptors', async () => {
    const agent = await Agent.start({ through: ['sh', '-c', 'ulimit -n 64; exec "$0" "$@"'] })
    const name = nameOf(queues.create())
    const opened: number[] = []
    const failed = await (async () => {
      for (;;) opened.push(await agent.open('posix.MessageQueue', 'open', name))
    })().catch((error: unknown) => error)
    expect(failed).toMatchObject({
      code: 'EMFILE',
      syscall: 'mq_open',
      message: expect.stringContaining('ulimit -n'),
    })
    expect(opened.length).toBeGreaterThan(5)
    await agent.call(opened[0] as number, 'close')
    await agent.open('posix.MessageQueue', 'open', name)
  })

  test('mq_open/27-1, mq_open01: a name of 255 bytes is taken and one of 256 refused', () => {
    const base = queues.name().slice(1)
    const longest = `/${base}${'x'.repeat(255 - base.length)}`
    expect(Buffer.byteLength(longest)).toBe(256)
    expect(queues.create({}, longest).address).toBe(`posix:${longest}`)
    expect(() => MessageQueue.open(`${longest}x`)).toThrow(RangeError)
    expect(() => MessageQueue.create(`${longest}x`)).toThrow(
      'Expected a slash followed by 1 to 255 bytes without a slash or NUL for `name`, received a name of 256 bytes',
    )
    expect(() => MessageQueue.create(`/${'x'.repeat(2 ** 20)}`)).toThrow(RangeError)
  })

  test('mq_open/27-2: names are counted in bytes', () => {
    const base = queues.name().slice(1)
    const letters = Math.floor((255 - base.length) / 3)
    const name = `/${base}${'漢'.repeat(letters)}`
    expect(queues.create({}, name).address).toBe(`posix:${name}`)
    expect(() => MessageQueue.create(`${name}漢`)).toThrow(RangeError)
  })

  test.each(['\ud800', '\udc00', 'a\udfffz', '\udc00\ud800'])(
    'a lone surrogate, which has no bytes, is refused: %j',
    (half) => {
      const name = `${queues.name()}${half}`
      for (const make of [MessageQueue.create, MessageQueue.open, unlink]) {
        expect(() => make(name)).toThrow(/^Expected text without lone surrogates for `name`, received '/)
      }
      expect(() => Semaphore.create(name)).toThrow(RangeError)
      expect(() => SharedMemory.create(name, { sizeBytes: 1 })).toThrow(RangeError)
    },
  )

  test('mq_open/29-1, mq_open01: ENOENT, with what to do, when the queue does not exist', () => {
    expect(() => MessageQueue.open(queues.name())).toThrow(
      expect.objectContaining({ code: 'ENOENT', message: expect.stringContaining('openOrCreate') }),
    )
  })

  if (ownNamespace && mayChangeUser) {
    test('mq_open/30-1, mq_open01: ENOSPC, with the limit and what raises it, when fs.mqueue.queues_max is reached', async () => {
      queues.create()
      changeSetting('fs/mqueue/queues_max', 1)
      const agent = await Agent.start({ uid: stranger })
      const name = queues.name()
      const refusal = {
        code: 'ENOSPC',
        syscall: 'mq_open',
        message: expect.stringMatching(
          /\/proc\/sys\/fs\/mqueue\/queues_max.*sysctl -w fs\.mqueue\.queues_max=/,
        ),
      }
      await expect(agent.call('posix.MessageQueue', 'create', name)).rejects.toMatchObject(refusal)
      await expect(agent.call('posix.MessageQueue', 'openOrCreate', name)).rejects.toMatchObject(refusal)
      expect(() => MessageQueue.open(name)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    })
  } else {
    test('mq_open/30-1, where no limit can be lowered: the limit of queues is what the kernel says', () => {
      expect(readSetting('fs/mqueue/queues_max')).toBeGreaterThan(0)
    })
  }
})
