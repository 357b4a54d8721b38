/**
 * msgstress01 of the Linux Test Project, smaller: many senders and receivers in several processes, and every byte
 * of every message is compared.
 */
import { expect, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { newKey } from '../helpers/names.ts'
import { pattern } from '../helpers/pattern.ts'
import { Queues } from './support.ts'

const queues = new Queues()
endAgents()

const senders = 3
const receivers = 3
const each = 400

test('msgstress01: what many processes send and receive at once arrives once, whole and in the order of its sender', async () => {
  const key = newKey()
  const queue = queues.create({}, key)
  const agents = await Promise.all(Array.from({ length: senders + receivers }, () => Agent.start()))
  const handles = await Promise.all(agents.map((agent) => agent.open('sysv.MessageQueue', 'open', key)))
  const length = (number: number) => 4 + ((number * 37) % 900)

  const sending = agents.slice(0, senders).map((agent, sender) =>
    agent.call(
      handles[sender] as number,
      'sendMany',
      Array.from({ length: each }, (_, number) => {
        const data = pattern(length(number), number)
        data.writeUInt16LE(sender, 0)
        data.writeUInt16LE(number, 2)
        return { data, type: 1 + sender }
      }),
    ),
  )
  const seen: { data: Uint8Array; type: number }[][] = []
  let left = senders * each
  const receiving = agents.slice(senders).map(async (agent, at) => {
    const mine: { data: Uint8Array; type: number }[] = []
    seen.push(mine)
    const handle = handles[senders + at] as number
    while (left > 0) {
      const messages = (await agent
        .call(handle, 'receiveMany', 16, { timeoutMs: 50 })
        .catch(() => [])) as typeof mine
      mine.push(...messages)
      left -= messages.length
    }
  })
  expect(await Promise.all(sending)).toEqual(Array(senders).fill(each))
  await Promise.all(receiving)

  const counts = new Map<string, number>()
  for (const mine of seen) {
    const last = new Map<number, number>()
    for (const { data, type } of mine) {
      const bytes = Buffer.from(data)
      const [sender, number] = [bytes.readUInt16LE(0), bytes.readUInt16LE(2)]
      expect(type).toBe(1 + sender)
      expect(number).toBeGreaterThan(last.get(sender) ?? -1)
      last.set(sender, number)
      const expected = pattern(length(number), number)
      expected.writeUInt16LE(sender, 0)
      expected.writeUInt16LE(number, 2)
      expect(bytes.equals(expected)).toBe(true)
      counts.set(`${sender}/${number}`, (counts.get(`${sender}/${number}`) ?? 0) + 1)
    }
  }
  expect(counts.size).toBe(senders * each)
  expect([...counts.values()].every((count) => count === 1)).toBe(true)
  expect(queue.stat()).toMatchObject({ depth: 0, bytes: 0 })
})
