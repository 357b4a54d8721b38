/** Every example does what it says when it is run by the command in its first line. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Semaphore } from 'ipckit/posix'
import { SemaphoreSet } from 'ipckit/sysv'
import { describe, expect, onTestFinished, test } from 'vitest'
import { commandOf, Example, examples, isThere, remove, root, untilThere } from './stranger.ts'

const content = (...lines: string[]) => ({
  code: 0,
  signal: null,
  output: lines.map((line) => `${line}\n`).join(''),
  errors: '',
})

/** For queues that stay on purpose, and for those of an example that fails. */
function removeFinally(...addresses: string[]): void {
  onTestFinished(async () => {
    for (const address of addresses) if (await isThere(address)) await remove(address)
  })
}

/** What a daemon says last: its queue went while it waited, or before it called the kernel again. */
const removed = (call: string) => new RegExp(`^${call}: (Identifier removed|Invalid argument)\\n$`)

const alone = {
  'cancel-and-timeout.mjs': {
    says: ['Could not receive from posix:/letters within 100 ms', 'the user went away', 'a letter'],
    uses: ['posix:/letters'],
  },
  'streams.mjs': { says: ['HELLO!', 'FROM!', 'A QUEUE!'], uses: ['posix:/lines'] },
  'priorities.mjs': {
    says: ['posix:/calls', 'sysv:0x0000ca11'].flatMap((address) => [
      `${address}: fire! (100)`,
      `${address}: make tea (1)`,
      `${address}: tidy up (0)`,
    ]),
    uses: ['posix:/calls', 'sysv:0xca11'],
  },
  'pipe-to-child.mjs': { says: ['apple', 'pear', 'plum'], uses: [] },
  'fifo.mjs': {
    says: [
      "[ { id: 1, what: 'sweep' }, { id: 2, what: 'mop' } ]",
      ...['first', 'second'].flatMap((word) => [word, 'that writer has left']),
    ],
    uses: ['fifo:/tmp/ipckit-example-jobs', 'fifo:/tmp/ipckit-example-lines'],
  },
  'checked.mjs': {
    says: [
      "{ item: 'chair', pieces: 4 }",
      'Cannot encode the value as json for posix:/orders: The value does not fit the schema: `pieces`: Too small: expected number to be >0',
      'true { "item": "lamp" }',
    ],
    uses: ['posix:/orders'],
  },
}

describe('an example of one program', () => {
  test.each(Object.entries(alone))(
    '%s says what it should and leaves no queue behind',
    async (file, { says, uses }) => {
      removeFinally(...uses)
      expect(await new Example(file).ended).toEqual(content(...says))
      for (const address of uses) expect(await isThere(address)).toBe(false)
    },
  )

  test.each([
    ['slots.mjs', ['job 1 begins', 'job 2 begins', 'job 3 begins', '2 slots are free']],
    ['lock-that-survives.mjs', ['free now: false', 'it is ours']],
    ['both-forks.mjs', ['Ada eats', 'Grace eats', 'Barbara eats', '[ 1, 1, 1 ]']],
  ])('%s says what it should and leaves no semaphore behind', async (file, says) => {
    expect(await new Example(file).ended).toEqual(content(...says))
    expect(Semaphore.list().map(({ name }) => name)).not.toContain('/slots')
    expect(SemaphoreSet.list().map(({ key }) => key)).not.toContain(0x10cced)
  })

  test('batch.mjs takes all that it sends, many at a time', async () => {
    removeFinally('sysv:0x5a3e')
    const { code, output, errors } = await new Example('batch.mjs').ended
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    const [, atATime] = /^sent 10000, took 10000, (\d+) at a time\n$/.exec(output) ?? []
    expect(Number(atATime)).toBeGreaterThan(1)
    expect(await isThere('sysv:0x5a3e')).toBe(false)
  })

  test('background.mjs ends although it listens, and leaves its queue to others', async () => {
    removeFinally('posix:/commands')
    expect(await new Example('background.mjs').ended).toEqual(content('told to hurry up', 'work done'))
    expect(await isThere('posix:/commands')).toBe(true)
  })
})

describe('two-processes', () => {
  test.each(['producer', 'consumer'])('work together when the %s is started first', async (first) => {
    removeFinally('posix:/jobs')
    const second = first === 'producer' ? 'consumer' : 'producer'
    const start = (name: string) => new Example(`two-processes/${name}.mjs`)
    const running = { [first]: start(first) }
    if (first === 'producer') await running.producer?.ended
    else await untilThere('posix:/jobs')
    running[second] = start(second)

    const { producer, consumer } = running as Record<'producer' | 'consumer', Example>
    expect(await producer.ended).toEqual(content())
    await consumer.untilItSays(3)
    consumer.interrupt()
    const { output, ...end } = await consumer.ended
    expect(end).toEqual({ code: 0, signal: null, errors: '' })
    expect(output.replaceAll(/^process \d+/gm, 'process N')).toBe(
      ['org', 'com', 'net'].map((top) => `process N wants https://example.${top}\n`).join(''),
    )
    expect(await isThere('posix:/jobs')).toBe(true)
  })
})

