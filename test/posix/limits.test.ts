/** The limits of POSIX message queues: mq_overview(7). What meets one is told which, and what raises it. */
import { limits, MessageQueue } from 'ipckit/posix'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger } from '../helpers/agent.ts'
import { changeSetting, ownNamespace, readSetting } from '../helpers/kernel.ts'
import { nameOf, Queues } from './support.ts'

const queues = new Queues()
endAgents()

/** A process for which the limits hold, with an account of its own where that can be had. */
const limited = () => Agent.start(mayChangeUser ? { uid: stranger } : {})

describe('limits', () => {
  test('tells what the kernel is set to', () => {
    expect(limits()).toEqual({
      capacity: readSetting('fs/mqueue/msg_max'),
      messageBytes: readSetting('fs/mqueue/msgsize_max'),
      defaultMessageBytes: readSetting('fs/mqueue/msgsize_default'),
      queues: readSetting('fs/mqueue/queues_max'),
      userBytes: expect.any(Number),
    })
    expect(limits().userBytes).toBeGreaterThan(0)
  })

  test('tells the RLIMIT_MSGQUEUE of this process, and Infinity when there is none', async () => {
    for (const [limit, bytes] of [
      ['50000', 50_000],
      ['819200', 819_200],
    ] as const) {
      const agent = await Agent.start({ through: ['prlimit', `--msgqueue=${limit}:${limit}`] })
      expect(await agent.call('posix', 'limits')).toMatchObject({ userBytes: bytes })
    }
  })

  if (ownNamespace) {
    test('is read anew each time', () => {
      changeSetting('fs/mqueue/msg_max', 33)
      changeSetting('fs/mqueue/msgsize_default', 1000)
      expect(limits()).toMatchObject({ capacity: 33, defaultMessageBytes: 1000 })
      const queue = queues.keep(MessageQueue.create(queues.name()))
      expect(queue.stat()).toMatchObject({ maxMessageBytes: 1000 })
      expect(queue.stat().capacity).toBeGreaterThan(10)
    })
  }
})

