/** RLock and RWLock: who may hold them together. */
import { Worker } from 'node:worker_threads'
import { TimeoutError } from 'ipckit'
import { NotHeldError, RLock, RWLock } from 'ipckit/sync'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { needs, works } from '../helpers/needs.ts'
import { isPending, until } from '../helpers/waiting.ts'
import { keep, name, Remote } from './support.ts'

endAgents()

const isolated = ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--kill-child']
const canIsolate = needs('unshare(1), and the right to make PID namespaces', works(...isolated, 'true'))

describe('RLock', () => {
  test('its holder acquires it again, by each way, and it is free when it was released as often', async () => {
    const fresh = name()
    const lock = keep(RLock.create(fresh))
    const remote = await Remote.open('RLock', fresh)
    const guards = [await lock.acquire(), lock.acquireSync(), lock.tryAcquire()]
    expect(lock.stat()).toMatchObject({ depth: 3, holder: { pid: process.pid } })
    for (const guard of guards) {
      expect(await remote.call('tryAcquire')).toBeUndefined()
      guard?.release()
    }
    expect(await remote.call('tryAcquire')).toBeTypeOf('number')
    expect(lock.tryAcquire()).toBeUndefined()
  })

  test('release() works it off, and then it is not held', async () => {
    const lock = keep(RLock.create(name()))
    lock.acquireSync()
    lock.acquireSync()
    lock.release()
    expect(lock.locked).toBe(true)
    lock.release()
    expect(lock.locked).toBe(false)
    expect(() => lock.release()).toThrow(NotHeldError)
  })

  test('two handles of one environment are one owner, also when the first is closed', async () => {
    const fresh = name()
    const [one, two, three] = [RLock.create(fresh), RLock.open(fresh), RLock.open(fresh)].map(keep) as [
      RLock,
      RLock,
      RLock,
    ]
    const first = await one.acquire()
    const second = two.acquireSync()
    const closing = one.close()
    expect([first.released, second.released, three.locked]).toEqual([true, false, true])
    const third = three.tryAcquire()
    second.release()
    expect(two.locked).toBe(true)
    third?.release()
    await closing
    expect(two.locked).toBe(false)
    const remote = await Remote.open('RLock', fresh)
    expect(await remote.call('tryAcquire')).toBeTypeOf('number')
  })

  test('whoever waits by another handle gets it together with the first of its environment', async () => {
    const fresh = name()
    const [one, two] = [keep(RLock.create(fresh)), keep(RLock.open(fresh))]
    const remote = await Remote.open('RLock', fresh)
    const theirs = await remote.call('acquire')
    const waits = [one.acquire(), two.acquire()]
    await until(() => one.stat().waiters === 2)
    await remote.agent.call(theirs as number, 'release')
    for (const guard of await Promise.all(waits)) guard.release()
    expect(one.locked).toBe(false)
  })

  test('a worker thread is another owner, and so is another process', async () => {
    const fresh = name()
    const lock = keep(RLock.create(fresh))
    const guard = await lock.acquire()
    const worker = new Worker(
      `const { workerData: fresh, parentPort } = require('node:worker_threads')
       import('ipckit/sync').then(async ({ RLock }) => {
         const lock = RLock.open(fresh)
         parentPort.postMessage(lock.tryAcquire() === undefined)
         const guard = await lock.acquire()
         parentPort.postMessage('held')
         guard.release()
         await lock.close()
       })`,
      { eval: true, workerData: fresh },
    )
    const exited = new Promise((resolve) => worker.once('exit', resolve))
    const says = () => new Promise((resolve) => worker.once('message', resolve))
    expect(await says()).toBe(true)
    const next = says()
    guard.release()
    expect(await next).toBe('held')
    await exited
  })

  test('a process with the same pid in another PID namespace is another owner', async ({ skip }) => {
    skip(!canIsolate)
    const fresh = name()
    keep(RLock.create(fresh))
    const through = isolated
    const agents = await Promise.all([Agent.start({ through }), Agent.start({ through })])
    const [one, two] = await Promise.all(agents.map((agent) => Remote.in(agent, 'RLock', fresh)))
    const seen = keep(RLock.open(fresh))
    await one?.call('acquire')
    await one?.call('acquire')
    const pids = seen.stat().participants.filter(({ self }) => !self)
    expect(new Set(pids.map(({ pid }) => pid))).toHaveLength(2)
    expect(await two?.call('tryAcquire')).toBeUndefined()
    await expect(two?.call('acquire', { timeoutMs: 200 })).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
    const waiting = two?.call('acquire')
    one?.kill()
    await waiting
    expect(seen.stat().holder).toBeDefined()
  })
})

describe('RWLock', () => {
  test('many read together, one writes alone', async () => {
    const fresh = name()
    const lock = keep(RWLock.create(fresh))
    const remote = await Remote.open('RWLock', fresh)
    const mine = [await lock.acquireShared(), lock.acquireSharedSync(), lock.tryAcquireShared()]
    const theirs = (await remote.call('acquireShared')) as number
    expect(lock.stat()).toMatchObject({ value: 4, holder: undefined })
    expect([lock.tryAcquire(), await remote.call('tryAcquire'), lock.locked]).toEqual([
      undefined,
      undefined,
      true,
    ])
    for (const guard of mine) guard?.release()
    const writing = lock.acquire()
    expect(await isPending(writing)).toBe(true)
    await remote.agent.call(theirs, 'release')
    const guard = await writing
    expect([guard.shared, lock.tryAcquireShared(), await remote.call('tryAcquireShared')]).toEqual([
      false,
      undefined,
      undefined,
    ])
    guard.release()
    expect(await lock.runShared((reading) => reading.shared)).toBe(true)
    expect(lock.locked).toBe(false)
  })

  test('a writer who waits is not passed by new readers of his handle', async () => {
    const lock = keep(RWLock.create(name()))
    const reading = await lock.acquireShared()
    const order: string[] = []
    const writer = lock.run(() => void order.push('writes'))
    const reader = lock.runShared(() => void order.push('reads'))
    expect(lock.tryAcquireShared()).toBeUndefined()
    reading.release()
    await Promise.all([writer, reader])
    expect(order).toEqual(['writes', 'reads'])
  })

  test('readers without end starve no writer, nor writers a reader', async () => {
    const fresh = name()
    const lock = keep(RWLock.create(fresh))
    const others = [keep(RWLock.open(fresh)), keep(RWLock.open(fresh))]
    let over = false
    const stream = others.map(async (other) => {
      while (!over) await other.runShared(() => new Promise((resolve) => setTimeout(resolve, 2)))
    })
    await lock.run(() => {}, { timeoutMs: 10_000 })
    over = true
    await Promise.all(stream)
    over = false
    const writers = others.map(async (other) => {
      while (!over) await other.run(() => new Promise((resolve) => setTimeout(resolve, 2)))
    })
    await lock.runShared(() => {}, { timeoutMs: 10_000 })
    over = true
    await Promise.all(writers)
  })

  test('to read and then to write without releasing is a wait that times out', async () => {
    const lock = keep(RWLock.create(name()))
    using _reading = lock.acquireSharedSync()
    await expect(lock.acquire({ timeoutMs: 30 })).rejects.toThrow(TimeoutError)
    expect(() => lock.acquireSync({ timeoutMs: 30 })).toThrow(TimeoutError)
  })
})
