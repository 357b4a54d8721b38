/**
 * mq_notify(3): the assertions of the Open POSIX Test Suite (conformance/interfaces/mq_notify), and mq_notify01 and 02
 * of the Linux Test Project.
 *
 * | there | why not here |
 * |---|---|
 * | mq_notify02 EINVAL of sigev_notify, sigev_signo | `notify` is a promise, no signal |
 * | mq_notify03 | a fault of glibc's SIGEV_THREAD, which is not used |
 * | mq_notify/8-1 | a handle is either open or closed: mq_close/3-1 |
 */
import { spawn, spawnSync } from 'node:child_process'
import { getEventListeners, once } from 'node:events'
import { readdirSync } from 'node:fs'
import { list } from 'ipckit/posix'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { pattern } from '../helpers/pattern.ts'
import { isPending, sleepersIn, until } from '../helpers/waiting.ts'
import { nameOf, Queues } from './support.ts'

const queues = new Queues()
endAgents()

/** A receiver of another language: ours never block in mq_receive. */
const blockedReceiver = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
queue = libc.mq_open(sys.argv[1].encode(), os.O_RDONLY)
print(libc.mq_receive(queue, ctypes.create_string_buffer(64), ctypes.c_size_t(64), None), flush=True)
`
const python = spawnSync('python3', ['-c', 'import ctypes']).status === 0

describe('mq_notify', () => {
  test('mq_notify/1-1, mq_notify01: resolves when a message comes into the empty queue, which it leaves there', async () => {
    const queue = queues.create()
    const notice = queue.notify()
    expect(await isPending(notice)).toBe(true)
    await queue.send(pattern(5))
    expect(await notice).toBeUndefined()
    expect((await queue.receive()).data).toEqual(pattern(5))
  })

  test('mq_notify/1-1: resolves when another process sends', async () => {
    const queue = queues.create()
    const notice = queue.notify()
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
    await agent.call(theirs, 'send', pattern(5))
    await notice
    expect(queue.stat().depth).toBe(1)
  })

  test('mq_notify/1-1: is silent while the queue is not empty, and speaks when it has been emptied', async () => {
    const queue = queues.create()
    await queue.send(pattern(5))
    const notice = queue.notify()
    await queue.send(pattern(6))
    expect(await isPending(notice)).toBe(true)
    await queue.receiveMany(2)
    expect(await isPending(notice)).toBe(true)
    await queue.send(pattern(7))
    await notice
  })

  test('mq_notify/2-1, mq_notify/9-1, mq_notify02: EBUSY, and what to do, when somebody has asked already', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const notice = queue.notify()
    const refusal = {
      code: 'EBUSY',
      syscall: 'mq_notify',
      resource: queue.address,
      message: expect.stringContaining('receive()'),
    }
    await expect(queue.notify()).rejects.toMatchObject(refusal)
    await expect(other.notify()).rejects.toMatchObject(refusal)
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
    await expect(agent.call(theirs, 'notify')).rejects.toMatchObject(refusal)
    await queue.send(pattern(5))
    await notice
  })

  test('mq_notify/9-1: EBUSY when another process has asked, until it is gone', async () => {
    const queue = queues.create()
    const agent = await Agent.start()
    const theirs = await agent.open('posix.MessageQueue', 'open', nameOf(queue))
    const theirNotice = agent.call(theirs, 'notify').catch(() => {})
    await until(() =>
      list().some(({ address, notifyPid }) => address === queue.address && notifyPid === agent.pid),
    )
    await expect(queue.notify()).rejects.toMatchObject({ code: 'EBUSY' })
    await agent.end()
    await theirNotice
    const notice = queue.notify()
    await queue.send(pattern(5))
    await notice
  })

  test('mq_notify/3-1: aborting takes the request back, with the reason, and another may ask', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const controller = new AbortController()
    const notice = Promise.allSettled([queue.notify({ signal: controller.signal })])
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await notice).toEqual([{ status: 'rejected', reason }])
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    const theirs = other.notify()
    await queue.send(pattern(5))
    await theirs
    await expect(queue.notify({ signal: controller.signal })).rejects.toBe(reason)
  })

  test('mq_notify/3-1: a timeout takes the request back, not before its time', async () => {
    const queue = queues.create()
    const start = performance.now()
    await expect(queue.notify({ timeoutMs: 30 })).rejects.toMatchObject({
      name: 'TimeoutError',
      code: 'ERR_IPC_TIMEOUT',
    })
    expect(performance.now() - start).toBeGreaterThanOrEqual(30)
    expect(list().find(({ address }) => address === queue.address)?.notifyPid).toBe(0)
    const notice = queue.notify()
    await queue.send(pattern(5))
    await notice
  })

  test('mq_notify/4-1: a notice comes once, and can be asked for again', async () => {
    const queue = queues.create()
    for (let round = 0; round < 50; round++) {
      const notice = queue.notify()
      await queue.send(pattern(5, round))
      await notice
      expect(list().find(({ address }) => address === queue.address)?.notifyPid).toBe(0)
      expect(queue.tryReceive()?.data).toEqual(pattern(5, round))
    }
  })

  test('mq_notify/5-1: a receiver of ours that waits polls, and keeps no notice from coming', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const notice = queue.notify()
    const received = other.receive()
    await isPending(received)
    await queue.send(pattern(5))
    await notice
    expect((await received).data).toEqual(pattern(5))
  })

  if (python) {
    test('mq_notify/5-1: a process that is blocked in mq_receive gets the message, and no notice comes', async () => {
      const queue = queues.create()
      const receiver = spawn('python3', ['-c', blockedReceiver, nameOf(queue)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      onTestFinished(() => void receiver.kill('SIGKILL'))
      await until(() => sleepersIn('mq_timedreceive', receiver.pid) === 1)
      const notice = queue.notify()
      await queue.send(pattern(7))
      const [said] = await once(receiver.stdout, 'data')
      expect(Number(said)).toBe(7)
      expect(await isPending(notice)).toBe(true)
      await queue.send(pattern(5))
      await notice
    })
  }

  test('mq_notify/6-1, mq_notify/7-1: options that cannot be are refused, and nobody is asked', async () => {
    const queue = queues.create()
    await expect(queue.notify({ timeoutMs: -1 })).rejects.toThrow(RangeError)
    await expect(queue.notify({ timeout: 5 } as never)).rejects.toThrow(TypeError)
    await expect(queue.notify({ signal: {} as never })).rejects.toThrow(TypeError)
    await expect(queue.notify(5 as never)).rejects.toThrow(TypeError)
    await expect(queue.notify({ signal: AbortSignal.abort('enough') })).rejects.toBe('enough')
    expect(list().find(({ address }) => address === queue.address)?.notifyPid).toBe(0)
  })

  test('a request outlives the closing of other handles on the queue', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    const notice = queue.notify()
    await other.close()
    expect(await isPending(notice)).toBe(true)
    await queue.send(pattern(5))
    await notice
    expect(queue.stat().depth).toBe(1)
  })

  test('a request outlives the timeout of an earlier one of another handle', async () => {
    const queue = queues.create()
    const other = queues.again(queue)
    for (let round = 0; round < 20; round++) {
      const first = queue.notify({ timeoutMs: 1 }).catch(() => 'late')
      await queue.send(pattern(5))
      const outcome = await first
      await queue.receive()
      const second = other.notify()
      await isPending(second)
      await queue.send(pattern(5))
      await second
      expect(['late', undefined]).toContain(outcome)
      await queue.receive()
    }
  })

  test('closing the handle ends its request with ClosedError', async () => {
    const queue = queues.create()
    const notice = Promise.allSettled([queue.notify()])
    await queue.close()
    expect(await notice).toMatchObject([{ status: 'rejected', reason: { code: 'ERR_IPC_CLOSED' } }])
  })

  test('requests leave no descriptors behind', async () => {
    const queue = queues.create()
    await queue.notify({ timeoutMs: 0 }).catch(() => {})
    const before = readdirSync('/proc/self/fd').length
    for (let round = 0; round < 100; round++) {
      await queue.notify({ timeoutMs: 0 }).catch(() => {})
      await expect(queue.notify({ signal: AbortSignal.abort('enough') })).rejects.toBe('enough')
      const notice = queue.notify()
      await expect(queue.notify()).rejects.toMatchObject({ code: 'EBUSY' })
      queue.trySend(pattern(5))
      await notice
      queue.tryReceive()
    }
    expect(readdirSync('/proc/self/fd').length).toBe(before)
  })

  test('a queue without a name still gives notices', async () => {
    const queue = queues.create()
    queue.unlink()
    const notice = queue.notify()
    await queue.send(pattern(5))
    await notice
  })
})
