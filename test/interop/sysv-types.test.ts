/** What Node makes of types that C and Python know as numbers: priorities where both agree on them, else types. */
import { Queue, text } from 'ipckit'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { newAddress } from '../helpers/kernels.ts'
import { buildPeers, type Language, languages, Peer, run } from './peers.ts'
import { newQueueOf, patience } from './queues.ts'

const strangers = languages.sysv.filter((language) => language !== 'Node')
/** sysv_ipc takes the type as an int. */
const highestType = (language: Language) => (language === 'sysv_ipc' ? 2 ** 31 - 1 : Number.MAX_SAFE_INTEGER)
const one = ['--format', 'text', '--count', 1, ...patience]

beforeAll(buildPeers)

async function sendTypes(language: Language, address: string, types: (number | bigint)[]): Promise<void> {
  // The seed tells them apart: it chooses the greeting.
  for (const [seed, type] of types.entries()) {
    await run(language, 'send', address, [...one, '--type', String(type), '--seed', seed])
  }
}

describe('a System V queue with priorities', () => {
  async function newPriorityQueue() {
    const queue = await Queue.create(newAddress('sysv') as 'sysv:', { codec: text(), priorities: true })
    onTestFinished(async () => {
      await queue.unlink()
      await queue.close()
    })
    return queue
  }

  test.each(strangers)(
    'gives %s priority p as type 32768 - p, and the lowest type first',
    async (language) => {
      const queue = await newPriorityQueue()
      for (const priority of [0, 5, 32_767, 5, 1]) await queue.put(`#${priority}`, { priority })
      const words = ['--format', 'text', '--count', 5, '--type', -32_768, ...patience]
      const { lines } = await run(language, 'recv', queue.address, words)
      expect(lines.map(({ type, text: said }) => [type, said])).toEqual([
        [1, '#32767'],
        [32_763, '#5'],
        [32_763, '#5'],
        [32_767, '#1'],
        [32_768, '#0'],
      ])
    },
  )

  test.each(strangers)('lets %s choose from which priority on it wants messages', async (language) => {
    const queue = await newPriorityQueue()
    for (const priority of [0, 5, 4, 7]) await queue.put(`#${priority}`, { priority })
    const words = ['--format', 'text', '--count', 2, '--type', -(32_768 - 5), ...patience]
    const { lines } = await run(language, 'recv', queue.address, words)
    expect(lines.map(({ id }) => id)).toEqual([7, 5])
    expect(await queue.getMany(10)).toEqual(['#4', '#0'])
  })

  test.each(strangers)(
    'receives what %s sends as type 32768 - p with priority p, highest first',
    async (language) => {
      const queue = await newPriorityQueue()
      await sendTypes(language, queue.address, [32_768, 32_765, 32_767, 32_765, 1])
      const priorities: (number | undefined)[] = []
      for (let count = 0; count < 5; count++) priorities.push((await queue.receive()).priority)
      expect(priorities).toEqual([32_767, 3, 3, 1, 0])
    },
  )

  test.each(strangers)(
    'receives types that are no priorities from %s after all others, as priority 0',
    async (language) => {
      const queue = await newPriorityQueue()
      await sendTypes(language, queue.address, [70_000, 32_768, 32_769])
      expect(await queue.receive()).toMatchObject({ priority: 0, type: 32_768 })
      expect(await queue.receive()).toMatchObject({ priority: 0, type: 32_769 })
      expect(await queue.receive()).toMatchObject({ priority: 0, type: 70_000 })
    },
  )

  // sysv_ipc takes the type as an int.
  test.each(strangers.filter((language) => language !== 'sysv_ipc'))(
    'receives types above 2^53 from %s last, rounded: without waiting, waiting and blocked',
    async (language) => {
      const queue = await newPriorityQueue()
      const [large, largest] = [2n ** 62n, 2n ** 63n - 1n]
      await sendTypes(language, queue.address, [largest, large, 70_000])
      expect(await queue.receive()).toMatchObject({ priority: 0, type: 70_000 })
      expect(await queue.receive()).toMatchObject({ priority: 0, type: 2 ** 62 })
      expect(queue.peek()).toBeDefined()
      expect(queue.getSync({ timeoutMs: 0 })).toContain('#0')
      expect(queue.tryGet()).toBeUndefined()

      for (const type of [large, largest]) {
        const got = queue.receive()
        await sendTypes(language, queue.address, [type])
        expect(await got).toMatchObject({ priority: 0, type: Number(type) })
        const sent = sendTypes(language, queue.address, [type])
        expect(queue.getSync({ timeoutMs: 20_000 })).toContain('#0')
        await sent
      }
    },
  )

  test.each(strangers)('wakes Node when %s sends, and that one when Node puts', async (language) => {
    const queue = await newPriorityQueue()
    const got = queue.receive()
    await sendTypes(language, queue.address, [32_766])
    expect(await got).toMatchObject({ priority: 2, type: 32_766 })

    const peer = new Peer(language, 'recv', queue.address, [...one, '--type', -32_768])
    await peer.untilItWaits()
    await queue.put('#9', { priority: 9 })
    const { lines } = await peer.report()
    expect(lines).toMatchObject([{ type: 32_759, text: '#9' }])
  })
})

describe('a plain System V queue', () => {
  const typesOf = (language: Language) => [1, 9, 32_768, 70_000, highestType(language)]

  test.each(strangers)('leaves the types that %s gives its messages as they are', async (language) => {
    const queue = await newQueueOf('sysv', text())
    const types = typesOf(language)
    await sendTypes(language, queue.address, types)
    for (const type of types.toReversed()) {
      expect(await queue.receive({ type })).toMatchObject({ type, value: expect.stringContaining('#0') })
    }
    expect(queue.stat().depth).toBe(0)
  })

  test.each(strangers)('gives %s each message with the type that Node put it with', async (language) => {
    const queue = await newQueueOf('sysv', text())
    const types = typesOf(language)
    for (const type of types) await queue.put(`#${type}`, { type })
    for (const type of types.toReversed()) {
      const { lines } = await run(language, 'recv', queue.address, [...one, '--type', type])
      expect(lines).toMatchObject([{ type, id: type }])
    }
    expect(queue.stat().depth).toBe(0)
  })

  test.each(strangers)(
    'serves Node and %s side by side, each with the types of its own',
    async (language) => {
      const queue = await newQueueOf('sysv', text())
      const theirs = new Peer(language, 'recv', queue.address, [...one, '--type', 70_000])
      await theirs.untilItWaits()
      const ours = queue.receive({ type: 3 })
      await queue.put('#1 for the other', { type: 70_000 })
      await sendTypes(language, queue.address, [3])
      expect((await theirs.report()).lines).toMatchObject([{ type: 70_000, id: 1 }])
      expect(await ours).toMatchObject({ type: 3 })
    },
  )
})
