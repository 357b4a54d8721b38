/**
 * The peers of queues in shared memory: interactive programs in three languages with one set of commands, which
 * interop/c/queue_peer.c describes.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, onTestFinished } from 'vitest'
import { fixture } from '../helpers/program.ts'
import { python } from './peers.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const library = `${root}/build-interop/libipckit.so.1`

/** Builds test/fixtures/`name`.c with libipckit, once buildPeers is done; the program goes with the test file. */
export function buildFixture(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'ipckit-fixture-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const program = join(folder, name)
  const flags = ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-O2', `-I${root}/include`]
  const sources = [fixture(`${name}.c`), `${root}/build-interop/libipckit.a`]
  execFileSync('gcc', [...flags, '-o', program, ...sources, '-pthread'], { stdio: 'inherit' })
  return program
}

/** What the environment must say for the package in Python to find the library that was built for the tests. */
export const environment = { ...process.env, IPCKIT_LIBRARY: library }

export const peers = {
  Node: [process.execPath, fixture('queue-peer.mjs')],
  C: [`${root}/build-interop/queue-peer`],
  Python: [python, '-B', `${root}/interop/python/queue_peer.py`],
} as const
export type Language = keyof typeof peers
export const languages = Object.keys(peers) as Language[]
export const pairs = languages.flatMap((a) => languages.map((b) => ({ a, b })))

/** The struct that all of them know. */
export const tick = 'struct{id:i32,px:f64,sym:char[8]}'

export interface Answer {
  ok?: number
  error?: string
  id?: number
  bytes?: number
  digest?: string
  priority?: number
  deliveries?: number
  redelivered?: boolean
  count?: number
  sum?: string
  ordered?: boolean
}

/** A peer with the queue open; the end of the test kills it. */
export class QueuePeer {
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>
  /** It answers one command after the other. */
  #last: Promise<unknown>

  private constructor(language: Language, how: 'open' | 'create' | 'join', name: string, type: string) {
    const [command, ...words] = peers[language]
    const child = spawn(command, [...words, how, name, type], {
      env: environment,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    // Whoever is killed does not read what it is told.
    child.stdin.on('error', () => {})
    this.#child = child
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    this.#last = Promise.resolve()
    onTestFinished(() => this.kill())
  }

  static async start(...args: [Language, 'open' | 'create' | 'join', string, string?]): Promise<QueuePeer> {
    const [language, how, name, type = 'json'] = args
    const peer = new QueuePeer(language, how, name, type)
    const opened = await peer.#next()
    if (opened.error !== undefined) throw new Error(opened.error)
    return peer
  }

  /** Tells it a command, and resolves to its answer. */
  async ask(...words: (string | number)[]): Promise<Answer> {
    this.#child.stdin?.write(`${words.join(' ')}\n`)
    const turn = this.#last.then(() => this.#next())
    this.#last = turn.catch(() => {})
    return turn
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  async #next(): Promise<Answer> {
    const { value, done } = await this.#answers.next()
    if (done) throw new Error(`${this.#child.spawnargs.join(' ')} ended without an answer`)
    return JSON.parse(value) as Answer
  }
}
