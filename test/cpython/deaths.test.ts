/**
 * The nine cases in which processes that use CPython's multiprocessing hang for ever when one of them is killed: here the
 * others go on, within a hard bound after the kill. The second part runs the same with the package in Python, and, as a
 * counter-check, with multiprocessing itself, which does hang.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { json, Queue } from 'ipckit'
import { Barrier, BrokenBarrierError, Condition, Event, Lock, RLock, Semaphore } from 'ipckit/sync'
import { beforeAll, expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { until } from '../helpers/waiting.ts'
import { buildPeers } from '../interop/peers.ts'
import { runPythonTests } from '../interop/python-package.ts'
import { keep as keepQueue, newAddress } from '../shm/support.ts'
import { keep, name, Remote, soon } from '../sync/support.ts'

endAgents()

/** A call in another process that is to be killed meanwhile: it never comes back. */
function doomed(call: Promise<unknown>): void {
  call.catch(() => {})
}

async function queueElsewhere(address: string) {
  const agent = await Agent.start()
  const there = await agent.open('Queue', 'open', address, { codec: 'json' })
  return { agent, call: (method: string, ...args: unknown[]) => agent.call(there, method, ...args) }
}

test.each([
  ['Lock', Lock],
  ['RLock', RLock],
] as const)('%s: its holder is killed, and acquire succeeds and tells of it', async (kind, type) => {
  const lock = keep(type.create(name()))
  const holder = await Remote.open(kind, lock.name)
  await holder.call('acquire')
  holder.kill()
  expect((await soon(lock.acquire())).ownerDied).toMatchObject({ pid: holder.pid })
})

test('Semaphore: its holder is killed, and the permit comes back', async () => {
  const semaphore = keep(Semaphore.create(name(), { value: 1 }))
  const holder = await Remote.open('Semaphore', semaphore.name)
  await holder.call('acquire')
  holder.kill()
  await soon(semaphore.acquire())
})

test('Queue: one who waits in get is killed, and another gets the message', async () => {
  const queue = keepQueue(await Queue.create(newAddress(), { codec: json<number>() }))
  const victim = await queueElsewhere(queue.address)
  doomed(victim.call('get'))
  await sleep(100)
  await victim.agent.end()
  await queue.put(1)
  expect(await soon(queue.get())).toBe(1)
})

test('JoinableQueue: one who has a task is killed, another does it, and join ends', async () => {
  const queue = keepQueue(await Queue.create(newAddress(), { codec: json<number>(), joinable: true }))
  await queue.put(1)
  const victim = await queueElsewhere(queue.address)
  await victim.call('get')
  const joined = queue.join()
  await victim.agent.end()
  expect(await soon(queue.get())).toBe(1)
  queue.taskDone()
  await soon(joined)
})

test('Condition: a waiter is killed, and notify returns at once', async () => {
  const condition = keep(Condition.create(name()))
  const victim = await Remote.open('Condition', condition.name)
  await victim.call('acquire')
  doomed(victim.call('wait'))
  await until(() => condition.stat().waiters === 1)
  victim.kill()
  await soon(condition.run(() => condition.notify()))
})

test('Event: a waiter is killed, and set returns at once', async () => {
  const event = keep(Event.create(name()))
  const victim = await Remote.open('Event', event.name)
  doomed(victim.call('wait'))
  await until(() => event.stat().waiters === 1)
  victim.kill()
  event.set()
  await soon(event.wait())
})

test('Barrier: a party is killed while it waits, and the others are told', async () => {
  const barrier = keep(Barrier.create(name(), { parties: 2 }))
  const victim = await Remote.open('Barrier', barrier.name)
  doomed(victim.call('wait'))
  await until(() => barrier.nWaiting === 1)
  await victim.agent.end()
  await soon(expect(barrier.wait()).rejects.toThrow(BrokenBarrierError))
})

test('Pool.map, the part of it that is a queue: the task of a worker that is killed comes to another', async () => {
  const tasks = keepQueue(await Queue.create(newAddress(), { codec: json<number>() }))
  await tasks.putMany([0, 1, 2, 3])
  const victim = await queueElsewhere(tasks.address)
  await victim.call('lease')
  await victim.agent.end()
  const results = new Map<number, number>()
  const work = async () => {
    while (results.size < 4) {
      const lease = await tasks.lease({ timeoutMs: 2000 })
      results.set(lease.value, lease.value ** 2)
      lease.ack()
    }
  }
  await soon(work())
  expect([...results].sort()).toEqual([
    [0, 0],
    [1, 1],
    [2, 4],
    [3, 9],
  ])
})

beforeAll(buildPeers)

test('in Python: with our classes none hangs, with those of multiprocessing all nine do', {
  timeout: 240_000,
}, () => {
  const said = runPythonTests('deaths_test', 230_000).split('\n')
  const table = said.filter((line) => / hangs +goes on after \d+ ms$/.test(line))
  console.log(said.slice(1, 11).join('\n'))
  expect(table).toHaveLength(9)
})
