/** Priorities and types between all languages: who overtakes whom, and which messages a receiver selects. */
import { beforeAll, expect, test } from 'vitest'
import { buildPeers, type Language, pairs, run } from './peers.ts'
import { newQueue, patience } from './queues.ts'

type Words = readonly (string | number)[]

beforeAll(buildPeers)

/** Sends messages 0 to 7, whose priorities or types take turns. */
function sendCycles(sender: Language, address: string, option: '--priority' | '--type') {
  return run(sender, 'send', address, ['--format', 'text', '--count', 8, option, 'cycles', ...patience])
}

async function take(receiver: Language, address: string, count: number, ...selection: Words) {
  const words = ['--format', 'text', '--count', count, ...selection, ...patience]
  return (await run(receiver, 'recv', address, words)).lines
}

for (const { sender, receiver } of pairs('posix')) {
  test(`posix: ${receiver} receives of ${sender} the highest priority first, and equal ones in order`, async () => {
    const { address } = await newQueue('posix')
    await sendCycles(sender, address, '--priority')
    const lines = await take(receiver, address, 8)
    expect(lines.map(({ priority }) => priority)).toEqual([3, 3, 2, 2, 1, 1, 0, 0])
    expect(lines.map(({ id }) => id)).toEqual([3, 7, 2, 6, 1, 5, 0, 4])
  })
}

for (const { sender, receiver } of pairs('sysv')) {
  test(`sysv: ${receiver} selects of ${sender} a type, the lowest types up to one, and the oldest`, async () => {
    const { address } = await newQueue('sysv')
    await sendCycles(sender, address, '--type')
    const received = async (count: number, ...selection: Words) =>
      (await take(receiver, address, count, ...selection)).map(({ id, type }) => `#${id} of ${type}`)
    expect(await received(1, '--type', 3)).toEqual(['#2 of 3'])
    expect(await received(3, '--type', -2)).toEqual(['#0 of 1', '#4 of 1', '#1 of 2'])
    expect(await received(4, '--type', 0)).toEqual(['#3 of 4', '#5 of 2', '#6 of 3', '#7 of 4'])
  })
}

// sysv_ipc knows no MSG_EXCEPT.
for (const { sender, receiver } of pairs('sysv').filter((pair) => pair.receiver !== 'sysv_ipc')) {
  test(`sysv: ${receiver} selects of ${sender} all types except one`, async () => {
    const { address } = await newQueue('sysv')
    await sendCycles(sender, address, '--type')
    const others = await take(receiver, address, 6, '--type', 2, '--except')
    expect(others.map(({ id }) => id)).toEqual([0, 2, 3, 4, 6, 7])
    const left = await take(receiver, address, 2)
    expect(left.map(({ id, type }) => [id, type])).toEqual([
      [1, 2],
      [5, 2],
    ])
  })
}
