/**
 * Ids of System V queues are numbers that come round again. A handle that rested while its queue was removed and
 * its id given to another must not touch the other; and whatever others do to the queue it has, it is the same.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CreateOptions, MessageQueue, QueueName } from 'ipckit/sysv'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { canChooseIds, chooseNextId } from '../helpers/kernel.ts'
import { newKey } from '../helpers/names.ts'
import { pattern } from '../helpers/pattern.ts'
import { until } from '../helpers/waiting.ts'
import { Queues } from './support.ts'

const queues = new Queues()
endAgents()

/** A handle that was used so shortly ago is not looked after: an id cannot come round in that time. */
const restMs = 250

/** Times of queues are whole seconds: waits for the next one. */
async function nextSecond(queue: MessageQueue): Promise<void> {
  const made = queue.stat().lastChangeTime.getTime()
  await until(() => Date.now() >= made + 1100)
}

/** Makes a queue with this very id. */
function createWithId(id: number, name: QueueName, options?: CreateOptions): MessageQueue {
  chooseNextId('msg', id)
  const queue = queues.create(options, name)
  expect(queue.stat().id).toBe(id)
  return queue
}

const recycled = expect.objectContaining({
  name: 'RemovedError',
  code: 'ERR_IPC_RECYCLED',
  message: expect.stringMatching(/belongs to another/),
})

async function expectRecycled(handle: MessageQueue, fresh: MessageQueue): Promise<void> {
  const depth = fresh.stat().depth
  await expect(handle.send(pattern(5))).rejects.toEqual(recycled)
  await expect(handle.sendMany([{ data: pattern(5) }])).rejects.toEqual(recycled)
  await expect(handle.receive()).rejects.toEqual(recycled)
  await expect(handle.receive({ timeoutMs: 0 })).rejects.toEqual(recycled)
  await expect(handle.receiveMany(3)).rejects.toEqual(recycled)
  for (const call of [
    () => handle.trySend(pattern(5)),
    () => handle.sendSync(pattern(5)),
    () => handle.tryReceive(),
    () => handle.receiveSync(),
    () => handle.peek(),
    () => handle.stat(),
    () => handle.set({ mode: 0o666 }),
    () => handle.unlink(),
  ]) {
    expect(call).toThrow(recycled)
  }
  expect(fresh.stat()).toMatchObject({ depth, mode: 0o600 })
}

