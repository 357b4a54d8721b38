/** Somebody who has just cloned the repository and runs its examples by the command in their first line. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { NotFoundError, Queue, raw } from 'ipckit'
import { onTestFinished } from 'vitest'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** All programs of examples/ but the demo, by their path from there. */
export const examples = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(mjs|c|py)$/.test(file) && !file.startsWith('demo/'))
  .sort()

/** The command in the first line of an example. */
export function commandOf(example: string): string {
  const [first = ''] = readFileSync(join(root, 'examples', example), 'utf8').split('\n')
  return first.replace(/^(\/\/|#) /, '')
}

export interface End {
  code: number | null
  signal: NodeJS.Signals | null
  output: string
  errors: string
}

/** An example that runs, in a folder where it can leave nothing behind; the end of the test ends it. */
export class Example {
  readonly #child: ChildProcess
  #output = ''
  readonly ended: Promise<End>

  constructor(example: string) {
    const folder = mkdtempSync(join(tmpdir(), 'ipckit-examples-'))
    for (const room of ['examples', 'interop']) symlinkSync(join(root, room), join(folder, room))
    const child = spawn('bash', ['-c', commandOf(example)], {
      cwd: folder,
      // In a process group of its own, as a shell would start it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    })
    this.#child = child
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal, output: this.#output, errors }))
    })
    onTestFinished(async () => {
      this.#signal('SIGKILL')
      await this.ended
      rmSync(folder, { recursive: true })
    })
  }

  /** Resolves when it has said so many lines. */
  async untilItSays(lines: number): Promise<void> {
    while (this.#output.split('\n').length <= lines && this.#runs) await sleep(2)
  }

  /** Ctrl-C: the terminal sends SIGINT to the whole process group. */
  interrupt(): void {
    this.#signal('SIGINT')
  }

  get #runs(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#runs) process.kill(-(this.#child.pid as number), signal)
  }
}

export function isThere(address: string): Promise<boolean> {
  return Queue.open(address, { codec: raw() }).then(
    async (queue) => {
      await queue.close()
      return true
    },
    (error) => {
      if (error instanceof NotFoundError) return false
      throw error
    },
  )
}

/** Resolves when a queue has been made. */
export async function untilThere(address: string): Promise<void> {
  while (!(await isThere(address))) await sleep(2)
}

/** `ipckit rm`. */
export async function remove(address: string): Promise<void> {
  const queue = await Queue.open(address, { codec: raw() })
  await queue.unlink()
  await queue.close()
}