describe('a queue over the limits', () => {
  test('of capacity: EINVAL, with the limit and what raises it', async () => {
    const agent = await limited()
    const limit = readSetting('fs/mqueue/msg_max')
    const name = queues.name()
    await expect(
      agent.call('posix.MessageQueue', 'create', name, { capacity: limit + 1, maxMessageBytes: 1 }),
    ).rejects.toMatchObject({
      code: 'EINVAL',
      syscall: 'mq_open',
      message: expect.stringMatching(
        new RegExp(
          `capacity ${limit + 1} .*limit of ${limit} .*msg_max.*sysctl -w fs\\.mqueue\\.msg_max=${limit + 1}`,
        ),
      ),
    })
    await agent.open('posix.MessageQueue', 'create', name, { capacity: limit, maxMessageBytes: 1 })
    await agent.call('posix', 'unlink', name)
  })

  test('of message size: EINVAL, with the limit and what raises it', async () => {
    const agent = await limited()
    const limit = readSetting('fs/mqueue/msgsize_max')
    const name = queues.name()
    await expect(
      agent.call('posix.MessageQueue', 'create', name, { capacity: 1, maxMessageBytes: limit + 1 }),
    ).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(
        new RegExp(
          `size ${limit + 1} .*limit of ${limit} .*sysctl -w fs\\.mqueue\\.msgsize_max=${limit + 1}`,
        ),
      ),
    })
    await agent.open('posix.MessageQueue', 'create', name, { capacity: 1, maxMessageBytes: limit })
    await agent.call('posix', 'unlink', name)
  })

  test.each([2 ** 31 - 1, 2 ** 30])(
    'of sizes that no machine has, as %i: an error and no queue',
    async (size) => {
      const agent = await limited()
      const name = queues.name()
      for (const options of [
        { capacity: size },
        { maxMessageBytes: size },
        { capacity: size, maxMessageBytes: size },
      ]) {
        await expect(agent.call('posix.MessageQueue', 'create', name, options)).rejects.toMatchObject({
          code: expect.stringMatching(/^(EINVAL|EMFILE|ENOMEM|EOVERFLOW)$/),
        })
      }
      expect(() => MessageQueue.open(name)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    },
  )

  test('of what a user may have: EMFILE that says so, and room again when a queue is removed', async () => {
    const agent = await limited()
    const size = {
      capacity: readSetting('fs/mqueue/msg_max'),
      maxMessageBytes: readSetting('fs/mqueue/msgsize_max'),
    }
    const names: string[] = []
    const failed = await (async () => {
      for (;;) {
        const name = queues.name()
        await agent.open('posix.MessageQueue', 'create', name, size)
        names.push(name)
      }
    })().catch((error: unknown) => error)
    expect(failed).toMatchObject({
      code: 'EMFILE',
      syscall: 'mq_open',
      message: expect.stringMatching(/\d+ bytes.*819200 \(RLIMIT_MSGQUEUE\).*prlimit --msgqueue=unlimited/),
    })
    expect(names.length).toBeGreaterThan(0)

    const shrunk = queues.name()
    const theirs = await agent.open('posix.MessageQueue', 'create', shrunk)
    const { capacity } = (await agent.call(theirs, 'stat')) as { capacity: number }
    expect(capacity).toBeGreaterThanOrEqual(1)
    expect(capacity).toBeLessThan(size.capacity)
    const openedOrMade = queues.name()
    await agent.call('posix', 'unlink', shrunk)
    await agent.call(theirs, 'close')
    await agent.open('posix.MessageQueue', 'openOrCreate', openedOrMade)

    // A queue takes its bytes until the last who has it open closes it.
    await agent.end()
    const again = await limited()
    for (const name of [...names, openedOrMade]) await again.call('posix', 'unlink', name)
    const name = queues.name()
    await again.open('posix.MessageQueue', 'create', name, size)
    await again.call('posix', 'unlink', name)
  })

  test('of what a user may have, when not even one message fits: EMFILE also for a queue of the default capacity', async () => {
    const agent = await Agent.start({
      through: ['prlimit', '--msgqueue=1000:1000'],
      ...(mayChangeUser && { uid: stranger }),
    })
    const name = queues.name()
    await expect(agent.call('posix.MessageQueue', 'create', name)).rejects.toMatchObject({
      code: 'EMFILE',
      message: expect.stringContaining('1000 (RLIMIT_MSGQUEUE)'),
    })
    await agent.open('posix.MessageQueue', 'create', name, { maxMessageBytes: 100 })
    await agent.call('posix', 'unlink', name)
  })

  test('eight queues of the default capacity fit into what a user may have', async () => {
    const agent = await limited()
    const names = Array.from({ length: 8 }, () => queues.name())
    const capacities = new Set<number>()
    for (const name of names) {
      const theirs = await agent.open('posix.MessageQueue', 'create', name)
      capacities.add(((await agent.call(theirs, 'stat')) as { capacity: number }).capacity)
    }
    expect([...capacities]).toEqual([readSetting('fs/mqueue/msg_max')])
    for (const name of names) await agent.call('posix', 'unlink', name)
  })

  if (ownNamespace) {
    test('eight queues of the default capacity fit also when queues may be deep', async () => {
      changeSetting('fs/mqueue/msg_max', 10_000)
      const agent = await limited()
      const names = Array.from({ length: 8 }, () => queues.name())
      for (const name of names) {
        const theirs = await agent.open('posix.MessageQueue', 'create', name, { maxMessageBytes: 128 })
        const { capacity } = (await agent.call(theirs, 'stat')) as { capacity: number }
        expect(capacity).toBeGreaterThan(100)
      }
      for (const name of names) await agent.call('posix', 'unlink', name)
    })
  }

  if (mayChangeUser) {
    test('of threads: EAGAIN that says so for who must wait, and others are served', async () => {
      const agent = await Agent.start({ uid: stranger, through: ['prlimit', '--nproc=1:1'] })
      const name = queues.name()
      const theirs = await agent.open('posix.MessageQueue', 'create', name, {
        capacity: 1,
        maxMessageBytes: 8,
      })
      const refusal = {
        code: 'EAGAIN',
        syscall: 'pthread_create',
        message: expect.stringContaining('ulimit -u'),
      }
      await expect(agent.call(theirs, 'receive')).rejects.toMatchObject(refusal)
      await agent.call(theirs, 'send', Buffer.from('x'))
      await expect(agent.call(theirs, 'send', Buffer.from('x'))).rejects.toMatchObject(refusal)
      expect(await agent.call(theirs, 'receive')).toMatchObject({ priority: 0 })
      await agent.call('posix', 'unlink', name)
    })
  }

  test('what failed to be made leaves no queue and no descriptor', async () => {
    const queue = queues.create()
    const failing = () => MessageQueue.create(nameOf(queue))
    for (let round = 0; round < 300; round++) expect(failing).toThrow()
    expect(queue.stat().depth).toBe(0)
  })
})
