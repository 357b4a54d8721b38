/** Every sender with every receiver, on both kernels' queues: what one language sends arrives in the other. */
import { randomInt } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { kernels } from '../helpers/kernels.ts'
import { needs } from '../helpers/needs.ts'
import { contentOf } from './messages.ts'
import { buildPeers, formats, hasSysvIpc, Peer, pairs, type Report } from './peers.ts'
import { newQueue, patience } from './queues.ts'

/** Several times what fits into the queue. */
const count = 40
const ids = Array.from({ length: count }, (_, id) => id)

beforeAll(buildPeers)

/** The same report, as the other side should have made it. */
function mirrored({ lines, summary }: Report): Report {
  return {
    lines: lines.map((line) => ({ ...line, direction: 'received' })),
    summary: { ...summary, summary: 'received' },
  }
}

describe.each(kernels)('%s', (kernel) => {
  for (const { sender, receiver } of pairs(kernel)) {
    test.each(formats)(
      `%s: what ${sender} sends arrives at ${receiver}, and each has to wait`,
      async (format) => {
        const seed = randomInt(2 ** 32)
        const queue = await newQueue(kernel)
        const common = ['--format', format, '--count', count, ...patience]

        // The receiver waits for the first message, and then does nothing until the sender waits for room.
        const taking = new Peer(receiver, 'recv', queue.address, common)
        await taking.untilItWaits()
        await taking.pause()
        const giving = new Peer(sender, 'send', queue.address, [...common, '--seed', seed])
        await giving.untilItWaits()
        expect(queue.stat().depth).toBeLessThan(count)
        taking.goOn()

        const [sent, received] = await Promise.all([giving.report(), taking.report()])
        expect(sent.summary).toMatchObject({ summary: 'sent', count })
        expect(sent.lines).toMatchObject(ids.map((id) => contentOf(sender, format, seed, id)))
        expect(received).toEqual(mirrored(sent))
        expect(queue.stat().depth).toBe(0)
      },
    )
  }
})

needs("Debian's python3-sysv-ipc, as one of the peers", hasSysvIpc)
