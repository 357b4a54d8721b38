/**
 * A consumer that waits holds nothing: it is killed at the moment a message comes, and the message is in the queue.
 *
 * The victim and the one who kills it share one processor, on which the victim is of the lowest class; and what
 * counts is only when the killer did not give the processor up between sending and killing. So the victim is woken
 * by the message and dies before it runs. A program that blocks in msgrcv(2) or
 * mq_receive(3) itself loses the message then, as the kernel has handed it over: that is tested too, and shows
 * that the moment is the right one.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  type ByteQueue,
  type Carrier,
  carriers,
  drain,
  makeQueue,
  numbered,
  type Owner,
} from '../helpers/kernels.ts'
import { needs, works } from '../helpers/needs.ts'
import { Program } from '../helpers/program.ts'
import { long } from '../helpers/random.ts'
import { sleepersIn, until } from '../helpers/waiting.ts'

const run = promisify(execFile)
const has = (command: string) => needs(command, works(command, '--version'))
const [hasTaskset, hasChrt, hasPython] = ['taskset', 'chrt', 'python3'].map(has)

/** The processors that this process may use, and the first of them. */
const all = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
const one = /^\d+/.exec(all)?.[0] ?? '0'
const bind = (pid: number, processors: string) => run('taskset', ['-a', '-c', '-p', processors, String(pid)])
/** Whoever is of this class never takes the processor from others, not even when it is woken. */
const demote = (pid: number) => run('chrt', ['-a', '-i', '-p', '0', String(pid)])

/** How often this thread has given up its processor. */
function switches(): string[] {
  return readFileSync('/proc/thread-self/status', 'latin1').match(/ctxt_switches:\s*\d+/g) ?? []
}

interface Victim {
  queue: ByteQueue
  program: Program
}

async function startVictim(here: Owner, kernel: Carrier, way: string): Promise<Victim> {
  const queue = await makeQueue(here, kernel)
  const program =
    way === 'itself'
      ? new Program(here, 'blocked_receiver.py', { address: queue.address }, { command: 'python3' })
      : new Program(here, 'waiter.mjs', { address: queue.address, way })
  expect(await program.says()).toBe('there')
  await until(() => {
    // The threads that wait for queues of the other kinds always sleep.
    if (way === 'get') return kernel !== 'sysv' || sleepersIn('msgrcv', program.pid) > 0
    return /\) S /.test(readFileSync(`/proc/${program.pid}/stat`, 'latin1'))
  })
  await bind(program.pid, one)
  await demote(program.pid)
  return { queue, program }
}

/** Sends a message to a victim and kills it: what became of the message; undefined when others came in between. */
async function kill({ queue, program }: Victim, message: Uint8Array): Promise<'left' | 'lost' | undefined> {
  // A fresh share of the processor.
  await sleep(1)
  const { pid } = program
  const before = String(switches())
  queue.tryPut(message)
  process.kill(pid, 'SIGKILL')
  const wasHere = String(switches()) === before
  const { signal, rest } = await program.ended
  expect(signal).toBe('SIGKILL')
  const left = drain(queue)
  await queue.unlink()
  if (!wasHere) return undefined
  expect(rest).toEqual([])
  expect(left.length).toBeLessThanOrEqual(1)
  return left.length === 1 ? 'left' : 'lost'
}

/** Kills so many, and tells how many messages are lost. */
async function killAll(here: Owner, kernel: Carrier, way: string, count: number): Promise<number> {
  await bind(process.pid, one)
  here.onTestFinished(async () => {
    await bind(process.pid, all)
  })
  let deaths = 0
  let lost = 0
  while (deaths < count) {
    const victims = Array.from({ length: Math.min(8, count - deaths) }, () => startVictim(here, kernel, way))
    for (const victim of await Promise.all(victims)) {
      const fate = await kill(victim, numbered(deaths))
      if (fate !== undefined) deaths++
      if (fate === 'lost') lost++
    }
  }
  return lost
}

const kills = long ? 1000 : 50

describe.runIf(hasTaskset && hasChrt).each(carriers)(
  '%s: a message that comes at the moment of a kill (needs taskset and chrt)',
  (kernel) => {
    test.for(['get', 'getSync'])(
      `stays in the queue when the consumer waits in %s: none of ${kills} is lost`,
      { timeout: 0 },
      async (way, here) => {
        expect(await killAll(here, kernel, way, kills)).toBe(0)
      },
    )

    // The library of the queues in shared memory never blocks with a message in its hands.
    test.runIf(hasPython && kernel !== 'shm')(
      'is lost when the consumer blocks in the system call itself, each time',
      async (here) => {
        expect(await killAll(here, kernel, 'itself', 10)).toBe(10)
      },
    )
  },
)