if (canChooseIds('msg')) {
  describe('a queue whose id was given to another queue', () => {
    test('is refused by every call of its handle, and the other is not touched', async () => {
      const key = newKey()
      const queue = queues.create({}, key)
      const handle = queues.again(queue)
      const { id } = queue.stat()
      await handle.send(pattern(5))
      await nextSecond(queue)
      queue.unlink()
      const fresh = createWithId(id, key)
      await sleep(restMs + 50)
      await expectRecycled(handle, fresh)
    })

    test('is refused when the other has another key', async () => {
      const queue = queues.create({}, newKey())
      const handle = queues.again(queue)
      const { id } = queue.stat()
      queue.unlink()
      const fresh = createWithId(id, newKey())
      await fresh.send(pattern(9))
      await sleep(restMs + 50)
      await expectRecycled(handle, fresh)
      expect((await fresh.receive()).data).toEqual(pattern(9))
    })

    test('is refused when both are private', async () => {
      const queue = queues.create()
      const handle = queues.again(queue)
      const { id } = queue.stat()
      await nextSecond(queue)
      queue.unlink()
      const fresh = createWithId(id, 'private')
      await fresh.send(pattern(9))
      await sleep(restMs + 50)
      await expectRecycled(handle, fresh)
      expect((await fresh.receive()).data).toEqual(pattern(9))
    })

    test('is the queue of its key still, when it is like the first in all and that was never used', async () => {
      const key = newKey()
      const queue = queues.create({}, key)
      const handle = queues.again(queue)
      const { id } = queue.stat()
      await nextSecond(queue)
      queue.unlink()
      const fresh = createWithId(id, key)
      await sleep(restMs + 50)
      // Nothing that the kernel tells is different from a queue on which somebody set what was there already.
      await handle.send(pattern(5))
      expect((await fresh.receive()).data).toEqual(pattern(5))
    })

    test('is refused when messages had passed through it', async () => {
      const queue = queues.create()
      const handle = queues.again(queue)
      const { id } = queue.stat()
      await handle.send(pattern(5))
      await handle.receive()
      await nextSecond(queue)
      queue.unlink()
      const fresh = createWithId(id, 'private')
      await sleep(restMs + 50)
      await expectRecycled(handle, fresh)
    })

    test('is refused when the other was made with another size, and messages had passed', async () => {
      const queue = queues.create()
      const handle = queues.again(queue)
      const { id } = queue.stat()
      await handle.send(pattern(5))
      await handle.receive()
      queue.unlink()
      const fresh = createWithId(id, 'private', { maxBytes: 100 })
      await sleep(restMs + 50)
      await expectRecycled(handle, fresh)
    })

    test('wakes those who waited on the first with EIDRM, and they do not wait on the second', async () => {
      const queue = queues.create()
      const handle = queues.again(queue)
      const waiting = Promise.allSettled([handle.receive()])
      const { id } = queue.stat()
      await nextSecond(queue)
      queue.unlink()
      const fresh = createWithId(id, 'private')
      await fresh.send(pattern(5))
      expect(await waiting).toMatchObject([
        { status: 'rejected', reason: { name: 'RemovedError', code: 'EIDRM' } },
      ])
      expect(fresh.stat().depth).toBe(1)
    })

    test('is found anew when it is opened again', async () => {
      const key = newKey()
      const queue = queues.create({}, key)
      const { id } = queue.stat()
      await nextSecond(queue)
      queue.unlink()
      const fresh = createWithId(id, key)
      await sleep(restMs + 50)
      const again = queues.open(key)
      await again.send(pattern(5))
      expect((await fresh.receive()).data).toEqual(pattern(5))
    })
  })
} else {
  test('not in a namespace of our own, or without CONFIG_CHECKPOINT_RESTORE: a removed queue is never taken for another', async () => {
    const key = newKey()
    const queue = queues.create({}, key)
    const handle = queues.again(queue)
    queue.unlink()
    const fresh = queues.create({}, key)
    await sleep(restMs + 50)
    await expect(handle.send(pattern(5))).rejects.toMatchObject({ name: 'RemovedError', code: 'EIDRM' })
    expect(fresh.stat().depth).toBe(0)
  })
}

describe('a queue that others change or use while a handle rests', () => {
  async function resting(
    change: (agent: Agent, theirs: number) => Promise<unknown>,
    before?: (queue: MessageQueue) => Promise<unknown>,
  ) {
    const queue = queues.create({}, newKey())
    await before?.(queue)
    const agent = await Agent.start()
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    await nextSecond(queue)
    await change(agent, theirs)
    await sleep(restMs + 50)
    await queue.send(pattern(5), { type: 77 })
    await sleep(restMs + 50)
    expect((await queue.receive({ type: 77 })).data).toEqual(pattern(5))
  }

  test('is the same after another process changed its mode', async () => {
    await resting((agent, theirs) => agent.call(theirs, 'set', { mode: 0o666 }))
  })

  test('is the same after another process changed its size', async () => {
    await resting((agent, theirs) => agent.call(theirs, 'set', { maxBytes: 1000 }))
  })

  test('is the same after another process set what it was already, when messages had passed', async () => {
    await resting(
      (agent, theirs) => agent.call(theirs, 'set', {}),
      async (queue) => {
        await queue.send(pattern(1))
        await queue.receive()
      },
    )
  })

  test('is the same after another process set what it was already, and used it after that', async () => {
    await resting(
      async (agent, theirs) => {
        await agent.call(theirs, 'set', {})
        await agent.call(theirs, 'send', pattern(3))
        await agent.call(theirs, 'receive')
      },
      async (queue) => {
        await queue.send(pattern(1))
        await queue.receive()
      },
    )
  })

  test('is the same after another process set what it was already, on a fresh queue', async () => {
    await resting((agent, theirs) => agent.call(theirs, 'set', {}))
  })

  test('is the same after messages came and went', async () => {
    await resting(async (agent, theirs) => {
      await agent.call(theirs, 'send', pattern(3))
      await agent.call(theirs, 'receive')
    })
  })
})
