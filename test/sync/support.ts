/** Objects of `ipckit/sync` for their tests, closed and removed when the test ends, and other processes that use them. */
import { rmSync } from 'node:fs'
import type { Guard } from 'ipckit/sync'
import { onTestFinished } from 'vitest'
import { Agent } from '../helpers/agent.ts'
import { newName } from '../helpers/names.ts'

/** The promise of the documentation is 250 ms; a machine that is busy with other things may take this long. */
export const boundMs = 2000

/** A new name, of which whatever is there in the end is removed. */
export function name(): string {
  const fresh = newName()
  onTestFinished(() => rmSync(fileOf(fresh), { recursive: true, force: true }))
  return fresh
}

export function fileOf(fresh: string): string {
  return `/dev/shm/ipckit.${fresh.slice(1)}`
}

/** To be closed when the test ends. */
export function keep<O extends { close(): Promise<void> }>(object: O): O {
  onTestFinished(() => object.close())
  return object
}

/** What an object of another process can be asked for. */
export class Remote {
  readonly agent: Agent
  readonly #number: number

  private constructor(agent: Agent, number: number) {
    this.agent = agent
    this.#number = number
  }

  /** Opens an object in a process of its own: `type` is the name of its class. */
  static async open(type: string, fresh: string, ...args: unknown[]): Promise<Remote> {
    return Remote.in(await Agent.start(), type, fresh, ...args)
  }

  static async in(agent: Agent, type: string, fresh: string, ...args: unknown[]): Promise<Remote> {
    return new Remote(agent, await agent.open(`sync.${type}`, 'open', fresh, ...args))
  }

  get pid(): number {
    return this.agent.pid
  }

  call(method: string, ...args: unknown[]): Promise<unknown> {
    return this.agent.call(this.#number, method, ...args)
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.agent.kill(signal)
  }
}

/** How long something took, in milliseconds; fails when it took longer than the hard bound. */
export async function soon<R>(what: Promise<R>): Promise<R> {
  const begin = performance.now()
  const result = await what
  const took = performance.now() - begin
  if (took > boundMs) throw new Error(`it took ${Math.round(took)} ms`)
  return result
}

/** Whether a lock can be acquired now, which it is not afterwards. */
export function isFree(lock: { tryAcquire(): Guard | undefined }): boolean {
  const guard = lock.tryAcquire()
  guard?.release()
  return guard !== undefined
}

/** What a failure says of itself. */
export async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call()
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).name
  }
  return 'ok'
}
