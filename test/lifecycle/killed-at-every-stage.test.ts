/**
 * A process is killed as it enters each system call of a put and of a get, one after the other, and each of its
 * threads in turn: the message is in the queue or was taken, whole, and nobody else's is touched. And each
 * system call that a wait needs fails once: a clear error, and the next wait works.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  type ByteQueue,
  drain,
  fill,
  type Kernel,
  kernels,
  makeQueue,
  numbered,
  type Owner,
} from '../helpers/kernels.ts'
import { needs } from '../helpers/needs.ts'
import { Program } from '../helpers/program.ts'
import { canTrace, type Stage, Trace } from '../helpers/trace.ts'
import { sleepersIn, until } from '../helpers/waiting.ts'
import { full, inspect } from './steps.ts'

interface Case {
  does: 'put' | 'get' | 'putSync' | 'getSync'
  /** Whether it has to wait. */
  waits: boolean
}

const cases: Case[] = [
  { does: 'put', waits: false },
  { does: 'put', waits: true },
  { does: 'putSync', waits: true },
  { does: 'get', waits: false },
  { does: 'get', waits: true },
  { does: 'getSync', waits: true },
]

const puts = ({ does }: Case) => does.startsWith('put')

/** The thread that waits for others is the youngest. */
function waiterOf(pid: number): number {
  return Math.max(...readdirSync(`/proc/${pid}/task`).map(Number))
}

/** Whether it is asleep until what it waits for comes. */
function isWaiting(kernel: Kernel, each: Case, pid: number): boolean {
  if (each.does.endsWith('Sync')) return /\) S /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  // The thread that polls POSIX queues always sleeps.
  return kernel === 'posix' || sleepersIn(puts(each) ? 'msgsnd' : 'msgrcv', pid) > 0
}

/** Makes what it waits for come. */
function relieve(queue: ByteQueue, each: Case): void {
  if (puts(each)) queue.tryGet()
  else queue.tryPut(numbered(5))
}

