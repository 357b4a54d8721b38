/**
 * Signals while threads wait and block: Ctrl-C ends what blocks, and nothing else disturbs anything.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type ByteQueue, carriers, drain, fill, makeQueue, numbered, type Owner } from '../helpers/kernels.ts'
import { Program } from '../helpers/program.ts'
import { until } from '../helpers/waiting.ts'

function stateOf(pid: number): string {
  return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1] as string
}

interface Call {
  call: 'getSync' | 'putSync' | 'spin' | 'turn'
  timeoutMs?: number
  file?: string
}

function block(here: Owner, { address }: ByteQueue, listen: string[], calls: Call[]): Program {
  return new Program(here, 'blocked.mjs', { address, listen, calls })
}

/** Resolves when the program has said that it makes that call, and sleeps in it. */
async function blockedIn(program: Program, call: string): Promise<void> {
  expect(await program.says()).toBe(call)
  await until(() => stateOf(program.pid) === 'S')
}

describe.each(carriers)('%s: a call that blocks the main thread', (kernel) => {
  const interrupted = [
    { call: 'getSync' as const, signal: 'SIGINT' as const },
    { call: 'getSync' as const, signal: 'SIGTERM' as const },
    { call: 'putSync' as const, signal: 'SIGINT' as const },
    { call: 'putSync' as const, signal: 'SIGTERM' as const },
  ]

  test.concurrent.for(interrupted)(
    'fails with EINTR in $call on $signal that has a listener, which then runs',
    async (each, here) => {
      const { call, signal } = each
      const queue = await makeQueue(here, kernel)
      if (call === 'putSync') fill(queue)
      const program = block(here, queue, [signal], [{ call }, { call: 'turn' }])
      await blockedIn(program, call)
      program.kill(signal)
      expect(await program.says()).toMatch(
        new RegExp(`^${call}: IpcError EINTR (futex|poll|msgrcv|msgsnd) -4$`),
      )
      const { code, rest, errors } = await program.ended
      expect({ code, rest, errors }).toEqual({
        code: 0,
        rest: ['turn', `heard ${signal}`, 'turn: undefined'],
        errors: '',
      })
      expect(drain(queue)).toEqual(call === 'putSync' ? [0, 1, 2, 3] : [])
    },
  )

  test.concurrent('goes on after one that Ctrl-C ended', async (here) => {
    const queue = await makeQueue(here, kernel)
    const get: Call = { call: 'getSync' }
    const program = block(here, queue, ['SIGINT'], [get, get, { call: 'turn' }, get])
    for (let round = 0; round < 2; round++) {
      await blockedIn(program, 'getSync')
      program.kill('SIGINT')
      expect(await program.says()).toMatch(/^getSync: IpcError EINTR/)
    }
    expect(await program.says()).toBe('turn')
    // Signals of one kind that come before the loop turns may be heard as one.
    while ((await program.says()) !== 'turn: undefined');
    await blockedIn(program, 'getSync')
    await queue.put(numbered(9))
    expect(await program.ended).toEqual({ code: 0, signal: null, rest: ['getSync: 9'], errors: '' })
  })

  test.concurrent('is ended by a Ctrl-C that came while JavaScript was busy before it', async (here) => {
    const folder = await mkdtemp(join(tmpdir(), 'ipckit-signals-'))
    here.onTestFinished(() => rm(folder, { recursive: true }))
    const file = join(folder, 'sent')
    const queue = await makeQueue(here, kernel)
    await queue.put(numbered(5))
    const calls: Call[] = [{ call: 'getSync' }, { call: 'spin', file }, { call: 'getSync', timeoutMs: 3000 }]
    const program = block(here, queue, ['SIGINT'], [...calls, { call: 'turn' }])
    expect(await program.says()).toBe('getSync')
    expect(await program.says()).toBe('getSync: 5')
    expect(await program.says()).toBe('spin')
    program.kill('SIGINT')
    writeFileSync(file, '')
    expect(await program.says()).toBe('spin: undefined')
    expect(await program.says()).toBe('getSync')
    expect(await program.says()).toMatch(/^getSync: IpcError EINTR/)
    expect(await program.ended).toMatchObject({ code: 0, rest: ['turn', 'heard SIGINT', 'turn: undefined'] })
  })

  test.concurrent('is ended by every one of 100 signals, wherever in its slices they come', async (here) => {
    const queue = await makeQueue(here, kernel)
    const rounds = 100
    const calls: Call[] = Array.from({ length: rounds }, () => [
      { call: 'getSync' as const, timeoutMs: 1000 },
      { call: 'turn' as const },
    ]).flat()
    const program = block(here, queue, ['SIGINT'], calls)
    for (let round = 0; round < rounds; round++) {
      expect(await program.says()).toBe('getSync')
      // The thread looks up every 50 ms; the signal comes around that moment.
      const moment = performance.now() + 49 + Math.random() * 1.5
      while (performance.now() < moment - 3) await sleep(1)
      while (performance.now() < moment);
      program.kill('SIGINT')
      expect(await program.says()).toMatch(/^getSync: IpcError EINTR/)
      for (const line of ['turn', 'heard SIGINT', 'turn: undefined']) expect(await program.says()).toBe(line)
    }
    expect(await program.ended).toMatchObject({ code: 0, rest: [], errors: '' })
  })

  test.concurrent('is not disturbed by other signals, with and without a listener', async (here) => {
    const queue = await makeQueue(here, kernel)
    const program = block(here, queue, ['SIGWINCH', 'SIGUSR2'], [{ call: 'getSync' }, { call: 'turn' }])
    await blockedIn(program, 'getSync')
    for (let round = 0; round < 200; round++) {
      // SIGCONT and SIGURG have no listener.
      for (const signal of ['SIGWINCH', 'SIGUSR2', 'SIGCONT', 'SIGURG'] as const) program.kill(signal)
      await until(() => stateOf(program.pid) === 'S')
    }
    expect(program.running).toBe(true)
    await queue.put(numbered(5))
    expect(await program.says()).toBe('getSync: 5')
    const { code, rest, errors } = await program.ended
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    expect(rest).toEqual(expect.arrayContaining(['heard SIGWINCH', 'heard SIGUSR2']))
  })
})

