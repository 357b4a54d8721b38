/**
 * Queues in worker threads: a worker ends, or is ended, at each step of a handle's life, blocked or not, and
 * neither the process nor the queue is the worse for it.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { descriptors, threads } from '../helpers/counts.ts'
import { carriers, drain, makeQueue, numbered, numberOf } from '../helpers/kernels.ts'
import { Program } from '../helpers/program.ts'
import { Thread } from '../helpers/thread.ts'
import { until } from '../helpers/waiting.ts'
import { arrival, blockedSteps, capacity, inspect, prepare, stepsOf } from './steps.ts'

describe.each(carriers)('%s: a worker thread', (kernel) => {
  const steps = stepsOf(kernel)

  test.concurrent.for(steps)('ends naturally at step $name after unref', async (step, here) => {
    const queue = await makeQueue(here, kernel, { capacity })
    prepare(queue, step)
    const thread = new Thread(here, 'step.mjs', { address: queue.address, step: step.name, end: 'naturally' })
    await arrival(queue, step, thread)
    expect(await thread.ended).toEqual({ code: 0, error: undefined, rest: [] })
    await inspect(queue, step)
  })

  test.concurrent.for(steps)('exits by process.exit() at step $name', async (step, here) => {
    const queue = await makeQueue(here, kernel, { capacity })
    prepare(queue, step)
    const thread = new Thread(here, 'step.mjs', {
      address: queue.address,
      step: step.name,
      end: 'exitWithCode',
    })
    await arrival(queue, step, thread)
    expect(await thread.ended).toEqual({ code: 7, error: undefined, rest: [] })
    await inspect(queue, step)
  })

  test.concurrent.for(steps)('dies of an uncaught error at step $name', async (step, here) => {
    const queue = await makeQueue(here, kernel, { capacity })
    prepare(queue, step)
    const thread = new Thread(here, 'step.mjs', { address: queue.address, step: step.name, end: 'throw' })
    await arrival(queue, step, thread)
    const { code, error } = await thread.ended
    expect({ code, message: (error as Error).message }).toEqual({ code: 1, message: 'thrown on purpose' })
    await inspect(queue, step)
  })

  describe.each([false, true])('is terminated (its threads asleep: %s)', (asleep) => {
    test.concurrent.for(steps)('at step $name, and the queue stays as it was', async (step, here) => {
      const queue = await makeQueue(here, kernel, { capacity })
      prepare(queue, step)
      const data = { address: queue.address, step: step.name, end: 'never', asleep }
      const thread = new Thread(here, 'step.mjs', data)
      await arrival(queue, step, thread)
      thread.terminate()
      expect(await thread.ended).toEqual({ code: 1, error: undefined, rest: [] })
      await inspect(queue, step)
    })
  })

  // Rounds, as the thread may be anywhere in a slice of its wait when the end comes.
  test.for(blockedSteps)('is terminated while it is blocked in $name', async (step, here) => {
    const queue = await makeQueue(here, kernel, { capacity })
    prepare(queue, step)
    for (let round = 0; round < 10; round++) {
      const thread = new Thread(here, 'step.mjs', { address: queue.address, step: step.name, end: 'never' })
      await arrival(queue, step, thread)
      thread.terminate()
      expect(await thread.ended).toEqual({ code: 1, error: undefined, rest: [] })
    }
    await inspect(queue, step)
  })

  test.concurrent.for([
    { name: 'get', said: 'get 5' },
    { name: 'getMany', said: 'getMany' },
    { name: 'getSync', said: 'getSync 64' },
  ])('is kept alive by its wait in $name until a message comes', async ({ name, said }, here) => {
    const queue = await makeQueue(here, kernel, { capacity })
    const data = { address: queue.address, step: name, end: 'whenServed', asleep: true }
    const thread = new Thread(here, 'step.mjs', data)
    await arrival(queue, { name }, thread)
    await queue.put(numbered(5))
    expect(await thread.ended).toEqual({ code: 0, error: undefined, rest: [expect.stringContaining(said)] })
  })

  test('takes what the main thread puts, in order, and the other way round', async (here) => {
    const queue = await makeQueue(here, kernel, { capacity })
    const back = await makeQueue(here, kernel, { capacity })
    const thread = new Thread(here, 'echo.mjs', { from: queue.address, to: back.address, count: 2000 })
    const numbers = Array.from({ length: 2000 }, (_, at) => at)
    const sent = queue.putMany(numbers.map(numbered))
    for (const number of numbers) expect(numberOf(await back.get())).toBe(number)
    expect(await sent).toBe(2000)
    expect(await thread.ended).toEqual({ code: 0, error: undefined, rest: [] })
  })

  test.for(['put', 'putSync', 'putMany'])(
    'is terminated while it does %s: what it has put is there once, in order',
    async (does, here) => {
      for (let round = 0; round < 8; round++) {
        const queue = await makeQueue(here, kernel, { capacity })
        const thread = new Thread(here, 'pump.mjs', { address: queue.address, does })
        const numbers: number[] = []
        while (numbers.length < 200 + round * 7) numbers.push(numberOf(await queue.get()))
        thread.terminate()
        for (let turns = 0; turns < round; turns++) numbers.push(...drain(queue))
        expect(await thread.ended).toEqual({ code: 1, error: undefined, rest: [] })
        numbers.push(...drain(queue))
        expect(numbers).toEqual(numbers.map((_, at) => at + 1))
      }
    },
  )

  test.for(['get', 'getSync', 'iterate'])(
    'is terminated while it does %s: only what it had in hand is missing',
    async (does, here) => {
      const folder = await mkdtemp(join(tmpdir(), 'ipckit-worker-'))
      here.onTestFinished(() => rm(folder, { recursive: true }))
      for (let round = 0; round < 8; round++) {
        const queue = await makeQueue(here, kernel, { capacity })
        const ledger = join(folder, String(round))
        const thread = new Thread(here, 'pump.mjs', { address: queue.address, does, ledger })
        const count = 200 + round * 7
        for (let number = 1; number <= count; number++) await queue.put(numbered(number))
        thread.terminate()
        expect(await thread.ended).toEqual({ code: 1, error: undefined, rest: [] })
        const taken = (await readFile(ledger, 'utf8')).split('\n').slice(0, -1).map(Number)
        const seen = [...taken, ...drain(queue)]
        expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b))
        expect(seen.length).toBeGreaterThanOrEqual(count - 1)
        expect(seen.length).toBeLessThanOrEqual(count)
      }
    },
  )

  test('fifty workers, terminated while they wait, leave no thread and no descriptor', async (here) => {
    const queue = await makeQueue(here, kernel, { capacity })
    const full = await makeQueue(here, kernel, { capacity })
    prepare(full, { before: 'full' })
    const names = ['get', 'getSync', 'put', 'putSync', 'get and put', 'iterate', 'served', 'open']
    const run = async (count: number) => {
      for (let at = 0; at < count; at += 5) {
        const group = Array.from({ length: 5 }, (_, index) => {
          const step = names[(at + index) % names.length] as string
          const { address } = step.startsWith('put') ? full : queue
          return new Thread(here, 'step.mjs', { address, step, end: 'never' })
        })
        // Whoever is served while the others start has something to do when its end comes.
        await Promise.all(group.slice(0, 3).map((thread) => thread.says()))
        for (const thread of group) thread.terminate()
        for (const thread of group) {
          const { code, error } = await thread.ended
          // 0 where the end came before the worker had begun.
          expect({ code, error }).toEqual({ code: expect.toBeOneOf([0, 1]), error: undefined })
        }
        drain(queue)
      }
    }
    // The first workers make threads that Node keeps.
    await run(5)
    const before = { threads: threads(), descriptors: descriptors() }
    await run(50)
    await until(() => threads() <= before.threads && descriptors() <= before.descriptors)
    expect(drain(full)).toEqual([0, 1, 2, 3])
  })
})

describe.each(carriers)('%s: a process ends with worker threads that wait and block', (kernel) => {
  const ends = [
    { end: 'naturally', code: 0, errors: /^$/ },
    { end: 'exit', code: 7, errors: /^$/ },
    { end: 'throw', code: 1, errors: /Error: thrown on purpose/ },
    { end: 'terminate', code: 0, errors: /^$/ },
  ]
  test.concurrent.for(ends)('$end', async ({ end, code, errors }, here) => {
    const queue = await makeQueue(here, kernel, { capacity })
    const full = await makeQueue(here, kernel, { capacity })
    prepare(full, { before: 'full' })
    const program = new Program(here, 'threads.mjs', {
      end,
      threads: ['get', 'getSync', 'put', 'putSync', 'iterate', 'open'].map((step) => ({
        address: step.startsWith('put') ? full.address : queue.address,
        step,
      })),
    })
    expect(await program.says()).toBe('there')
    expect(await program.ended).toEqual({
      code,
      signal: null,
      rest: [],
      errors: expect.stringMatching(errors),
    })
    expect(drain(full)).toEqual([0, 1, 2, 3])
    expect(drain(queue)).toEqual([])
  })
})
