/** A peer that is told what to do: it answers every line of its standard input with a line of JSON. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'

/** The end of the test kills it. */
export class InteractivePeer<Answer extends { error?: string }> {
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>
  /** It answers one command after the other. */
  #last: Promise<unknown> = Promise.resolve()

  protected constructor(
    [command, ...words]: readonly [string, ...string[]],
    args: readonly (string | number)[],
    env: NodeJS.ProcessEnv,
  ) {
    const child = spawn(command, [...words, ...args.map(String)], { env, stdio: ['pipe', 'pipe', 'inherit'] })
    // Whoever is killed does not read what it is told.
    child.stdin.on('error', () => {})
    this.#child = child
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    onTestFinished(() => this.kill())
  }

  /** Its first answer, for which nobody asks, tells whether it could open what it is for. */
  protected async opened(): Promise<this> {
    const { error } = await this.#next()
    if (error !== undefined) throw new Error(error)
    return this
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
