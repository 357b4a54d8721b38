/** What the owner of an object may do whatever its mode says, and removing objects by their names. */
import { fileURLToPath } from 'node:url'
import { formatKey, ftok, MessageQueue, SemaphoreSet, SharedMemory, unlink } from 'ipckit/sysv'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger, withoutPrivileges } from '../helpers/agent.ts'
import { newKey } from '../helpers/names.ts'
import { pattern } from '../helpers/pattern.ts'
import { Queues } from './support.ts'

const queues = new Queues()
endAgents()

/** Each kind of object: one that its mode gives nobody any permission to use, and how it is removed. */
const kinds = [
  {
    name: 'queue',
    make: (key: number) => MessageQueue.create(key, { mode: 0 }),
    unlink,
    there: 'sysv',
  },
  {
    name: 'semaphore set',
    make: (key: number) => SemaphoreSet.create(key, { mode: 0 }),
    unlink: SemaphoreSet.unlink,
    there: 'sysv.SemaphoreSet',
  },
  {
    name: 'segment',
    make: (key: number) => SharedMemory.create(key, { mode: 0, sizeBytes: 1 }),
    unlink: SharedMemory.unlink,
    there: 'sysv.SharedMemory',
  },
]

describe('an object whose mode gives its owner nothing', () => {
  test('is a queue that its owner opens by its key, looks at and widens the mode of', async () => {
    const key = newKey()
    const queue = queues.create({ mode: 0 }, key)
    const agent = await Agent.start(withoutPrivileges)
    const theirs = await agent.open('sysv.MessageQueue', 'open', key)
    await expect(agent.call(theirs, 'send', pattern(5))).rejects.toMatchObject({
      code: 'EACCES',
      syscall: 'msgsnd',
    })
    await expect(agent.call(theirs, 'receive')).rejects.toMatchObject({ code: 'EACCES' })
    await agent.call(theirs, 'set', { mode: 0o600 })
    await agent.call(theirs, 'send', pattern(5))
    expect((await queue.receive()).data).toEqual(pattern(5))
  })

  test('is a semaphore set that its owner opens by its key, and widens the mode of', async () => {
    const key = newKey()
    const set = SemaphoreSet.create(key, { mode: 0, values: [3] })
    onTestFinished(async () => {
      set.unlink()
      await set.close()
    })
    const agent = await Agent.start(withoutPrivileges)
    const theirs = await agent.open('sysv.SemaphoreSet', 'open', key)
    await expect(agent.call(theirs, 'values')).rejects.toMatchObject({ code: 'EACCES' })
    await agent.call(theirs, 'set', { mode: 0o600 })
    expect(await agent.call(theirs, 'values')).toEqual([3])
  })

  test.each(kinds)('is a $name that its owner removes by its key', async ({ make, there }) => {
    const key = newKey()
    const object = make(key)
    const agent = await Agent.start(withoutPrivileges)
    await agent.call(there, 'unlink', key)
    await object.close()
    await expect(agent.call(there, 'unlink', key)).rejects.toMatchObject({
      code: 'ENOENT',
      resource: `sysv:${formatKey(key)}`,
      message: expect.stringContaining('there is no such'),
    })
  })

  test.runIf(mayChangeUser).each(kinds)(
    'is a $name that a stranger neither opens nor removes',
    async ({ make, there, unlink }) => {
      const key = newKey()
      const object = make(key)
      const agent = await Agent.start({ uid: stranger })
      const type = there === 'sysv' ? 'sysv.MessageQueue' : there
      await expect(agent.call(type, 'open', key)).rejects.toMatchObject({ code: 'EACCES' })
      await expect(agent.call(there, 'unlink', key)).rejects.toMatchObject({
        code: 'EPERM',
        message: expect.stringContaining('only its owner, its creator and root'),
      })
      unlink(key)
      await object.close()
    },
  )
})

describe.each(kinds)('unlink of a $name', ({ make, unlink }) => {
  test('takes a key, the file that a key is made of, and an id', async () => {
    const path = fileURLToPath(import.meta.url)
    const made = make(ftok(path, 77))
    unlink({ path, project: 77 })
    await made.close()
    const other = make(newKey())
    const { id } = other.stat()
    unlink({ id })
    await other.close()
    expect(() => unlink({ id })).toThrow(expect.objectContaining({ name: 'NotFoundError', code: 'ENOENT' }))
  })

  test.each([undefined, null, '0x1234', 'private', 0, 2 ** 32, 1.5, {}, { id: -1 }, { path: '/' }])(
    'refuses the name %o',
    (name) => {
      expect(() => unlink(name as never)).toThrow(/Expected/)
    },
  )
})

test('unlink of a queue ends the waits in it', async () => {
  const key = newKey()
  const queue = queues.create({}, key)
  const waiting = queue.receive()
  unlink(key)
  await expect(waiting).rejects.toMatchObject({ name: 'RemovedError', code: 'EIDRM' })
})
