/** The limits of POSIX message queues: mq_overview(7). What meets one is told which, and what raises it. */
import { execSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { limits, MessageQueue, maxCapacity, maxMessageBytes } from 'ipckit/posix'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger } from '../helpers/agent.ts'
import { changeSetting, ownNamespace, readSetting } from '../helpers/kernel.ts'
import { nameOf, Queues } from './support.ts'

const queues = new Queues()
endAgents()

/** CAP_SYS_RESOURCE, which not every root has. */
const mayRaiseLimits = /^CapEff:\s*[0-9a-f]*[13579bdf][0-9a-f]{6}$/m.test(
  readFileSync('/proc/self/status', 'utf8'),
)

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
      message: expect.stringMatching(/\d+ bytes.*819200 \(RLIMIT_MSGQUEUE\).*prlimit --pid/),
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

  test('of what a user may have: the command of the error is for this process, and enough', async () => {
    const agent = await Agent.start({
      through: ['prlimit', '--msgqueue=60000:'],
      ...(mayChangeUser && { uid: stranger }),
    })
    const size = { capacity: 10, maxMessageBytes: 1000 }
    const create = async () => {
      const name = queues.name()
      await agent.open('posix.MessageQueue', 'create', name, size)
      names.push(name)
    }
    const names: string[] = []
    const full = async () => {
      for (;;) await create()
    }
    const { message } = (await full().catch((error: unknown) => error)) as Error
    const bytes = 60_000 + 10 * (1000 + 96)
    // The hard limit is no less: it stays, and no rights are needed.
    const command = `prlimit --pid ${agent.pid} --msgqueue=${bytes}:`
    expect(message).toMatch(new RegExp(`${command}$`))
    execSync(command, mayChangeUser ? { uid: stranger, gid: stranger } : {})
    await create()
    for (const name of names) await agent.call('posix', 'unlink', name)
  })

  test('of what a user may have, over the hard limit: the command raises both, and root is needed', async () => {
    const agent = await Agent.start({
      through: ['prlimit', '--msgqueue=1000:1000'],
      ...(mayChangeUser && { uid: stranger }),
    })
    const name = queues.name()
    const size = { capacity: 2, maxMessageBytes: 1000 }
    const create = () => agent.open('posix.MessageQueue', 'create', name, size)
    const command = `prlimit --pid ${agent.pid} --msgqueue=3192:3192`
    await expect(create()).rejects.toMatchObject({
      code: 'EMFILE',
      message: expect.stringMatching(new RegExp(`, as root, with: ${command}$`)),
    })
    if (!mayRaiseLimits) return
    execSync(command)
    await create()
    await agent.call('posix', 'unlink', name)
  })

  test.each([
    ['capacity', { capacity: 65_537, maxMessageBytes: 1 }, maxCapacity, 'messages'],
    ['message size', { capacity: 1, maxMessageBytes: 2 ** 24 + 1 }, maxMessageBytes, 'bytes'],
  ])(
    'of %s beyond what any kernel allows: EINVAL that says so, and no command',
    async (_, size, most, unit) => {
      const agent = await limited()
      const failed = await agent
        .call('posix.MessageQueue', 'create', queues.name(), size)
        .catch((error: unknown) => error as Error)
      expect(failed).toMatchObject({
        code: 'EINVAL',
        message: expect.stringContaining(`no kernel allows more than ${most} ${unit}`),
      })
      expect((failed as Error).message).not.toContain('sysctl')
    },
  )

  if (ownNamespace) {
    test('the kernel is set to the most that is told, and to no more', () => {
      changeSetting('fs/mqueue/msg_max', maxCapacity)
      changeSetting('fs/mqueue/msgsize_max', maxMessageBytes)
      expect(limits()).toMatchObject({ capacity: maxCapacity, messageBytes: maxMessageBytes })
      expect(() => changeSetting('fs/mqueue/msg_max', maxCapacity + 1)).toThrow('EINVAL')
      expect(() => changeSetting('fs/mqueue/msgsize_max', maxMessageBytes + 1)).toThrow('EINVAL')
    })
  }

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
