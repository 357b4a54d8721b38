/**
 * What waits cost while nothing comes, what they tell when they end, and what they leave behind.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { ClosedError, TimeoutError } from 'ipckit'
import { MessageQueue } from 'ipckit/posix'
import { describe, expect, test } from 'vitest'
import { descriptors, settledCounts, threads } from '../helpers/counts.ts'
import {
  type ByteQueue,
  carriers,
  drain,
  fill,
  makeQueue,
  numbered,
  numberOf,
  openQueue,
} from '../helpers/kernels.ts'
import { Program } from '../helpers/program.ts'
import { isPending, until } from '../helpers/waiting.ts'

describe.each(carriers)('%s: waits that nothing comes for', (kernel) => {
  test('leave the pool of Node alone: 64 of them, and files are read', async (here) => {
    const folder = await mkdtemp(join(tmpdir(), 'ipckit-waits-'))
    here.onTestFinished(() => rm(folder, { recursive: true }))
    const file = join(folder, 'file')
    await writeFile(file, 'content')
    const queues = await Promise.all(Array.from({ length: 16 }, () => makeQueue(here, kernel)))
    const waits = Array.from({ length: 64 }, (_, at) => (queues[at % 16] as ByteQueue).get())
    for (const wait of waits) wait.catch(() => {})
    for (let round = 0; round < 16; round++) {
      const contents = await Promise.all(Array.from({ length: 8 }, () => readFile(file, 'utf8')))
      expect(new Set(contents)).toEqual(new Set(['content']))
    }
    for (const wait of waits) expect(await isPending(wait)).toBe(true)
    await Promise.all(queues.map((queue) => queue.close()))
    for (const wait of waits) await expect(wait).rejects.toThrow(ClosedError)
  })

  const most = kernel === 'posix' ? 'one thread in all' : 'one thread for each queue and selector'
  test(`take at most ${most}, and give it back`, async (here) => {
    // The pool of Node has its threads by now.
    await Promise.all(Array.from({ length: 8 }, () => readFile('/proc/self/stat')))
    const before = await settledCounts()
    const queues = await Promise.all(Array.from({ length: 8 }, () => makeQueue(here, kernel)))
    const full = await makeQueue(here, kernel)
    fill(full)
    const waits: Promise<unknown>[] = []
    const wait = (count: number, queue: ByteQueue, options?: object) => {
      for (let at = 0; at < count; at++) waits.push(queue.get(options).catch(() => {}))
    }
    const limit = (ofSysv: number) => before.threads + (kernel === 'posix' ? 1 : ofSysv)
    for (const queue of queues) wait(1, queue)
    expect(threads()).toBeLessThanOrEqual(limit(8))
    for (const queue of queues) wait(50, queue)
    expect(threads()).toBeLessThanOrEqual(limit(8))
    if (kernel === 'sysv') {
      const [first] = queues as [ByteQueue]
      for (const options of [{ type: 2 }, { type: 3 }, { maxType: 3 }, { except: 1 }])
        wait(20, first, options)
      expect(threads()).toBeLessThanOrEqual(limit(12))
    }
    // All who wait to send on one handle share a thread, too.
    for (let at = 0; at < 50; at++) waits.push(full.put(numbered(at)).catch(() => {}))
    expect(threads()).toBeLessThanOrEqual(limit(13))
    await Promise.all([full, ...queues].map((queue) => queue.close()))
    await Promise.all(waits)
    // One poll thread per environment stays.
    const slack = kernel === 'posix' ? 1 : 0
    await until(() => threads() <= before.threads + slack && descriptors() <= before.descriptors + 3 * slack)
  })
})

// An exception to "no maximums": using no processor time is the promise itself, and 1 % is far from what any
// polling would use.
test('50 idle queues of each kernel with 1000 pending gets use less than 1 % of a processor over 3 s', async (here) => {
  const queues = [
    ...(await Promise.all(Array.from({ length: 50 }, () => makeQueue(here, 'posix', { capacity: 1 })))),
    ...(await Promise.all(Array.from({ length: 50 }, () => makeQueue(here, 'sysv')))),
  ]
  const program = new Program(here, 'idle.mjs', {
    addresses: queues.map(({ address }) => address),
    waits: 1000,
    milliseconds: 3000,
  })
  const idle = JSON.parse(await program.says())
  expect(idle.settled).toBe(0)
  expect(idle.threads).toBeLessThanOrEqual(51)
  expect(idle.microseconds).toBeLessThan(30_000)
  expect(await program.ended).toMatchObject({ code: 0, errors: '' })
})

describe.each(carriers)('%s: a batch', (kernel) => {
  test('whose time is up tells how many it put, and the queue holds those', async (here) => {
    const queue = await makeQueue(here, kernel)
    const numbers = Array.from({ length: 10 }, (_, at) => at)
    expect(await queue.putMany(numbers.map(numbered), { timeoutMs: 30 })).toBe(4)
    await expect(queue.putMany(numbers.map(numbered), { timeoutMs: 30 })).rejects.toThrow(TimeoutError)
    const late = queue.putMany(
      numbers.map((number) => numbered(number + 100)),
      { timeoutMs: 300 },
    )
    const taken = [await queue.get(), await queue.get(), await queue.get()].map(numberOf)
    expect(await late).toBe(3)
    expect([...taken, ...drain(queue)]).toEqual([0, 1, 2, 3, 100, 101, 102])
  })

  test('that is aborted, or whose handle is closed, tells it too', async (here) => {
    const queue = await makeQueue(here, kernel)
    const handle = await openQueue(here, queue)
    const batch = Array.from({ length: 10 }, (_, at) => numbered(at))
    const controller = new AbortController()
    const aborted = queue.putMany(batch, { signal: controller.signal })
    controller.abort()
    expect(await aborted).toBe(4)
    await expect(queue.putMany(batch, { signal: AbortSignal.timeout(5) })).rejects.toMatchObject({
      name: 'TimeoutError',
    })
    expect(drain(queue)).toEqual([0, 1, 2, 3])
    const closed = handle.putMany(batch)
    await handle.close()
    expect(await closed).toBe(4)
    expect(drain(queue)).toEqual([0, 1, 2, 3])
  })
})

describe.each(carriers)('%s: a handle that is unreferenced', (kernel) => {
  test('is served as others are, while something else keeps the process', async (here) => {
    const queue = await makeQueue(here, kernel)
    const handle = (await openQueue(here, queue)).unref()
    const got = handle.get()
    await queue.put(numbered(5))
    expect(numberOf(await got)).toBe(5)
    fill(queue)
    const sent = handle.put(numbered(6))
    await queue.get()
    await sent
    await expect(handle.put(numbered(7), { timeoutMs: 5 })).rejects.toThrow(TimeoutError)
  })
})

describe.each(carriers)('%s: a signal', (kernel) => {
  test('that a thousand waits share has no listener left when they have ended, and Node warns of nothing', async (here) => {
    const warnings: Error[] = []
    const listen = (warning: Error) => warnings.push(warning)
    process.on('warning', listen)
    here.onTestFinished(() => void process.off('warning', listen))
    const queue = await makeQueue(here, kernel)
    const controller = new AbortController()
    let added = 0
    const { signal } = controller
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = ((...args: Parameters<typeof add>) => {
      added++
      add(...args)
    }) as typeof add
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
      added--
      remove(...args)
    }) as typeof remove
    const waits = Array.from({ length: 1000 }, () => queue.get({ signal, timeoutMs: 20 }))
    for (const wait of waits) await expect(wait).rejects.toThrow(TimeoutError)
    expect(added).toBe(0)
    const others = Array.from({ length: 1000 }, () => queue.get({ signal }))
    controller.abort()
    for (const wait of others) await expect(wait).rejects.toMatchObject({ name: 'AbortError' })
    await nextTurn()
    expect(warnings).toEqual([])
  })
})

describe('posix: a wait in notify()', () => {
  const nameOf = ({ address }: ByteQueue) => address.slice('posix:'.length)

  test('goes on when another handle of the process on the same queue is closed, and takes its notice', async (here) => {
    const queue = await makeQueue(here, 'posix')
    const asking = MessageQueue.open(nameOf(queue))
    here.onTestFinished(() => asking.close())
    const noticed = asking.notify()
    for (let round = 0; round < 3; round++) {
      // The kernel takes the request back then: mq_close(3), ipc/mqueue.c.
      await MessageQueue.open(nameOf(queue)).close()
      await sleep(10)
      expect(await isPending(noticed)).toBe(true)
    }
    await queue.put(numbered(1))
    await noticed
    expect(drain(queue)).toEqual([1])
  })

  test('is told of a message that comes while its request is renewed', async (here) => {
    const queue = await makeQueue(here, 'posix')
    const asking = MessageQueue.open(nameOf(queue))
    here.onTestFinished(() => asking.close())
    for (let round = 0; round < 200; round++) {
      const other = MessageQueue.open(nameOf(queue))
      const noticed = asking.notify()
      void other.close()
      await queue.put(numbered(round))
      await noticed
      expect(drain(queue)).toEqual([round])
    }
  })

  test('that ended leaves the next request free, however it ended', async (here) => {
    const queue = await makeQueue(here, 'posix')
    const asking = MessageQueue.open(nameOf(queue))
    here.onTestFinished(() => asking.close())
    await expect(asking.notify({ timeoutMs: 5 })).rejects.toThrow(TimeoutError)
    await expect(asking.notify({ signal: AbortSignal.timeout(5) })).rejects.toMatchObject({
      name: 'TimeoutError',
    })
    const other = MessageQueue.open(nameOf(queue))
    const closed = other.notify()
    await other.close()
    await expect(closed).rejects.toThrow(ClosedError)
    const noticed = asking.notify()
    await queue.put(numbered(1))
    await noticed
  })
})
