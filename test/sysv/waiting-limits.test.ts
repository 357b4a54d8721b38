/** What a wait needs of the system, and what is said where the system does not give it. */
import { Semaphore } from 'ipckit/posix'
import { SemaphoreSet } from 'ipckit/sysv'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { newName } from '../helpers/names.ts'
import { pattern } from '../helpers/pattern.ts'
import { Queues } from './support.ts'

const queues = new Queues()
endAgents()

/** Every thread that waits takes a timer. */
const withoutTimers = { through: ['prlimit', '--sigpending=0'] }
const noTimer = {
  code: 'EAGAIN',
  syscall: 'timer_create',
  message: expect.stringMatching(/RLIMIT_SIGPENDING.*ulimit -i/),
}

describe('a process whose user may have no timer', () => {
  test('is told so when it waits for a message or for room, on a thread or blocked', async () => {
    const queue = queues.create({ maxBytes: 16 })
    const agent = await Agent.start(withoutTimers)
    const theirs = await agent.open('sysv.MessageQueue', 'open', { id: queue.stat().id })
    await expect(agent.call(theirs, 'receive')).rejects.toMatchObject(noTimer)
    await expect(agent.call(theirs, 'receiveSync')).rejects.toMatchObject(noTimer)
    await agent.call(theirs, 'send', pattern(16))
    await expect(agent.call(theirs, 'send', pattern(16))).rejects.toMatchObject(noTimer)
    await expect(agent.call(theirs, 'sendSync', pattern(16))).rejects.toMatchObject(noTimer)
    expect(await agent.call(theirs, 'receive')).toEqual({ data: expect.anything(), type: 1 })
    expect(await agent.call(theirs, 'tryReceive')).toBeUndefined()
  })

  test('is told so when it waits for a semaphore', async () => {
    const set = SemaphoreSet.create('private', { values: [0] })
    onTestFinished(async () => {
      set.unlink()
      await set.close()
    })
    const agent = await Agent.start(withoutTimers)
    const theirs = await agent.open('sysv.SemaphoreSet', 'open', { id: set.stat().id })
    await expect(agent.call(theirs, 'acquire')).rejects.toMatchObject(noTimer)
    await expect(agent.call(theirs, 'acquireSync')).rejects.toMatchObject(noTimer)
    await expect(agent.call(theirs, 'operate', [{ semaphore: 0, by: -1 }])).rejects.toMatchObject(noTimer)
  })

  test('is told so when it waits for a POSIX semaphore', async () => {
    const name = newName()
    const semaphore = Semaphore.create(name, { value: 0 })
    onTestFinished(async () => {
      semaphore.unlink()
      await semaphore.close()
    })
    const agent = await Agent.start(withoutTimers)
    const theirs = await agent.open('posix.Semaphore', 'open', name)
    await expect(agent.call(theirs, 'acquire')).rejects.toMatchObject(noTimer)
    await expect(agent.call(theirs, 'acquireSync')).rejects.toMatchObject(noTimer)
  })
})
