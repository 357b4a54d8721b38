/** Another process that opens queues and calls their methods; see test/fixtures/agent.mjs. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach } from 'vitest'

const fixture = fileURLToPath(new URL('../fixtures/agent.mjs', import.meta.url))

interface Answer {
  id: number
  done?: unknown
  failed?: Record<string, unknown>
}

/** A uid that is neither root nor anybody who owns queues here. */
export const stranger = 61_234

/** Whether a child process may become another user: root may, but not the root of a user namespace of one user. */
export const mayChangeUser =
  process.getuid?.() === 0 &&
  readFileSync('/proc/self/uid_map', 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .some(([first = 0, , length = 0]) => stranger >= first && stranger < first + length)

export interface AgentOptions {
  /** The user it becomes; needs {@link mayChangeUser}. */
  uid?: number
  /** A command line that starts the rest of its arguments, such as `['prlimit', '--nofile=64']`. */
  through?: string[]
}

/** Makes an agent of the same user for which modes hold: the capabilities of root, if it has any, are gone. */
export const withoutPrivileges: AgentOptions = {
  through: process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : [],
}

export class Agent {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(reason: unknown): void }>()
  #calls = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (answer: Answer) => {
      const call = this.#waiting.get(answer.id)
      this.#waiting.delete(answer.id)
      if (answer.failed === undefined) call?.resolve(answer.done)
      else call?.reject(Object.assign(new Error('there'), answer.failed))
    })
    child.once('exit', (code, signal) => {
      for (const call of this.#waiting.values()) call.reject(new Error(`the agent ended: ${signal ?? code}`))
    })
  }

  static async start({ uid, through = [] }: AgentOptions = {}): Promise<Agent> {
    const [command, ...args] = [...through, process.execPath, fixture] as unknown as [string, ...string[]]
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
      env: uid === undefined ? process.env : { ...process.env, AGENT_UID: String(uid) },
    })
    running.add(child)
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve())
      child.once('error', reject)
      child.once('exit', (code) => reject(new Error(`the agent did not start: ${code}`)))
    })
    return new Agent(child)
  }

  get pid(): number {
    return this.#child.pid as number
  }

  /** Calls a method of a module, of a class, or of a queue that an earlier call gave. */
  call(on: string | number, method: string, ...args: unknown[]): Promise<unknown> {
    const id = ++this.#calls
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#child.send({ id, on, method, args })
    })
  }

  /** Opens a queue there: its number. */
  open(on: string, method: 'open' | 'create' | 'openOrCreate', ...args: unknown[]): Promise<number> {
    return this.call(on, method, ...args) as Promise<number>
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Ends it, and resolves when it is gone. */
  async end(): Promise<void> {
    await end(this.#child)
  }
}

const running = new Set<ChildProcess>()

async function end(child: ChildProcess): Promise<void> {
  running.delete(child)
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

/** Called once by a test file that starts agents: ends those that a test left. */
export function endAgents(): void {
  afterEach(async () => {
    await Promise.all([...running].map(end))
  })
}
