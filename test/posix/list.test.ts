/** The list of POSIX message queues of this namespace. */
import { list } from 'ipckit/posix'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger, withoutPrivileges } from '../helpers/agent.ts'
import { canMakeInLatin1, makeInLatin1, readSetting } from '../helpers/kernel.ts'
import { pattern } from '../helpers/pattern.ts'
import { nameOf, Queues } from './support.ts'

const queues = new Queues()
endAgents()

describe('list', () => {
  test('shows each queue with its bytes, owner and mode', async () => {
    const queue = queues.create({ mode: 0o640 })
    await queue.send(pattern(10))
    await queue.send(pattern(32))
    expect(list().find(({ address }) => address === queue.address)).toEqual({
      name: nameOf(queue),
      address: queue.address,
      bytes: 42,
      notifyPid: 0,
      uid: process.geteuid?.(),
      gid: process.getegid?.(),
      mode: 0o640,
    })
  })

  test('is sorted by name, and read anew each time', () => {
    const before = list().length
    const made = Array.from({ length: 5 }, () => queues.create())
    const names = list().map(({ name }) => name)
    expect(names).toEqual([...names].sort())
    expect(names.length).toBe(before + 5)
    for (const queue of made) queue.unlink()
    expect(list().length).toBe(before)
  })

  test('shows names as they are', () => {
    const queue = queues.create({}, `${queues.name()} ä漢🦊\n%`)
    expect(list().some(({ name }) => name === nameOf(queue))).toBe(true)
  })

  test.runIf(canMakeInLatin1)(
    'shows a name that is no UTF-8 with escapes, its bytes, and what can be told of the queue',
    async () => {
      const name = queues.name()
      const made = makeInLatin1(`${name}-caf\xe9`)
      // The name that the escapes would be, if it were one.
      const double = queues.create({}, `${name}-caf\\xe9`)
      await double.send(pattern(3))
      const found = list().filter(({ address }) => address === double.address)
      expect(found).toHaveLength(2)
      expect(found.find(({ nameBytes }) => nameBytes === undefined)).toMatchObject({ bytes: 3 })
      expect(found.find(({ nameBytes }) => nameBytes !== undefined)).toEqual({
        name: `${name}-caf\\xe9`,
        address: `posix:${name}-caf\\xe9`,
        nameBytes: made,
        attributes: {
          depth: 0,
          capacity: readSetting('fs/mqueue/msg_default'),
          maxMessageBytes: readSetting('fs/mqueue/msgsize_default'),
        },
        bytes: 0,
        notifyPid: 0,
        uid: process.geteuid?.(),
        gid: process.getegid?.(),
        mode: 0o600,
      })
    },
  )

  test('shows who asked for a notice', async () => {
    const queue = queues.create()
    const notice = queue.notify()
    expect(list().find(({ address }) => address === queue.address)?.notifyPid).toBe(process.pid)
    await queue.send(pattern(5))
    await notice
  })

  if (mayChangeUser) {
    test('shows users the queues of others, without what they may not read', async () => {
      const hidden = queues.create({ mode: 0o600 })
      const shown = queues.create({ mode: 0o604 })
      await shown.send(pattern(7))
      const agent = await Agent.start({ uid: stranger })
      const entries = (await agent.call('posix', 'list')) as ReturnType<typeof list>
      expect(entries.find(({ address }) => address === hidden.address)).toEqual({
        name: nameOf(hidden),
        address: hidden.address,
        uid: process.geteuid?.(),
        gid: process.getegid?.(),
        mode: 0o600,
      })
      expect(entries.find(({ address }) => address === shown.address)).toMatchObject({ bytes: 7 })
    })
  } else {
    test('not root: shows a queue that its owner may not read without its bytes', async () => {
      const agent = await Agent.start(withoutPrivileges)
      const name = queues.name()
      await agent.open('posix.MessageQueue', 'create', name, {
        capacity: 1,
        maxMessageBytes: 1,
        mode: 0o200,
        access: 'write',
      })
      const entries = (await agent.call('posix', 'list')) as ReturnType<typeof list>
      expect(entries.find((entry) => entry.name === name)).toMatchObject({ mode: 0o200 })
      expect(entries.find((entry) => entry.name === name)?.bytes).toBeUndefined()
    })
  }
})
