/**
 * The peers as the tests see them: programs in several languages with one command line and one output, which
 * interop/README.md describes.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { Kernel } from '../helpers/kernels.ts'
import { until } from '../helpers/waiting.ts'
import { isStopped, waitsFor } from './asleep.ts'

export type Language = 'Node' | 'C' | 'Python' | 'sysv_ipc'
export type Direction = 'sent' | 'received'
export type Format = 'text' | 'json' | 'struct'
export const formats: readonly Format[] = ['text', 'json', 'struct']

const root = fileURLToPath(new URL('../..', import.meta.url))
export const python = process.env.PYTHON ?? 'python3'
/** The one for which Debian installs sysv_ipc. */
const systemPython = '/usr/bin/python3'

/** Debian's module sysv_ipc is not everywhere; .ci/run installs it. */
export const hasSysvIpc = spawnSync(systemPython, ['-c', 'import sysv_ipc']).status === 0

export const languages: Record<Kernel, readonly Language[]> = {
  posix: ['Node', 'C', 'Python'],
  sysv: ['Node', 'C', 'Python', ...(hasSysvIpc ? (['sysv_ipc'] as const) : [])],
}

/** Every sender with every receiver. */
export function pairs(kernel: Kernel): { sender: Language; receiver: Language }[] {
  return languages[kernel].flatMap((sender) => languages[kernel].map((receiver) => ({ sender, receiver })))
}

/** Brings the C peers up to date: for `beforeAll`. */
export function buildPeers(): void {
  execFileSync('make', ['--silent', '--directory', 'interop/c'], { cwd: root, stdio: 'inherit' })
}

/** What a peer tells of a message. */
export interface Line {
  direction: Direction
  id: number | null
  /** On a POSIX queue. */
  priority?: number
  /** On a System V queue. */
  type?: number
  format: Format
  text?: string | null
  json?: unknown
  tick?: Tick | null
  bytes: number
  fnv1a64: string
}

/** struct ipckit_tick as the peers print it. */
export interface Tick {
  id: number
  px: number
  sym: string
  /** A 64-bit number. */
  at: string
  flag: number
  pos: [number, number]
}

export interface Report {
  lines: Line[]
  summary: { summary: Direction; count: number; bytes: number; fnv1a64_sum: string }
}

/** A peer that runs; the end of the test ends it. */
export class Peer {
  readonly #child: ChildProcess
  readonly #address: string
  readonly #ended: Promise<{ code: number | null; output: string; errors: string }>

  constructor(
    language: Language,
    mode: 'send' | 'recv',
    address: string,
    options: readonly (string | number)[],
  ) {
    this.#address = address
    const [program, ...words] = commandOf(language, address)
    const child = spawn(program, [...words, mode, ...targetOf(address), ...options.map(String)], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    let output = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve({ code, output, errors }))
    })
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await this.#ended
    })
  }

  /** Resolves when it sleeps until there is a message, or room for one. */
  async untilItWaits(): Promise<void> {
    await until(() => this.#hasEnded || waitsFor(this.#pid, this.#address))
    if (this.#hasEnded)
      throw new Error(`expected a wait, received the end: ${JSON.stringify(await this.#ended)}`)
  }

  /** Lets it do nothing from now on, until {@link goOn}. */
  async pause(): Promise<void> {
    this.#child.kill('SIGSTOP')
    await until(() => isStopped(this.#pid))
  }

  goOn(): void {
    this.#child.kill('SIGCONT')
  }

  /** What it has reported when it ends, which must be a good end. */
  async report(): Promise<Report> {
    const { code, output, errors } = await this.#ended
    if (code !== 0)
      throw new Error(`${this.#child.spawnargs.join(' ')} ended with ${code}: ${errors}${output}`)
    const lines = output.trimEnd().split('\n')
    const [summary, ...others] = lines.map((line) => JSON.parse(line)).reverse()
    return { lines: others.reverse(), summary }
  }

  get #pid(): number {
    return this.#child.pid as number
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }
}

/** Runs a peer to its end. */
export function run(...args: ConstructorParameters<typeof Peer>): Promise<Report> {
  return new Peer(...args).report()
}

function commandOf(language: Language, address: string): [string, ...string[]] {
  const kind = address.startsWith('posix:') ? 'mq' : 'msg'
  switch (language) {
    case 'Node':
      return [process.execPath, 'test/fixtures/peer.mjs']
    case 'C':
      return [`build-interop/${kind}-peer`]
    case 'Python':
      return [python, '-B', 'interop/python/peer.py', kind]
    case 'sysv_ipc':
      return [systemPython, '-B', 'interop/python/sysv_ipc_peer.py']
  }
}

function targetOf(address: string): string[] {
  const name = address.slice(address.indexOf(':') + 1)
  return address.startsWith('posix:') ? ['--queue', name] : ['--key', name]
}
