/**
 * sem_wait(3), sem_trywait(3), sem_timedwait(3), sem_post(3): the assertions of the Open POSIX Test Suite
 * (conformance/interfaces), and what our waits promise beside them.
 *
 * Not here: sem_wait/6, sem_timedwait/5, sem_post/3, about memory that is no semaphore; sem_wait/8 and
 * sem_timedwait/8, a deadlock that Linux does not look for; sem_timedwait/6, a wrong tv_nsec, and 10, CLOCK_REALTIME:
 * our deadlines are durations and monotonic; sem_post/5 and 6, inside signal handlers; sem_post/8, the order of
 * scheduling classes, which is the kernel's.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Semaphore } from 'ipckit/posix'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { descriptors, settledCounts, threads } from '../helpers/counts.ts'
import { Program } from '../helpers/program.ts'
import { isPending, until } from '../helpers/waiting.ts'
import { nameOf, Semaphores, waitersOf } from './semaphore-support.ts'

const semaphores = new Semaphores()
endAgents()

const timeout = expect.objectContaining({ name: 'TimeoutError', code: 'ERR_IPC_TIMEOUT' })

async function startAgent(semaphore: Semaphore): Promise<{ agent: Agent; theirs: number }> {
  const agent = await Agent.start()
  return { agent, theirs: await agent.open('posix.Semaphore', 'open', nameOf(semaphore)) }
}

describe('sem_wait and sem_trywait', () => {
  test('sem_wait/1-1: takes one', async () => {
    const semaphore = semaphores.create({ value: 2 })
    await semaphore.acquire()
    expect(semaphore.value).toBe(1)
    semaphore.acquireSync()
    expect(semaphore.value).toBe(0)
  })

  test('sem_wait/3-1: it stays taken until it is posted', async () => {
    const semaphore = semaphores.create({ value: 1 })
    const permit = await semaphore.acquire()
    expect(semaphore.tryAcquire()).toBeUndefined()
    permit.release()
    expect(semaphore.tryAcquire()).toBeDefined()
  })

  test('sem_wait/4-1: a process that waits can be killed, and has taken nothing', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const { agent, theirs } = await startAgent(semaphore)
    const waiting = agent.call(theirs, 'acquire')
    waiting.catch(() => {})
    await until(() => waitersOf(nameOf(semaphore)) === 1)
    semaphore.release()
    agent.kill('SIGKILL')
    // It may have been served first; then its permit went with it, and it was a holder.
    const got = await waiting.then(
      () => true,
      () => false,
    )
    await agent.end()
    if (!got) expect(semaphore.value).toBe(1)
  })

  test('sem_wait/7-1: signals do not end an async wait', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const { agent, theirs } = await startAgent(semaphore)
    await agent.call('signals', 'handle', 'SIGUSR2')
    const waiting = agent.call(theirs, 'acquire')
    await until(() => waitersOf(nameOf(semaphore)) === 1)
    for (let round = 0; round < 200; round++) {
      agent.kill('SIGUSR2')
      if (round % 20 === 0) await sleep(1)
    }
    semaphore.release()
    expect(typeof (await waiting)).toBe('number')
    expect(semaphore.value).toBe(0)
  })

  test('signals that nobody meant for it do not end a blocking wait', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const { agent, theirs } = await startAgent(semaphore)
    await agent.call('signals', 'handle', 'SIGUSR2')
    const waiting = agent.call(theirs, 'acquireSync', { timeoutMs: 20_000 })
    await until(() => waitersOf(nameOf(semaphore)) === 1)
    for (let round = 0; round < 500; round++) {
      agent.kill('SIGUSR2')
      if (round % 20 === 0) await sleep(1)
    }
    semaphore.release()
    await waiting
    expect(semaphore.value).toBe(0)
  })

  test('sem_trywait/5-1, 11-1, 12-1: takes what is there, and says undefined when nothing is', () => {
    const semaphore = semaphores.create({ value: 1 })
    expect(semaphore.tryAcquire()?.released).toBe(false)
    expect(semaphore.tryAcquire()).toBeUndefined()
    expect(semaphore.value).toBe(0)
  })

  test('sem_wait/13-1: waits while the value is 0, for a post of another process too', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const { agent, theirs } = await startAgent(semaphore)
    const waiting = semaphore.acquire()
    expect(await isPending(waiting)).toBe(true)
    await agent.call(theirs, 'release')
    await waiting
    expect(semaphore.value).toBe(0)
  })
})

describe('sem_timedwait', () => {
  test('sem_timedwait/1-1, 11-1: takes what is there whatever the time', async () => {
    const semaphore = semaphores.create({ value: 2 })
    await semaphore.acquire({ timeoutMs: 0 })
    semaphore.acquireSync({ timeoutMs: 0 })
    expect(semaphore.value).toBe(0)
  })

  test.each(['acquire', 'acquireSync'] as const)(
    'sem_timedwait/2-1, 4-1, 7-1: %s gives up when the time has passed, and takes nothing',
    async (way) => {
      const semaphore = semaphores.create({ value: 0 })
      const before = performance.now()
      await expect((async () => semaphore[way]({ timeoutMs: 60 }))()).rejects.toEqual(timeout)
      expect(performance.now() - before).toBeGreaterThanOrEqual(60)
      semaphore.release()
      expect(semaphore.value).toBe(1)
    },
  )

  test('sem_timedwait/3-1: a time of 0 gives up at once', async () => {
    const semaphore = semaphores.create({ value: 0 })
    await expect(semaphore.acquire({ timeoutMs: 0 })).rejects.toEqual(timeout)
    expect(() => semaphore.acquireSync({ timeoutMs: 0 })).toThrow(timeout)
  })

  test.each([-1, Number.NaN, '5', 2 ** 31])('a time such as %j is refused', async (timeoutMs) => {
    const semaphore = semaphores.create()
    await expect(semaphore.acquire({ timeoutMs: timeoutMs as number })).rejects.toThrow(/`timeoutMs`/)
    expect(() => semaphore.acquireSync({ timeoutMs: timeoutMs as number })).toThrow(/`timeoutMs`/)
    expect(semaphore.value).toBe(1)
  })
})

describe('sem_post', () => {
  test('sem_post/1-1, 1-2, 2-1, 4-1: adds one, or as many as are said', () => {
    const semaphore = semaphores.create({ value: 0 })
    semaphore.release()
    semaphore.release(3)
    expect(semaphore.value).toBe(4)
  })

  test('EOVERFLOW tells how many were done before the value was the largest', () => {
    const semaphore = semaphores.create({ value: 2 ** 31 - 3 })
    const failed = (message: RegExp) =>
      expect.objectContaining({
        code: 'EOVERFLOW',
        syscall: 'sem_post',
        message: expect.stringMatching(message),
      })
    expect(() => semaphore.release(5)).toThrow(failed(/2 of 5 were done before/))
    expect(semaphore.value).toBe(2 ** 31 - 1)
    expect(() => semaphore.release()).toThrow(failed(/the largest there is/))
  })

  test.each([0, -1, 1.5, '1', 2 ** 31])('a count such as %j is refused', (count) => {
    const semaphore = semaphores.create()
    expect(() => semaphore.release(count as number)).toThrow(/`count`/)
    expect(semaphore.value).toBe(1)
  })
})

describe('permits', () => {
  test('using gives back at the end of the block, also when it throws', async () => {
    const semaphore = semaphores.create({ value: 1 })
    const failing = async () => {
      const permit = await semaphore.acquire()
      try {
        throw new Error('on purpose')
      } finally {
        permit[Symbol.dispose]()
      }
    }
    await expect(failing()).rejects.toThrow('on purpose')
    expect(semaphore.value).toBe(1)
  })

  test('releasing twice gives back once', async () => {
    const semaphore = semaphores.create({ value: 1 })
    const permit = await semaphore.acquire()
    permit.release()
    permit.release()
    expect(permit.released).toBe(true)
    expect(semaphore.value).toBe(1)
  })
})

describe('waiting', () => {
  test('calls are served in order, and nobody overtakes them', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const other = semaphores.again(semaphore)
    const served: number[] = []
    const waits = Array.from({ length: 50 }, async (_, number) => {
      await semaphore.acquire()
      served.push(number)
    })
    other.release(20)
    expect(semaphore.tryAcquire()).toBeUndefined()
    other.release(30)
    await Promise.all(waits)
    expect(served).toEqual(Array.from({ length: 50 }, (_, number) => number))
    expect(semaphore.value).toBe(0)
  })

  test('however many wait, one thread does, and it goes', async () => {
    const semaphore = semaphores.create({ value: 0 })
    await settledCounts()
    const before = threads()
    const waits = Array.from({ length: 1000 }, () => semaphore.acquire())
    await until(() => waitersOf(nameOf(semaphore)) === 1)
    expect(threads()).toBe(before + 1)
    semaphore.release(1000)
    await Promise.all(waits)
    expect((await settledCounts()).threads).toBe(before)
    expect(waitersOf(nameOf(semaphore))).toBe(0)
  })

  test('an aborted wait rejects with the reason of the signal, and has taken nothing', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const controller = new AbortController()
    const waiting = semaphore.acquire({ signal: controller.signal })
    await until(() => waitersOf(nameOf(semaphore)) === 1)
    controller.abort('enough')
    await expect(waiting).rejects.toBe('enough')
    semaphore.release()
    expect(semaphore.value).toBe(1)
    await expect(semaphore.acquire({ signal: AbortSignal.abort('before') })).rejects.toBe('before')
    expect(semaphore.value).toBe(1)
    await until(() => waitersOf(nameOf(semaphore)) === 0)
  })

  test('of 10,000 aborted waits while posts flow no permit is lost or made', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const other = semaphores.again(semaphore)
    const before = await settledCounts()
    const total = 10_000
    let taken = 0
    let posted = 0
    for (let round = 0; round < total / 100; round++) {
      const waits = Array.from({ length: 100 }, (_, at) => {
        const controller = new AbortController()
        const wait = semaphore.acquire({ signal: controller.signal })
        if (at % 3 === 0) setImmediate(() => controller.abort())
        else setTimeout(() => controller.abort(), at % 5)
        return wait.then(
          () => {
            taken++
          },
          ({ name }) => expect(name).toBe('AbortError'),
        )
      })
      for (let at = 0; at < 40; at++) {
        other.release()
        posted++
        if (at % 8 === 0) await new Promise(setImmediate)
      }
      await Promise.all(waits)
    }
    expect(taken + semaphore.value).toBe(posted)
    expect(taken).toBeGreaterThan(0)
    const after = await settledCounts()
    expect(after.threads).toBe(before.threads)
    // Pipes of agents of other tests may have gone meanwhile.
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors)
    expect(waitersOf(nameOf(semaphore))).toBe(0)
  })

  test('a waiter that was woken and aborted passes the post on to another process', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const { agent, theirs } = await startAgent(semaphore)
    for (let round = 0; round < 20; round++) {
      const controller = new AbortController()
      const ours = semaphore.acquire({ signal: controller.signal }).then(
        (permit) => permit.release(),
        () => {},
      )
      await until(() => waitersOf(nameOf(semaphore)) === 1)
      const their = agent.call(theirs, 'acquire')
      await until(() => waitersOf(nameOf(semaphore)) === 2)
      semaphore.release()
      controller.abort()
      await ours
      await their
      expect(semaphore.value).toBe(0)
    }
  })

  test('close ends waits with ClosedError, frees everything, and the permit goes to others', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const other = semaphores.again(semaphore)
    const waits = Promise.allSettled(Array.from({ length: 10 }, () => other.acquire()))
    await until(() => waitersOf(nameOf(semaphore)) === 1)
    const before = descriptors()
    await other.close()
    for (const outcome of await waits) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_IPC_CLOSED' } })
    }
    expect(descriptors()).toBe(before - 1)
    expect(waitersOf(nameOf(semaphore))).toBe(0)
    semaphore.release()
    expect(semaphore.value).toBe(1)
  })

  test('a blocking wait serves those who came first, then takes', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const { agent, theirs } = await startAgent(semaphore)
    let first = false
    const waiting = semaphore.acquire().then(() => {
      first = true
    })
    await until(() => waitersOf(nameOf(semaphore)) === 1)
    const posting = agent.call(theirs, 'release', 2)
    semaphore.acquireSync({ timeoutMs: 20_000 })
    await waiting
    await posting
    expect(first).toBe(true)
    expect(semaphore.value).toBe(0)
  })

  test('who was never woken, because the one that was died, looks again by himself', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const waiting = semaphore.acquire()
    await until(() => waitersOf(nameOf(semaphore)) === 1)
    // As a post whose wake went to a process that was killed then: the value grows, and nobody is told.
    const { openSync, writeSync, closeSync } = await import('node:fs')
    const file = openSync(`/dev/shm/sem.${nameOf(semaphore).slice(1)}`, 'r+')
    writeSync(file, Buffer.of(1), 0, 1, 0)
    closeSync(file)
    await waiting
    expect(semaphore.value).toBe(0)
  })
})

describe('the ends of processes and threads', () => {
  test.for(['exit', 'natural', 'signal'])('a process that waits ends by %s', async (end, here) => {
    const semaphore = semaphores.create({ value: 0 })
    const program = new Program(here, 'semaphore.mjs', { name: nameOf(semaphore), end })
    expect(await program.says()).toBe('waiting')
    if (end === 'signal') {
      await until(() => waitersOf(nameOf(semaphore)) > 0)
      program.kill('SIGTERM')
    }
    expect(await program.ended).toMatchObject(
      end === 'signal' ? { signal: 'SIGTERM' } : { code: end === 'exit' ? 7 : 0, signal: null },
    )
    semaphore.release()
    expect(semaphore.value).toBe(1)
  })

  test('Ctrl-C ends a blocking wait with EINTR, and runs the listener then', async (here) => {
    const semaphore = semaphores.create({ value: 0 })
    const program = new Program(here, 'semaphore.mjs', { name: nameOf(semaphore), end: 'blocked' })
    expect(await program.says()).toBe('waiting')
    await until(() => waitersOf(nameOf(semaphore)) > 0)
    program.kill('SIGINT')
    expect(await program.says()).toBe('EINTR')
    expect(await program.says()).toBe('heard')
    expect(await program.ended).toMatchObject({ code: 0 })
    expect(waitersOf(nameOf(semaphore))).toBe(0)
  })

  test('a process lives to see the end of close(), though it has nothing else to do', async (here) => {
    const semaphore = semaphores.create({ value: 0 })
    const program = new Program(here, 'semaphore.mjs', { name: nameOf(semaphore), end: 'closed' })
    expect(await program.ended).toMatchObject({ code: 0, rest: ['waiting', 'ERR_IPC_TIMEOUT', 'closed'] })
  })

  test.each(['acquire', 'acquireSync'])('a worker that waits in %s is terminated, ten times', async (way) => {
    const semaphore = semaphores.create({ value: 0 })
    const before = await settledCounts()
    for (let round = 0; round < 10; round++) {
      const worker = new Worker(
        `const { workerData: { name, way } } = require('node:worker_threads')
         import('ipckit/posix').then(({ Semaphore }) => Semaphore.open(name)[way]())`,
        { eval: true, workerData: { name: nameOf(semaphore), way } },
      )
      await until(() => waitersOf(nameOf(semaphore)) === 1)
      await worker.terminate()
      expect(waitersOf(nameOf(semaphore))).toBe(0)
    }
    semaphore.release()
    expect(semaphore.value).toBe(1)
    const after = await settledCounts()
    expect(after.threads).toBe(before.threads)
    // Pipes of agents of other tests may have gone meanwhile.
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors)
  })

  test('a permit stays taken when its holder is killed', async () => {
    const semaphore = semaphores.create({ value: 1 })
    const { agent, theirs } = await startAgent(semaphore)
    await agent.call(theirs, 'acquire')
    await agent.end()
    expect(semaphore.value).toBe(0)
  })

  test('handles that were dropped are closed by the garbage collector', async (here) => {
    const semaphore = semaphores.create()
    const program = new Program(
      here,
      'semaphore.mjs',
      { name: nameOf(semaphore), end: 'dropped' },
      { node: ['--expose-gc'] },
    )
    expect(await program.says()).toBe('waiting')
    expect(await program.says()).toBe('freed')
    expect(await program.ended).toMatchObject({ code: 0 })
  })
})
