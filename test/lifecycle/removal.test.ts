/**
 * Hearing that a queue was removed, where inotify(7) cannot tell: without permission to read, without instances or
 * watches left, and when it has lost events. What all queues promise of a removal is in test/contract/endings.ts.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { Queue, raw } from 'ipckit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Agent, type AgentOptions, endAgents, mayChangeUser, stranger } from '../helpers/agent.ts'
import { readSetting } from '../helpers/kernel.ts'
import { newName } from '../helpers/names.ts'
import { isPending } from '../helpers/waiting.ts'

endAgents()

const removed = { name: 'RemovedError', code: 'EIDRM' }
const ofTwo = { posix: { capacity: 2, maxMessageBytes: 16 }, fifo: { maxBytes: 4096 } }
type Kind = keyof typeof ofTwo
const kinds: Kind[] = ['posix', 'fifo']
const newAddress = { posix: () => `posix:${newName()}`, fifo: () => `fifo:${tmpdir()}${newName()}` }

async function make(kind: Kind, options: object = {}): Promise<Queue<Buffer>> {
  const all = { codec: raw(), ...ofTwo[kind], ...options }
  const queue = (await Queue.create(newAddress[kind](), all as never)) as unknown as Queue<Buffer>
  onTestFinished(async () => {
    await queue.unlink().catch(() => {})
    await queue.close()
  })
  return queue
}

function fill(queue: Queue<Buffer>): void {
  while (queue.tryPut(Buffer.alloc(16))) {}
}

/** A command line that starts the rest where a limit of the kernel, of user_namespaces(7), is 0. */
const without = (limit: string) => [
  ...['unshare', '--user', '--map-root-user', 'sh', '-c'],
  ...[`echo 0 > /proc/sys/user/${limit} && exec "$@"`, 'sh'],
]

/** Whether that can be had here. */
function canBeWithout(limit: string): boolean {
  return spawnSync('env', [...without(limit), 'true']).status === 0
}

/** Waits in another process for values and for room, removes the queues, and looks whether it hears of it. */
async function expectToHear(kind: Kind, options: AgentOptions): Promise<void> {
  const [empty, full] = [await make(kind), await make(kind)]
  fill(full)
  const agent = await Agent.start(options)
  const open = (queue: Queue<Buffer>) => agent.open('Queue', 'open', queue.address, { codec: 'raw' })
  const [theirEmpty, theirFull] = [await open(empty), await open(full)]
  const outcome = Promise.allSettled([
    agent.call(theirEmpty, 'get'),
    agent.call(theirFull, 'put', Buffer.alloc(16)),
    agent.call(theirEmpty, 'get'),
  ])
  await agent.call(theirEmpty, 'stat')
  expect(await isPending(outcome)).toBe(true)
  await empty.unlink()
  await full.unlink()
  for (const each of await outcome) expect(each).toMatchObject({ status: 'rejected', reason: removed })
}

describe.each(kinds)('who waits on a queue of %s: hears that it was removed', (kind) => {
  test.runIf(canBeWithout('max_inotify_instances'))('also when the user has no inotify instance left', () =>
    expectToHear(kind, { through: without('max_inotify_instances') }),
  )

  test.runIf(canBeWithout('max_inotify_watches'))('also when the user has no inotify watch left', () =>
    expectToHear(kind, { through: without('max_inotify_watches') }),
  )

  // Events that follow each other and are alike become one.
  const enough = readSetting('fs/inotify/max_queued_events') + 10
  test.runIf(enough < 200_000)('also when inotify has lost events', async () => {
    const paths: string[] = []
    for (const _ of [1, 2]) {
      const noisy = await make('fifo')
      paths.push(noisy.address.slice('fifo:'.length))
      noisy.get().catch(() => {})
    }
    const queue = await make(kind)
    const other = (await Queue.open(queue.address, { codec: raw() })) as unknown as Queue<Buffer>
    onTestFinished(() => other.close())
    const got = queue.get()
    const outcome = Promise.allSettled([got])
    expect(await isPending(got)).toBe(true)
    // Nothing is read while this goes on.
    for (let event = 0; event < enough; event++) chmodSync(paths[event % 2] as string, 0o600)
    const unlinked = other.unlink()
    expect(await outcome).toMatchObject([{ status: 'rejected', reason: removed }])
    await unlinked
  })
})

test.runIf(mayChangeUser)('who may only write hears that the full queue was removed', async () => {
  const queue = await make('posix', { mode: 0o622 })
  fill(queue)
  const agent = await Agent.start({ uid: stranger })
  const theirs = await agent.open('Queue', 'open', queue.address, { codec: 'raw', access: 'write' })
  const put = agent.call(theirs, 'put', Buffer.alloc(16))
  const outcome = Promise.allSettled([put])
  await agent.call(theirs, 'stat')
  expect(await isPending(put)).toBe(true)
  await queue.unlink()
  expect(await outcome).toMatchObject([{ status: 'rejected', reason: removed }])
})
