/** Calls that need not wait must not keep the event loop from turning. */
import { describe, expect, type TestContext, test } from 'vitest'
import { carriers, makeQueue, numbered } from '../helpers/kernels.ts'

describe.each(carriers)('while %s calls never need to wait', (kernel) => {
  const ways = {
    'put and get': async (queue: Awaited<ReturnType<typeof makeQueue>>) => {
      await queue.put(numbered(1))
      await queue.get()
    },
    'putMany and getMany': async (queue: Awaited<ReturnType<typeof makeQueue>>) => {
      await queue.putMany([numbered(1), numbered(2)])
      await queue.getMany(2)
    },
    'put and for await': async (queue: Awaited<ReturnType<typeof makeQueue>>) => {
      await queue.put(numbered(1))
      for await (const _ of queue) break
    },
  }

  test.for(Object.entries(ways))(
    'timers go off in a loop of %s',
    async ([, way], { onTestFinished }: TestContext) => {
      const queue = await makeQueue({ onTestFinished }, kernel)
      let over = false
      setTimeout(() => {
        over = true
      }, 5)
      // Without its turn the event loop would never end this.
      for (let round = 0; !over; round++) {
        if (round > 2_000_000) throw new Error('the timer was never heard')
        await way(queue)
      }
      expect(over).toBe(true)
    },
  )
})
