/**
 * Calls that block the thread and calls that wait, on one handle: they are served in their order.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { TimeoutError } from 'ipckit'
import { describe, expect, test } from 'vitest'
import {
  type ByteQueue,
  carriers,
  drain,
  fill,
  makeQueue,
  numbered,
  numberOf,
  type Owner,
  openQueue,
} from '../helpers/kernels.ts'
import { Program } from '../helpers/program.ts'
import { Trickle } from '../helpers/trickle.ts'

describe.each(carriers)('%s: calls that block and calls that wait on one handle', (kernel) => {
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
    const other = await openQueue(here, queue)
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
      const trickle = new Trickle(here, queue, { seed: round })
      const last = numberOf(queue.getSync())
      expect((await Promise.all(waiting)).map(numberOf)).toEqual([1, 2, 3])
      expect(last).toBe(4)
      await trickle.end(queue)
    }
  })

  test('still get what comes when the one that blocks gives up', async (here) => {
    const queue = await makeQueue(here, kernel)
    const waiting = queue.get()
    expect(() => queue.getSync({ timeoutMs: 120 })).toThrow(TimeoutError)
    const other = await openQueue(here, queue)
    await other.put(numbered(5))
    expect(numberOf(await waiting)).toBe(5)
  })
})
