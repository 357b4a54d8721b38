/** mq_close(3): the assertions of the Open POSIX Test Suite (conformance/interfaces/mq_close). */
import { readdirSync } from 'node:fs'
import { MessageQueue } from 'ipckit/posix'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { pattern } from '../helpers/pattern.ts'
import { isPending } from '../helpers/waiting.ts'
import { fill, nameOf, Queues } from './support.ts'

const queues = new Queues()
endAgents()
const descriptors = () => readdirSync('/proc/self/fd').length

/** Every call of a handle, and how it fails. */
const calls: Record<string, (queue: MessageQueue) => unknown> = {
  send: (queue) => queue.send(pattern(5)),
  trySend: (queue) => queue.trySend(pattern(5)),
  sendSync: (queue) => queue.sendSync(pattern(5)),
  sendMany: (queue) => queue.sendMany([{ data: pattern(5) }]),
  receive: (queue) => queue.receive(),
  tryReceive: (queue) => queue.tryReceive(),
  receiveSync: (queue) => queue.receiveSync(),
  receiveMany: (queue) => queue.receiveMany(2),
  notify: (queue) => queue.notify(),
  stat: (queue) => queue.stat(),
  getAttributes: (queue) => queue.getAttributes(),
  setAttributes: (queue) => queue.setAttributes({ nonblock: true }),
  unlink: (queue) => queue.unlink(),
}

describe('mq_close', () => {
  test('mq_close/1-1: close gives up the handle and its descriptor', async () => {
    const queue = queues.create()
    const before = descriptors()
    const other = queues.again(queue)
    expect(descriptors()).toBe(before + 1)
    await other.close()
    expect(other.closed).toBe(true)
    expect(descriptors()).toBe(before)
  })

  test('mq_close/2-1: close takes back the request for a notice, and another process may ask', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const notice = other.notify()
    const outcome = Promise.allSettled([notice])
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
    await expect(agent.call(theirs, 'notify')).rejects.toMatchObject({ code: 'EBUSY' })
    await other.close()
    expect(await outcome).toMatchObject([
      { status: 'rejected', reason: { name: 'ClosedError', code: 'ERR_IPC_CLOSED' } },
    ])
    await expect(agent.call(theirs, 'notify', { timeoutMs: 1 })).rejects.toMatchObject({
      code: 'ERR_IPC_TIMEOUT',
    })
  })

  test.each(Object.keys(calls))(
    'mq_close/3-1: EBADF is ERR_IPC_CLOSED here: %s of a closed handle',
    async (name) => {
      const queue = queues.create()
      await queue.close()
      const call = async () => calls[name]?.(queue)
      await expect(call()).rejects.toMatchObject({
        name: 'ClosedError',
        code: 'ERR_IPC_CLOSED',
        resource: queue.address,
        message: expect.stringContaining('open it again'),
      })
    },
  )

  test('mq_close/3-2: closing twice, or disposing of a closed handle, is silent', async () => {
    const queue = queues.create()
    await Promise.all([queue.close(), queue.close()])
    await queue.close()
    await queue[Symbol.asyncDispose]()
    queue[Symbol.dispose]()
    expect(queue.closed).toBe(true)
  })

  test('mq_close/3-3: a closed handle may be asked for its name and size, and to keep the process or not', async () => {
    const queue = queues.create()
    const { address } = queue
    queue[Symbol.dispose]()
    expect(queue.closed).toBe(true)
    expect(queue.address).toBe(address)
    expect(queue.maxMessageBytes).toBe(64)
    expect(queue.ref().unref()).toBe(queue)
  })

  test('mq_close/4-1: a queue that was closed is there for others, with its messages', async () => {
    const queue = queues.create()
    await queue.send(pattern(5))
    await queue.close()
    expect((await queues.open(nameOf(queue)).receive()).data).toEqual(pattern(5))
  })

  test('mq_close/5-1: a closed handle never touches who got its descriptor', async () => {
    const queue = queues.create()
    await queue.close()
    const others = Array.from({ length: 5 }, () => queues.create())
    for (const call of Object.values(calls)) {
      await expect((async () => call(queue))()).rejects.toMatchObject({ code: 'ERR_IPC_CLOSED' })
    }
    for (const other of others) {
      expect(other.stat().depth).toBe(0)
      await other.send(pattern(5))
      expect((await other.receive()).data).toEqual(pattern(5))
    }
  })

  test('close ends those who wait, and they have sent and taken nothing', async () => {
    const full = queues.create()
    const empty = queues.create()
    fill(full)
    const [sender, receiver] = [queues.again(full), queues.again(empty)]
    const outcome = Promise.allSettled([
      sender.send(pattern(6)),
      sender.send(pattern(7), { timeoutMs: 20_000 }),
      sender.sendMany([{ data: pattern(8) }]),
      receiver.receive(),
      receiver.receiveMany(3),
      receiver.notify(),
    ])
    await isPending(outcome)
    await Promise.all([sender.close(), receiver.close()])
    for (const each of await outcome) {
      expect(each).toMatchObject({
        status: 'rejected',
        reason: { name: 'ClosedError', code: 'ERR_IPC_CLOSED' },
      })
    }
    expect((await full.receiveMany(10)).map(({ data }) => data)).toEqual(
      [0, 1, 2, 3].map((at) => pattern(8, at)),
    )
    await isPending(outcome)
    expect(full.stat().depth).toBe(0)
    await empty.send(pattern(5))
    expect((await empty.receive()).data).toEqual(pattern(5))
  })

  test('opening and closing a thousand times leaves no descriptor', async () => {
    const queue = queues.create()
    const name = nameOf(queue)
    const waited = queue.receive()
    await isPending(waited)
    const before = descriptors()
    for (let round = 0; round < 1000; round++) {
      const other = MessageQueue.open(name)
      if (round % 10 === 0) {
        const wait = Promise.allSettled([other.receive()])
        await other.close()
        await wait
      } else {
        void other.close()
      }
    }
    expect(descriptors()).toBe(before)
    await queue.send(pattern(5))
    await waited
  })
})
