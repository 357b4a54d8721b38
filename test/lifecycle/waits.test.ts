/**
 * Waits by the thousand: what they cost while nothing comes, and that ending one, at any moment, neither loses
 * nor doubles a message.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { ClosedError, Queue, raw, TimeoutError } from 'ipckit'
import { MessageQueue } from 'ipckit/posix'
import { describe, expect, test } from 'vitest'
import { descriptors, threads } from '../helpers/counts.ts'
import {
  type ByteQueue,
  drain,
  fill,
  kernels,
  makeQueue,
  numbered,
  numberOf,
  type Owner,
} from '../helpers/kernels.ts'
import { Program } from '../helpers/program.ts'
import { long, randomFrom, seed } from '../helpers/random.ts'
import { isPending, until } from '../helpers/waiting.ts'

const open = (here: Owner, { address }: ByteQueue): Promise<ByteQueue> =>
  Queue.open(address, { codec: raw() }).then((queue) => {
    here.onTestFinished(() => queue.close())
    return queue
  })

/** Gives back the threads that rest for half a second, and counts. */
async function settled(): Promise<{ threads: number; descriptors: number }> {
  await sleep(700)
  return { threads: threads(), descriptors: descriptors() }
}

describe.each(kernels)('%s: waits that nothing comes for', (kernel) => {
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
    const before = await settled()
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

/** Ends a wait after 0 to 2 ms, in all the ways in which a moment can pass. */
function endSoon(random: (below: number) => number): { signal?: AbortSignal; timeoutMs?: number } {
  if (random(3) === 0) return { timeoutMs: random(3) }
  const controller = new AbortController()
  const abort = () => controller.abort()
  const ways = [
    () => queueMicrotask(abort),
    () => setImmediate(abort),
    () => setImmediate(() => setImmediate(abort)),
    () => setTimeout(abort, 1),
    () => setTimeout(abort, 2),
  ]
  ways[random(ways.length)]?.()
  return { signal: controller.signal }
}

/** Ends a program that sends, which may be waiting for room: how many it sent, and which were not yet taken. */
async function finish(queue: ByteQueue, program: Program): Promise<{ count: number; rest: number[] }> {
  program.tellNothingMore()
  const rest: number[] = []
  let over = false
  const said = program.says().finally(() => {
    over = true
  })
  while (!over) {
    rest.push(...drain(queue))
    await nextTurn()
  }
  rest.push(...drain(queue))
  expect(await program.ended).toMatchObject({ code: 0, errors: '' })
  return { count: Number(await said), rest }
}

const rounds = long ? 1_000_000 : 10_000

describe.each(kernels)(`%s, seed ${seed}${long ? ', long' : ''}: of`, (kernel) => {
  test(`${rounds} gets that are ended while another process sends, no message is lost or doubled`, {
    timeout: 0,
  }, async (here) => {
    const random = randomFrom(seed)
    const queue = await makeQueue(here, kernel, { capacity: 8 })
    await queue.get({ timeoutMs: 1 }).catch(() => {})
    const before = await settled()
    const program = new Program(here, 'trickle.mjs', { address: queue.address, seed })
    const handles = await Promise.all([open(here, queue), open(here, queue), open(here, queue)])
    const got: number[][] = handles.map(() => [])
    let ended = 0
    const act = async (handle: number) => {
      while (ended < rounds) {
        try {
          const value = await (handles[handle] as ByteQueue).get(endSoon(random))
          got[handle]?.push(numberOf(value))
        } catch (error) {
          if (!(error instanceof TimeoutError) && (error as Error).name !== 'AbortError') throw error
          ended++
        }
      }
    }
    await Promise.all(Array.from({ length: 30 }, (_, at) => act(at % 3)))
    const { count, rest } = await finish(queue, program)
    const all = [...got.flat(), ...rest].sort((a, b) => a - b)
    expect(all).toEqual(Array.from({ length: count }, (_, at) => at + 1))
    // One sender and one receiver: in order.
    for (const numbers of got) expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    expect(count).toBeGreaterThan(100)
    await Promise.all(handles.map((handle) => handle.close()))
    await until(() => threads() <= before.threads && descriptors() <= before.descriptors)
  })

  const puts = rounds / 5

  test(`${puts} puts that are ended while another process takes, each is there once or was refused`, {
    timeout: 0,
  }, async (here) => {
    const random = randomFrom(seed)
    const queue = await makeQueue(here, kernel)
    const program = new Program(here, 'collect.mjs', { address: queue.address, pauseEvery: 3 })
    expect(await program.says()).toBe('there')
    const sent: number[] = []
    const refused: number[] = []
    let next = 0
    const act = async () => {
      while (sent.length + refused.length < puts) {
        const number = ++next
        await queue.put(numbered(number), endSoon(random)).then(
          () => sent.push(number),
          (error) => {
            if (!(error instanceof TimeoutError) && error.name !== 'AbortError') throw error
            refused.push(number)
          },
        )
      }
    }
    await Promise.all(Array.from({ length: 12 }, act))
    await queue.put(numbered(0xffff_ffff))
    const taken = JSON.parse(await program.says())
    expect(taken).toEqual([...sent].sort((a, b) => a - b))
    expect(refused.length).toBeGreaterThan(puts / 20)
    expect(sent.length).toBeGreaterThan(puts / 20)
    expect(await program.ended).toMatchObject({ code: 0, errors: '' })
  })

  test(`${puts} puts whose handle is closed, each is there once or was refused`, {
    timeout: 0,
  }, async (here) => {
    const random = randomFrom(seed)
    const queue = await makeQueue(here, kernel)
    const program = new Program(here, 'collect.mjs', { address: queue.address, pauseEvery: 2 })
    expect(await program.says()).toBe('there')
    const sent: number[] = []
    let refused = 0
    let next = 0
    while (sent.length + refused < puts) {
      const handle = await open(here, queue)
      const waits = Array.from({ length: 20 }, () => {
        const number = ++next
        return handle.put(numbered(number)).then(
          () => sent.push(number),
          (error) => {
            if (!(error instanceof ClosedError)) throw error
            refused++
          },
        )
      })
      for (let turns = random(40); turns > 0; turns--) await nextTurn()
      await handle.close()
      await Promise.all(waits)
    }
    await queue.put(numbered(0xffff_ffff))
    expect(JSON.parse(await program.says())).toEqual(sent)
    expect(refused).toBeGreaterThan(puts / 20)
    expect(sent.length).toBeGreaterThan(puts / 20)
    expect(await program.ended).toMatchObject({ code: 0, errors: '' })
  })

  test(`${puts / 20} batches that are ended, each tells exactly how many are there`, {
    timeout: 0,
  }, async (here) => {
    const random = randomFrom(seed)
    const queue = await makeQueue(here, kernel)
    const program = new Program(here, 'collect.mjs', { address: queue.address, pauseEvery: 4 })
    expect(await program.says()).toBe('there')
    const expected: number[] = []
    let partial = 0
    let next = 0
    for (let batch = 0; batch < puts / 20; batch++) {
      const numbers = Array.from({ length: 1 + random(20) }, () => ++next)
      const sent = await queue.putMany(numbers.map(numbered), endSoon(random)).catch((error) => {
        if (!(error instanceof TimeoutError) && error.name !== 'AbortError') throw error
        return 0
      })
      if (sent < numbers.length) partial++
      expected.push(...numbers.slice(0, sent))
    }
    await queue.put(numbered(0xffff_ffff))
    expect(JSON.parse(await program.says())).toEqual(expected)
    expect(partial).toBeGreaterThan(0)
    expect(await program.ended).toMatchObject({ code: 0, errors: '' })
  })
})

describe.each(kernels)('%s: a batch', (kernel) => {
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
    const handle = await open(here, queue)
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

describe.each(kernels)('%s: calls that block and calls that wait on one handle', (kernel) => {
  /** Takes one message after each line, so that the blocked thread need not. */
  const takeSoon = (here: Owner, { address }: ByteQueue) =>
    new Program(here, 'collect.mjs', { address, pauseEvery: 1 })

  test('put in the order in which they were made', async (here) => {
    const queue = await makeQueue(here, kernel)
    for (let round = 0; round < 5; round++) {
      fill(queue)
      const waiting = [10, 11, 12].map((number) => queue.put(numbered(number)))
      // Their thread, where they have one, waits.
      await sleep(5)
      const program = takeSoon(here, queue)
      queue.putSync(numbered(13))
      await Promise.all(waiting)
      await queue.put(numbered(0xffff_ffff))
      expect(await program.says()).toBe('there')
      expect(JSON.parse(await program.says())).toEqual([0, 1, 2, 3, 10, 11, 12, 13])
    }
  })

  test('still put what waited when the one that blocks gives up', async (here) => {
    const queue = await makeQueue(here, kernel)
    fill(queue)
    const waiting = [10, 11].map((number) => queue.put(numbered(number)))
    expect(() => queue.putSync(numbered(99), { timeoutMs: 120 })).toThrow(TimeoutError)
    // Another handle: nothing but the wait itself may wake the waits.
    const other = await open(here, queue)
    const taken: number[] = []
    while (taken.length < 6) taken.push(numberOf(await other.get()))
    expect(taken).toEqual([0, 1, 2, 3, 10, 11])
    await Promise.all(waiting)
    expect(drain(queue)).toEqual([])
  })

  test('use no processor time while they block behind others', async (here) => {
    const queue = await makeQueue(here, kernel)
    fill(queue)
    const waiting = queue.put(numbered(10))
    await sleep(5)
    const start = process.cpuUsage()
    expect(() => queue.putSync(numbered(99), { timeoutMs: 1000 })).toThrow(TimeoutError)
    const { user, system } = process.cpuUsage(start)
    // An exception to "no maximums": a blocked call that spins uses all of it.
    expect(user + system).toBeLessThan(500_000)
    expect(numberOf(await queue.get())).toBe(0)
    await waiting
  })

  test('get in the order in which they were made', async (here) => {
    const queue = await makeQueue(here, kernel)
    for (let round = 0; round < 5; round++) {
      const waiting = [queue.get(), queue.get(), queue.get()]
      await sleep(5)
      const program = new Program(here, 'trickle.mjs', { address: queue.address, seed: round })
      const last = numberOf(queue.getSync())
      expect((await Promise.all(waiting)).map(numberOf)).toEqual([1, 2, 3])
      expect(last).toBe(4)
      await finish(queue, program)
    }
  })

  test('still get what comes when the one that blocks gives up', async (here) => {
    const queue = await makeQueue(here, kernel)
    const waiting = queue.get()
    expect(() => queue.getSync({ timeoutMs: 120 })).toThrow(TimeoutError)
    const other = await open(here, queue)
    await other.put(numbered(5))
    expect(numberOf(await waiting)).toBe(5)
  })
})

describe.each(kernels)('%s: a signal', (kernel) => {
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