describe('with-c', () => {
  test('ticks.mjs takes the structs of the daemon, which ends when its queue is removed', async () => {
    removeFinally('sysv:0x1234')
    const daemon = new Example('with-c/daemon.c')
    await untilThere('sysv:0x1234')
    const lines = [1, 2, 3, 4, 5].map((id) => `#${id} ACME ${100 + id / 8}`)
    expect(await new Example('with-c/ticks.mjs').ended).toEqual(content(...lines))
    await remove('sysv:0x1234')
    const { code, output, errors } = await daemon.ended
    expect({ code, output }).toEqual({ code: 0, output: '' })
    expect(errors).toMatch(removed('msgsnd'))
  })
})

describe('with-python', () => {
  test('jobs.mjs gets the answers of worker.py, and no queue stays', async () => {
    removeFinally('posix:/numbers', 'posix:/sums')
    const jobs = new Example('with-python/jobs.mjs')
    await untilThere('posix:/sums')
    expect(await new Example('with-python/worker.py').ended).toEqual(content())
    const line = '{ numbers: [ 1, 2, 3 ], sum: 6 } { numbers: [ 0.5, 0.25 ], sum: 0.75 }'
    expect(await jobs.ended).toEqual(content(line))
    expect(await isThere('posix:/numbers')).toBe(false)
    expect(await isThere('posix:/sums')).toBe(false)
  })
})

describe('existing-daemon', () => {
  test('ask.mjs gets its own answers, and the daemon ends when its queue is removed', async () => {
    const address = 'sysv:/etc/passwd?proj=1'
    removeFinally(address)
    const daemon = new Example('existing-daemon/daemon.c')
    await untilThere(address)
    const both = await Promise.all([
      new Example('existing-daemon/ask.mjs').ended,
      new Example('existing-daemon/ask.mjs').ended,
    ])
    const answers = content('/root', 'no such user')
    expect(both).toEqual([answers, answers])
    await remove(address)
    const { code, output, errors } = await daemon.ended
    expect({ code, output }).toEqual({ code: 0, output: '' })
    expect(errors).toMatch(removed('msgrcv'))
  })
})

describe('connections', () => {
  test('pool.mjs gets its sums from worker.py, which ends with the connection', async () => {
    expect(await new Example('connections/pool.mjs').ended).toEqual(
      content('1 + 2 + 3 = 6', '0.5 + 0.25 = 0.75', ' = 0', 'the worker ended with 0'),
    )
  })

  test('reader.mjs reads what opener.mjs opens for it, and the socket goes with Ctrl-C', async () => {
    const path = '/tmp/ipckit-opener.sock'
    const opener = new Example('connections/opener.mjs')
    while (!existsSync(path)) await sleep(2)
    const { output, ...end } = await new Example('connections/reader.mjs').ended
    expect(end).toEqual({ code: 0, signal: null, errors: '' })
    expect(output).toMatch(/^\/etc\/passwd root:.*\nuser \d+ may not read \/etc\/shadow\n$/)
    opener.interrupt()
    expect(await opener.ended).toEqual(content())
    expect(existsSync(path)).toBe(false)
  })
})

test('every example is run here', () => {
  expect(examples).toEqual(
    [
      ...[...Object.keys(alone), 'batch.mjs', 'background.mjs'],
      ...['slots.mjs', 'lock-that-survives.mjs', 'both-forks.mjs'],
      ...['two-processes/producer.mjs', 'two-processes/consumer.mjs'],
      ...['opener.mjs', 'pool.mjs', 'reader.mjs', 'worker.py'].map((file) => `connections/${file}`),
      ...['with-c/daemon.c', 'with-c/ticks.mjs', 'with-python/jobs.mjs', 'with-python/worker.py'],
      ...['existing-daemon/ask.mjs', 'existing-daemon/daemon.c'],
      // In shm.test.ts.
      ...['dead-letters.mjs', 'jobs.mjs', 'survivor.mjs', 'worker.mjs'].map((file) => `shm/${file}`),
      // In sync.test.ts.
      ...['barrier', 'condition', 'leader', 'lock', 'rate-limit'].map((name) => `sync/${name}.mjs`),
      // In shared-memory.test.ts.
      ...['feed.mjs', 'look.c', 'look.py', 'views.mjs'].map((file) => `shared-memory/${file}`),
    ].sort(),
  )
})

describe('the table in examples/README.md', () => {
  const table = readFileSync(join(root, 'examples/README.md'), 'utf8')

  test.each(examples)('has %s, whose first line says how to run it', (example) => {
    expect(table).toContain(`](${example})`)
    expect(commandOf(example)).toContain(`examples/${example}`)
  })

  test.each([...table.matchAll(/\]\(([^)]+)\)/g)].map(([, file]) => file as string))(
    'names %s, which exists',
    (file) => {
      expect(readFileSync(join(root, 'examples', file), 'utf8')).not.toBe('')
    },
  )
})
