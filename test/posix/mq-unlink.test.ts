/**
 * mq_unlink(3): the assertions of the Open POSIX Test Suite (conformance/interfaces/mq_unlink), and mq_unlink01 of
 * the Linux Test Project.
 */
import { MessageQueue, unlink } from 'ipckit/posix'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger } from '../helpers/agent.ts'
import { pattern } from '../helpers/pattern.ts'
import { isPending } from '../helpers/waiting.ts'
import { fill, nameOf, Queues } from './support.ts'

const queues = new Queues()
endAgents()

describe('mq_unlink', () => {
  test('mq_unlink/1-1: the name is gone, and only making it anew brings it back', async () => {
    const queue = queues.create()
    const name = nameOf(queue)
    queue.unlink()
    expect(() => MessageQueue.open(name)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    const fresh = queues.create({}, name)
    await fresh.send(pattern(5))
    expect(queue.stat().depth).toBe(0)
  })

  test('mq_unlink/2-1: the queue lives on for those who have it open, also in other processes', async () => {
    const queue = queues.create()
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
    await queue.send(pattern(5))
    unlink(nameOf(queue))
    expect(queue.stat().unlinked).toBe(true)
    expect(await agent.call(theirs, 'stat')).toMatchObject({ unlinked: true, depth: 1 })
    expect(await agent.call(theirs, 'receive')).toMatchObject({ data: pattern(5) })
    const waiting = queue.receive()
    expect(await isPending(waiting)).toBe(true)
    await agent.call(theirs, 'send', pattern(6))
    expect((await waiting).data).toEqual(pattern(6))
  })

  test('mq_unlink/2-2: a queue that somebody waits in is unlinked at once, and he waits on', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const received = queue.receive()
    const full = queues.create()
    fill(full)
    const sent = full.send(pattern(9))
    await isPending(received)
    queue.unlink()
    full.unlink()
    expect(await isPending(Promise.race([received, sent]))).toBe(true)
    await other.send(pattern(5))
    expect((await received).data).toEqual(pattern(5))
    await full.receive()
    await sent
  })

  test('mq_unlink/2-3: the last who closes a queue without a name frees it', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    queue.unlink()
    await queue.close()
    expect(other.stat().unlinked).toBe(true)
    await other.close()
    const fresh = queues.create({ capacity: 2 }, nameOf(queue))
    expect(fresh.stat()).toMatchObject({ capacity: 2, unlinked: false })
  })

  test('mq_unlink/3-1: success says nothing', () => {
    expect(queues.create().unlink()).toBeUndefined()
    expect(unlink(nameOf(queues.create()))).toBeUndefined()
  })

  if (mayChangeUser) {
    test('mq_unlink/4-1, mq_unlink/5-1, mq_unlink01: EACCES for a user who does not own the queue, which stays as it is', async () => {
      const queue = queues.create({ mode: 0o666 })
      await queue.send(pattern(5))
      const agent = await Agent.start({ uid: stranger })
      await expect(agent.call('posix', 'unlink', nameOf(queue))).rejects.toMatchObject({
        code: expect.stringMatching(/^(EACCES|EPERM)$/),
        syscall: 'mq_unlink',
        message: expect.stringContaining('only its owner and root'),
      })
      const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
      await expect(agent.call(theirs, 'unlink')).rejects.toMatchObject({ syscall: 'mq_unlink' })
      expect(queue.stat()).toMatchObject({ depth: 1, unlinked: false })
      expect((await queues.again(queue).receive()).data).toEqual(pattern(5))
    })
  } else {
    test('mq_unlink/4-1, not root: an unlink that fails changes nothing', () => {
      const queue = queues.create()
      expect(() => unlink(`${nameOf(queue)}x`)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
      expect(queue.stat().unlinked).toBe(false)
    })
  }

  test('mq_unlink/6-1, mq_unlink01: a name of more than 255 bytes is refused', () => {
    expect(() => unlink(`/${'x'.repeat(256)}`)).toThrow(RangeError)
    expect(() => unlink(`/${'x'.repeat(255)}`)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  })

  test('mq_unlink/7-1, mq_unlink01: ENOENT when there is no such queue', () => {
    const name = queues.name()
    expect(() => unlink(name)).toThrow(
      expect.objectContaining({
        name: 'NotFoundError',
        code: 'ENOENT',
        syscall: 'mq_unlink',
        resource: `posix:${name}`,
      }),
    )
  })

  test('a handle removes its own queue: once that is gone, EIDRM, and who has its name now keeps it', async () => {
    const mine = queues.create()
    queues.again(mine).unlink()
    const gone = expect.objectContaining({
      name: 'RemovedError',
      code: 'EIDRM',
      syscall: 'mq_unlink',
      resource: mine.address,
    })
    expect(() => mine.unlink()).toThrow(gone)
    const theirs = queues.create({}, nameOf(mine))
    await theirs.send(pattern(5))
    expect(() => mine.unlink()).toThrow(gone)
    expect(theirs.stat()).toMatchObject({ depth: 1, unlinked: false })
    // By name whatever bears it is removed, as mq_unlink(3) has it.
    unlink(nameOf(mine))
    expect(theirs.stat().unlinked).toBe(true)
  })

  test.each(['', 'a', '/', '/a/b', '/a\0', undefined, null, 5])(
    'mq_unlink/7-2: what is no name, as %j, is refused',
    (name) => {
      expect(() => unlink(name as never)).toThrow(typeof name === 'string' ? RangeError : TypeError)
    },
  )
})
