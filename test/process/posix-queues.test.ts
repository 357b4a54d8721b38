/**
 * The programs of the Open POSIX Test Suite that use message queues at length: functional/mqueues (send_rev_1,
 * send_rev_2) and stress/mqueues (multi_send_rev_1, multi_send_rev_2). What they print, or leave to be seen, is checked
 * here. Threads are worker threads that block.
 */
import { MessageQueue, unlink } from 'ipckit/posix'
import { expect, onTestFinished, type TestContext, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { newName } from '../helpers/names.ts'
import { long } from '../helpers/random.ts'
import { Thread } from '../helpers/thread.ts'

endAgents()

/** Each sends so many. */
const count = long ? 3000 : 60
const maxMessageBytes = 128

function newQueue(capacity: number): { name: string; queue: MessageQueue } {
  const name = newName()
  const queue = MessageQueue.create(name, { capacity, maxMessageBytes })
  onTestFinished(async () => {
    unlink(name)
    await queue.close()
  })
  return { name, queue }
}

/** Who sent it, its number there, and its priority. */
type Seen = [sender: number, number: number, priority: number]

const startSender = (here: TestContext, name: string, sender: number, priorities: number) =>
  new Thread(here, 'mq-thread.mjs', { name, does: 'send', sender, count, priorities })
const startReceiver = (here: TestContext, name: string) =>
  new Thread(here, 'mq-thread.mjs', { name, does: 'receive', count })

async function seenBy(receiver: Thread): Promise<Seen[]> {
  return JSON.parse(await receiver.says()) as Seen[]
}

async function endWell(threads: Thread[]): Promise<void> {
  for (const { ended } of threads) expect(await ended).toMatchObject({ code: 0, error: undefined })
}

/** Messages of one sender and one priority come in the order in which they were sent. */
function expectInOrder(seen: Seen[]): void {
  const last = new Map<string, number>()
  for (const [sender, number, priority] of seen) {
    const line = `${sender}/${priority}`
    expect(number).toBeGreaterThan(last.get(line) ?? -1)
    last.set(line, number)
  }
}

/** What a sender sends, as those who receive tell it. */
const sentBy = (sender: number, priorities: number): Seen[] =>
  Array.from({ length: count }, (_, number) => [sender, number, number % priorities])
const sorted = (seen: Seen[]) =>
  seen.toSorted(([sender, number], [other, second]) => sender - other || number - second)

test('send_rev_1: one process sends to a queue while another receives from it', async () => {
  const { name, queue } = newQueue(3)
  const agent = await Agent.start()
  const theirs = await agent.open('posix.MessageQueue', 'open', name)
  const text = (number: number) => Buffer.from(`msg test ${number}`)
  const sending = (async () => {
    for (let number = 1; number <= count; number++) await queue.send(text(number), { priority: 1 })
  })()
  for (let number = 1; number <= count; number++) {
    const { data, priority } = (await agent.call(theirs, 'receive')) as { data: Uint8Array; priority: number }
    expect([Buffer.from(data), priority]).toEqual([text(number), 1])
  }
  await sending
  expect(queue.stat().depth).toBe(0)
})

test.for([
  ['send_rev_2', 2],
  ['multi_send_rev_1', 10],
] as const)(
  '%s: two threads for each of %i queues, one sends and one receives: the highest priority comes first',
  async ([, many], here) => {
    const queues = Array.from({ length: many }, () => newQueue(3))
    const senders = queues.map(({ name }, sender) => startSender(here, name, sender, 3))
    for (const sender of senders) expect(await sender.says()).toBe('full')
    const receivers = queues.map(({ name }) => startReceiver(here, name))
    for (const [sender, receiver] of receivers.entries()) {
      const seen = await seenBy(receiver)
      // 0, 1 and 2 were there, and what came into the place of 2 was of priority 0.
      expect(seen.slice(0, 2)).toEqual([
        [sender, 2, 2],
        [sender, 1, 1],
      ])
      expectInOrder(seen)
      expect(sorted(seen)).toEqual(sentBy(sender, 3))
    }
    await endWell([...senders, ...receivers])
    for (const { queue } of queues) expect(queue.stat().depth).toBe(0)
  },
)

test('multi_send_rev_2: many threads send to one queue, and many receive from it: each message comes once', {
  timeout: 0,
}, async (here) => {
  const { name, queue } = newQueue(5)
  const many = long ? 20 : 8
  const senders = Array.from({ length: many }, (_, sender) => startSender(here, name, sender, 5))
  const receivers = Array.from({ length: many }, () => startReceiver(here, name))
  const all: Seen[] = []
  for (const receiver of receivers) {
    const seen = await seenBy(receiver)
    expectInOrder(seen)
    all.push(...seen)
  }
  expect(sorted(all)).toEqual(senders.flatMap((_, sender) => sentBy(sender, 5)))
  await endWell([...senders, ...receivers])
  expect(queue.stat().depth).toBe(0)
})
