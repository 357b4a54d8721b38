/** Faults in the system calls of a running program, by strace(1). */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Owner } from './kernels.ts'

/** Of V8, libuv and the C library: they come and go, and touch no queue. */
const uninteresting = new Set([
  ...['mmap', 'munmap', 'mprotect', 'madvise', 'brk', 'getpid', 'gettid', 'clock_gettime', 'sched_yield'],
  ...['futex', 'restart_syscall', 'rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn'],
])

/** A system call of a thread: its name, and which of that name it is, from 1. */
export interface Stage {
  syscall: string
  time: number
}

async function attached(strace: ChildProcess): Promise<boolean> {
  let said = ''
  return new Promise((resolve) => {
    strace.stderr?.on('data', (text) => {
      said += text
      if (said.includes(' attached')) resolve(true)
    })
    strace.once('close', () => resolve(false))
    strace.once('error', () => resolve(false))
  })
}

/** Whether there is a strace, and whether it may trace our children. */
export async function canTrace(): Promise<boolean> {
  const victim = spawn('sleep', ['60'])
  const strace = spawn('strace', ['-o', '/dev/null', '-p', String(victim.pid)])
  const can = await attached(strace)
  const gone = new Promise((resolve) => victim.once('close', resolve))
  victim.kill('SIGKILL')
  await gone
  return can
}

export class Trace {
  readonly #log: string
  readonly #ended: Promise<unknown>

  private constructor(log: string, strace: ChildProcess) {
    this.#log = log
    this.#ended = new Promise((resolve) => strace.once('close', resolve))
  }

  /** Follows one thread. */
  static follow(owner: Owner, thread: number): Promise<Trace> {
    return Trace.#start(owner, ['-p', String(thread)])
  }

  /** Follows one thread, and kills the process when it enters that system call, counted from now. */
  static kill(owner: Owner, thread: number, { syscall, time }: Stage): Promise<Trace> {
    return Trace.#start(owner, ['-p', String(thread), '-e', `inject=${syscall}:signal=SIGKILL:when=${time}`])
  }

  /** Fails the first so many such system calls of the process, in any thread. */
  static fail(owner: Owner, pid: number, syscall: string, error: string, times: number): Promise<Trace> {
    return Trace.#start(owner, [
      '-f',
      '-p',
      String(pid),
      '-e',
      `inject=${syscall}:error=${error}:when=1..${times}`,
    ])
  }

  static async #start(owner: Owner, options: string[]): Promise<Trace> {
    const folder = mkdtempSync(join(tmpdir(), 'ipckit-trace-'))
    owner.onTestFinished(() => rmSync(folder, { recursive: true }))
    const log = join(folder, 'log')
    const strace = spawn('strace', ['-o', log, ...options], { stdio: ['ignore', 'ignore', 'pipe'] })
    owner.onTestFinished(() => void strace.kill('SIGKILL'))
    const trace = new Trace(log, strace)
    if (!(await attached(strace))) throw new Error('strace did not attach')
    return trace
  }

  /** What it saw, when the process has ended. */
  async log(): Promise<string> {
    await this.#ended
    return readFileSync(this.#log, 'utf8')
  }

  /** The system calls that the thread made, but for those that touch nothing of ours. */
  async stages(): Promise<Stage[]> {
    const times = new Map<string, number>()
    const stages: Stage[] = []
    for (const [, syscall] of (await this.log()).matchAll(/^(\w+)\(/gm) as Iterable<[string, string]>) {
      if (uninteresting.has(syscall)) continue
      const time = (times.get(syscall) ?? 0) + 1
      times.set(syscall, time)
      stages.push({ syscall, time })
    }
    return stages
  }
}