/** One life, which ends at that stage, or at its own end. */
async function live(
  here: Owner,
  kernel: Kernel,
  each: Case,
  thread: 'main' | 'waiter',
  stage?: Stage,
): Promise<{ done: boolean; trace: Trace }> {
  const queue = await makeQueue(here, kernel)
  const program = new Program(here, 'staged.mjs', { address: queue.address, does: each.does })
  expect(await program.says()).toBe('ready')
  if (puts(each) && each.waits) fill(queue)
  if (!puts(each) && !each.waits) queue.tryPut(numbered(5))
  const { pid } = program
  const id = thread === 'main' ? pid : waiterOf(pid)
  const trace = await (stage === undefined ? Trace.follow(here, id) : Trace.kill(here, id, stage))
  program.tell('go')
  // It may have been killed already, at a call in which its thread was found.
  const said = await program.says().catch(() => 'nothing')
  if (each.waits) {
    await until(() => !program.running || isWaiting(kernel, each, pid)).catch(() => {})
    relieve(queue, each)
  }
  const { code, signal, rest, errors } = await program.ended
  expect({ code, signal, errors }).toEqual({ code: null, signal: 'SIGKILL', errors: '' })
  const done = [said, ...rest].includes('done')
  const log = await trace.log()
  const left = drain(queue)
  // A thread of System V ends when it has rested for half a second, on a busy machine before it is put to work: another
  // one did the work, and this life says nothing.
  if (/^\+\+\+ exited with 0/m.test(log)) return live(here, kernel, each, thread, stage)
  if (puts(each)) {
    const others = each.waits ? full.slice(1) : []
    expect([others, [...others, 100]], log).toContainEqual(left)
    const sent = /^(mq_timedsend|msgsnd)\(.*= 0$/m.test(log)
    if (done || sent) expect(left, log).toEqual([...others, 100])
    // On System V a thread that is not followed may have sent it.
    else if (thread === 'main' && kernel === 'posix') expect(left, log).toEqual(others)
  } else {
    expect([[5], []], log).toContainEqual(left)
    const taken = /^(mq_timedreceive|msgrcv)\(.*= 64$/m.test(log)
    if (done || taken) expect(left, log).toEqual([])
    else if (thread === 'main') expect(left, log).toEqual([5])
  }
  await inspect(queue, { name: each.does, before: 'empty', left: [] })
  return { done, trace }
}

const traceable = needs('strace(1), and the right to trace', await canTrace())
const sideBySide = 3

describe.runIf(traceable).each(kernels)('%s: a process that is killed (needs strace)', (kernel) => {
  const threads = ['main', 'waiter'] as const
  const table = cases.flatMap((each) =>
    threads
      .filter((thread) => thread === 'main' || (each.waits && !each.does.endsWith('Sync')))
      .map((thread) => ({ ...each, thread })),
  )
  test.for(table)(
    'at each system call of its $thread thread in $does (has to wait: $waits) leaves every message whole',
    { timeout: 120_000 },
    async ({ thread, ...each }, here) => {
      const whole = await live(here, kernel, each, thread)
      expect(whole.done).toBe(true)
      const stages = await whole.trace.stages()
      let killed = 0
      for (let at = 0; at < stages.length; at += sideBySide) {
        const some = stages.slice(at, at + sideBySide)
        const lives = await Promise.all(some.map((stage) => live(here, kernel, each, thread, stage)))
        killed += lives.filter(({ done }) => !done).length
      }
      // Some calls come or do not come, as the threads happen to run.
      expect(killed).toBeGreaterThan(0)
    },
  )
})

describe.runIf(traceable)('a wait for which the system lacks something (needs strace)', () => {
  // POSIX waits try twice: the first time to watch for the end of the queue, which they can do without.
  const faults: {
    kernel: Kernel
    syscall: string
    error: string
    times: number
    /** What failed in the words of the C library, and how to raise the limit. */
    says?: string
    advises?: string
  }[] = [
    { kernel: 'posix', syscall: 'clone3', error: 'EAGAIN', times: 2, says: 'pthread_create' },
    { kernel: 'posix', syscall: 'epoll_create1', error: 'EMFILE', times: 2 },
    { kernel: 'posix', syscall: 'eventfd2', error: 'ENFILE', times: 2 },
    { kernel: 'posix', syscall: 'epoll_ctl', error: 'ENOMEM', times: 2 },
    {
      kernel: 'sysv',
      syscall: 'clone3',
      error: 'EAGAIN',
      times: 1,
      says: 'pthread_create',
      advises: 'ulimit -u',
    },
    {
      kernel: 'sysv',
      syscall: 'timer_create',
      error: 'EAGAIN',
      times: 1,
      says: 'timer_create',
      advises: 'ulimit -i',
    },
  ]
  test.concurrent.for(faults.flatMap((fault) => ['get', 'put'].map((does) => ({ ...fault, does }))))(
    '$kernel: $does rejects with $error when $syscall fails, and the next one works',
    async ({ kernel, syscall, error, times, does, says = '.*', advises = '' }, here) => {
      const queue = await makeQueue(here, kernel)
      if (does === 'put') fill(queue)
      const program = new Program(here, 'staged.mjs', {
        address: queue.address,
        does: `${does} twice`,
        cold: true,
      })
      expect(await program.says()).toBe('ready')
      const trace = await Trace.fail(here, program.pid, syscall, error, times)
      program.tell('go')
      const { signal, rest, errors } = await program.ended
      expect({ signal, rest, errors }, await trace.log()).toEqual({
        signal: 'SIGKILL',
        rest: [
          'waiting',
          expect.stringMatching(`^IpcError ${error} .*\\(${says}: ${error}\\).*${advises}`),
          expect.stringMatching(/^TimeoutError ERR_IPC_TIMEOUT/),
          'done',
        ],
        errors: '',
      })
      expect(drain(queue)).toEqual(does === 'put' ? full : [])
    },
  )
})
