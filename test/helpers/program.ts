/** A program of test/fixtures in a process of its own, which the test listens to and sees end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Owner } from './kernels.ts'

export interface End {
  code: number | null
  signal: NodeJS.Signals | null
  /** What it said that nobody has listened to with {@link Program.says}. */
  rest: string[]
  /** Its standard error. */
  errors: string
}

export interface StartOptions {
  /** Options of node itself. */
  node?: string[]
  /** What runs the fixture; default this node. */
  command?: string
  /** The command is the fixture itself, built. */
  built?: boolean
  env?: NodeJS.ProcessEnv
}

export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))
}

export class Program {
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  #errors = ''
  #listener: (() => void) | undefined
  /** Resolves when it has ended and all of its output is here. */
  readonly ended: Promise<End>

  /** Starts test/fixtures/`name` with words, or with one argument, which is sent as JSON. */
  constructor(
    owner: Owner,
    name: string,
    argument: unknown,
    { node = [], command = process.execPath, built = false, env = process.env }: StartOptions = {},
  ) {
    const words = Array.isArray(argument) ? argument.map(String) : [JSON.stringify(argument)]
    const program = built ? [] : [fixture(name)]
    const child = spawn(command, [...node, ...program, ...words], { stdio: ['pipe', 'pipe', 'pipe'], env })
    this.#child = child
    createInterface({ input: child.stdout }).on('line', (text) => {
      this.#lines.push(text)
      this.#listener?.()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text
    })
    // Whoever is killed does not read what it is told.
    child.stdin.on('error', () => {})
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        resolve({ code, signal, rest: this.#lines, errors: this.#errors })
        this.#listener?.()
      })
    })
    owner.onTestFinished(async () => {
      this.kill('SIGKILL')
      await this.ended
    })
  }

  get pid(): number {
    return this.#child.pid as number
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** The next line that it says; rejects when it ends without. */
  async says(): Promise<string> {
    while (this.#lines.length === 0) {
      if (!this.running && this.#child.stdout?.readableEnded) {
        const { code, signal, errors } = await this.ended
        throw new Error(`the program ended (${signal ?? code}) and said nothing more: ${errors}`)
      }
      await Promise.race([
        this.ended,
        new Promise<void>((resolve) => {
          this.#listener = resolve
        }),
      ])
    }
    return this.#lines.shift() as string
  }

  tell(text: string): void {
    this.#child.stdin?.write(`${text}\n`)
  }

  /** Ends its standard input. */
  tellNothingMore(): void {
    this.#child.stdin?.end()
  }

  kill(signal: NodeJS.Signals): void {
    // Not child.kill(), which asks the event loop whether the child lives: it may be a zombie by now.
    if (this.running) process.kill(this.pid, signal)
  }
}
