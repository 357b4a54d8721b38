/**
 * The peers of locks and their friends: interactive programs in three languages with one set of commands, which
 * interop/c/sync_peer.c describes.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { fixture } from '../helpers/program.ts'
import { python } from './peers.ts'
import { environment, root } from './ring-peers.ts'

export const peers = {
  Node: [process.execPath, fixture('sync-peer.mjs')],
  C: [`${root}/build-interop/sync-peer`],
  Python: [python, '-B', `${root}/interop/python/sync_peer.py`],
} as const
export type Language = keyof typeof peers

export type Kind =
  | 'lock'
  | 'rlock'
  | 'rwlock'
  | 'semaphore'
  | 'bounded'
  | 'condition'
  | 'event'
  | 'barrier'
  | 'value'
  | 'array'

export interface Answer {
  ok?: number
  error?: string
  /** The process that died while it held the lock, 0 for none. */
  died?: number
}

/** A peer with an object open; the end of the test kills it. */
export class SyncPeer {
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>
  /** It answers one command after the other. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(language: Language, args: readonly (string | number)[]) {
    const [command, ...words] = peers[language]
    const child = spawn(command, [...words, ...args.map(String)], {
      env: environment,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    // Whoever is killed does not read what it is told.
    child.stdin.on('error', () => {})
    this.#child = child
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    onTestFinished(() => this.kill())
  }

  /** `number` is what the kind is made with: permits, parties, a first value, a length. */
  static async start(
    language: Language,
    how: 'open' | 'create',
    kind: Kind,
    name: string,
    number = 0,
  ): Promise<SyncPeer> {
    const peer = new SyncPeer(language, [how, kind, name, number])
    const opened = await peer.#next()
    if (opened.error !== undefined) throw new Error(opened.error)
    return peer
  }

  get pid(): number {
    return this.#child.pid as number
  }

  /** Tells it a command, and resolves to its answer. */
  async ask(...words: (string | number)[]): Promise<Answer> {
    this.#child.stdin?.write(`${words.join(' ')}\n`)
    const turn = this.#last.then(() => this.#next())
    this.#last = turn.catch(() => {})
    return turn
  }

  /** Asks until the answer is this number. */
  async until(word: string, number: number): Promise<void> {
    while ((await this.ask(word)).ok !== number) await new Promise((resolve) => setTimeout(resolve, 2))
  }

  stop(): void {
    this.#child.kill('SIGSTOP')
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
