/**
 * A process ends at each step of a handle's life, in each way in which processes end: cleanly, with nothing
 * said, nothing lost and nothing left behind.
 */
import { readFileSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import {
  type ByteQueue,
  carriers,
  drain,
  makeQueue,
  numbered,
  numberOf,
  type Owner,
} from '../helpers/kernels.ts'
import { Program } from '../helpers/program.ts'
import { until } from '../helpers/waiting.ts'
import { arrival, blockedSteps, capacity, full, inspect, prepare, type Step, stepsOf } from './steps.ts'

/** Starts a program and resolves when it is there. */
async function goTo(
  here: Owner,
  queue: ByteQueue,
  step: Pick<Step, 'name'>,
  end: string,
  asleep: boolean,
): Promise<Program> {
  const program = new Program(here, 'step.mjs', { address: queue.address, step: step.name, end, asleep })
  await arrival(queue, step, program)
  return program
}

function isAsleep(pid: number): boolean {
  return /\) S /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
}

describe.each(carriers)('%s: a process', (kernel) => {
  const steps = stepsOf(kernel)
  const moments = [
    { moment: 'at once', asleep: false },
    { moment: 'with its threads asleep', asleep: true },
  ]

  describe.each(moments)('$moment', ({ asleep }) => {
    test.concurrent.for(steps)(
      'ends naturally at step $name after unref, and says nothing',
      async (step, here) => {
        const queue = await makeQueue(here, kernel, { capacity })
        prepare(queue, step)
        const program = await goTo(here, queue, step, 'naturally', asleep)
        expect(await program.ended).toEqual({ code: 0, signal: null, rest: [], errors: '' })
        await inspect(queue, step)
      },
    )

    test.concurrent.for(steps)(
      'exits by process.exit() at step $name, and says nothing',
      async (step, here) => {
        const queue = await makeQueue(here, kernel, { capacity })
        prepare(queue, step)
        const program = await goTo(here, queue, step, 'exitWithCode', asleep)
        expect(await program.ended).toEqual({ code: 7, signal: null, rest: [], errors: '' })
        await inspect(queue, step)
      },
    )

    test.concurrent.for(steps)(
      'dies of an uncaught error at step $name, of nothing else',
      async (step, here) => {
        const queue = await makeQueue(here, kernel, { capacity })
        prepare(queue, step)
        const program = await goTo(here, queue, step, asleep ? 'throw' : 'reject', asleep)
        const { code, signal, rest, errors } = await program.ended
        expect({ code, signal, rest }).toEqual({ code: 1, signal: null, rest: [] })
        expect(errors).toMatch(/Error: (thrown|rejected) on purpose/)
        await inspect(queue, step)
      },
    )
  })

  describe.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)('on %s', (deadly) => {
    test.concurrent.for(steps)('dies at step $name, and the queue stays as it was', async (step, here) => {
      const queue = await makeQueue(here, kernel, { capacity })
      prepare(queue, step)
      const program = await goTo(here, queue, step, 'never', deadly !== 'SIGTERM')
      program.kill(deadly)
      expect(await program.ended).toEqual({ code: null, signal: deadly, rest: [], errors: '' })
      await inspect(queue, step)
    })

    test.concurrent.for(blockedSteps)(
      'dies while blocked in $name, and the queue stays as it was',
      async (step, here) => {
        const queue = await makeQueue(here, kernel, { capacity })
        prepare(queue, step)
        const program = await goTo(here, queue, step, 'never', false)
        await until(() => isAsleep(program.pid))
        program.kill(deadly)
        expect(await program.ended).toEqual({ code: null, signal: deadly, rest: [], errors: '' })
        await inspect(queue, step)
      },
    )
  })
})

describe.each(carriers)('%s: a wait', (kernel) => {
  test.concurrent.for([
    { name: 'get', said: 'get 5' },
    { name: 'get with a timeout', said: 'get 5' },
    { name: 'get with a signal', said: 'get 5' },
    { name: 'getMany', said: 'getMany' },
    { name: 'served', said: 'get 5' },
  ])('in $name keeps the process alive until a message comes', async ({ name, said }, here) => {
    const queue = await makeQueue(here, kernel, { capacity })
    const program = await goTo(here, queue, { name }, 'whenServed', true)
    expect(program.running).toBe(true)
    await queue.put(numbered(5))
    const { code, signal, rest, errors } = await program.ended
    expect({ code, signal, errors }).toEqual({ code: 0, signal: null, errors: '' })
    expect(rest).toEqual([expect.stringContaining(said)])
    expect(drain(queue)).toEqual([])
  })

  test.concurrent.for([
    { name: 'put', before: 'full' as const, said: 'put undefined', sent: [100] },
    { name: 'putMany', before: 'empty' as const, said: 'putMany 10', sent: [4, 5, 6, 7, 8, 9] },
  ])('in $name keeps the process alive until there is room', async ({ name, before, said, sent }, here) => {
    const queue = await makeQueue(here, kernel, { capacity })
    prepare(queue, { before })
    const program = await goTo(here, queue, { name }, 'whenServed', true)
    expect(program.running).toBe(true)
    const numbers: number[] = []
    for (const _ of [...full, ...sent]) numbers.push(numberOf(await queue.get()))
    expect(numbers).toEqual([...full, ...sent])
    expect(await program.ended).toEqual({ code: 0, signal: null, rest: [said], errors: '' })
  })
})

test.for(carriers)(
  '%s: a handle that is unreferenced and referenced again keeps the process alive',
  async (kernel, here) => {
    const queue = await makeQueue(here, kernel, { capacity })
    const program = await goTo(here, queue, { name: 'get' }, 'whenServedAgain', true)
    expect(program.running).toBe(true)
    await queue.put(numbered(5))
    expect(await program.ended).toEqual({ code: 0, signal: null, rest: ['get 5'], errors: '' })
  },
)

describe.each(carriers)('%s: while messages stream in and out', (kernel) => {
  test.concurrent.for([
    { end: 'exitWithCode', code: 7 },
    { end: 'throw', code: 1 },
    { end: 'naturally', code: 0 },
  ])('a process ends $end, twenty times at other moments, and never crashes', async ({ end, code }, here) => {
    const queue = await makeQueue(here, kernel, { capacity })
    let over = false
    const flow = (async () => {
      for (let number = 0; !over; number++) {
        queue.tryPut(numbered(number))
        queue.tryGet()
        queue.tryPut(numbered(number))
        await nextTurn()
      }
    })()
    for (let after = 1; after <= 20; after += 2) {
      const programs = [after, after + 1].map((moment) => {
        const argument = { address: queue.address, step: 'get and put', end, after: moment }
        return new Program(here, 'step.mjs', argument)
      })
      for (const program of programs) {
        const { code: actual, signal, errors } = await program.ended
        expect({ actual, signal, errors }).toMatchObject({ actual: code, signal: null })
        if (end !== 'throw') expect(errors).toBe('')
      }
    }
    over = true
    await flow
  })
})

test('posix: a wait in notify() keeps the process alive until a message comes', async (here) => {
  const queue = await makeQueue(here, 'posix', { capacity })
  const program = await goTo(here, queue, { name: 'notify' }, 'whenServed', true)
  expect(program.running).toBe(true)
  await queue.put(numbered(5))
  expect(await program.ended).toEqual({ code: 0, signal: null, rest: ['notify undefined'], errors: '' })
  expect(drain(queue)).toEqual([5])
})