interface Flow {
  count: number
  signals: number
  late: Record<string, number>
}

const report = async (program: Program): Promise<Flow> => JSON.parse(await program.says()) as Flow

/** Sends to all of them, up to a thousand times a second, until the last has reported. */
async function storm(
  programs: Program[],
  send: (program: Program) => Promise<void> | void,
): Promise<{ reports: Flow[]; rounds: number }> {
  let over = false
  const reporting = Promise.all(programs.map(report)).finally(() => {
    over = true
  })
  let rounds = 0
  for (; !over; rounds++) {
    for (const program of programs) await send(program)
    await sleep(1)
  }
  const reports = await reporting
  for (const program of programs) program.tellNothingMore()
  for (const program of programs) expect(await program.ended).toMatchObject({ code: 0, errors: '' })
  return { reports, rounds }
}

const storms = [
  {
    name: 'a storm of SIGUSR2 and SIGWINCH',
    send(program: Program) {
      program.kill('SIGUSR2')
      program.kill('SIGWINCH')
    },
    heard: true,
  },
  {
    name: 'being stopped and continued',
    async send(program: Program) {
      program.kill('SIGSTOP')
      await until(() => !program.running || stateOf(program.pid) !== 'R')
      program.kill('SIGCONT')
    },
    heard: false,
  },
]

describe.each(carriers)('%s: two seconds of', (kernel) => {
  describe.each(storms)('$name', ({ send, heard }) => {
    test.concurrent.for([
      { producer: 'put', consumer: 'get' },
      { producer: 'putSync', consumer: 'getSync' },
    ])('lose and double no message from $producer to $consumer', async ({ producer, consumer }, here) => {
      const { address } = await makeQueue(here, kernel, { capacity: 8 })
      const taking = new Program(here, 'flow.mjs', { address, role: 'consume', sync: consumer === 'getSync' })
      expect(await taking.says()).toBe('there')
      const giving = new Program(here, 'flow.mjs', {
        address,
        role: 'produce',
        sync: producer === 'putSync',
        milliseconds: 2000,
      })
      expect(await giving.says()).toBe('there')
      const { reports, rounds } = await storm([giving, taking], send)
      const [gave, took] = reports as [Flow, Flow]
      expect(took.count).toBe(gave.count)
      expect(gave.count).toBeGreaterThan(100)
      expect(rounds).toBeGreaterThan(100)
      if (heard) expect(gave.signals + took.signals).toBeGreaterThan(100)
    })

    test.concurrent('end no wait early and with no other error than the timeout', async (here) => {
      const queue = await makeQueue(here, kernel)
      const full = await makeQueue(here, kernel)
      fill(full)
      const program = new Program(here, 'flow.mjs', {
        address: queue.address,
        full: full.address,
        role: 'expire',
        milliseconds: 2000,
      })
      expect(await program.says()).toBe('there')
      const { reports } = await storm([program], send)
      const { late } = reports[0] as Flow
      expect(Object.keys(late)).toEqual(['getSync', 'get', 'putSync', 'put', 'putMany'])
      expect(
        Object.values(late).filter((least) => least < 0),
        JSON.stringify(late),
      ).toEqual([])
      expect(drain(full)).toEqual([0, 1, 2, 3])
    })
  })
})
