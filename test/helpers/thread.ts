/** A program of test/fixtures in a worker thread, which the test listens to and sees end. */
import { Worker } from 'node:worker_threads'
import type { Owner } from './kernels.ts'
import { fixture } from './program.ts'

export class Thread {
  readonly #worker: Worker
  readonly #lines: string[] = []
  #listener: (() => void) | undefined
  #over = false
  /** Resolves when it has ended: its exit code, what it threw, and what it said that nobody listened to. */
  readonly ended: Promise<{ code: number; error: unknown; rest: string[] }>

  constructor(owner: Owner, name: string, workerData: unknown) {
    const worker = new Worker(fixture(name), { workerData })
    this.#worker = worker
    let error: unknown
    worker.on('error', (reason) => {
      error = reason
    })
    worker.on('message', (line: string) => {
      this.#lines.push(line)
      this.#listener?.()
    })
    this.ended = new Promise((resolve) => {
      worker.once('exit', (code) => {
        this.#over = true
        resolve({ code, error, rest: this.#lines })
        this.#listener?.()
      })
    })
    owner.onTestFinished(async () => {
      await worker.terminate()
    })
  }

  /** The next line that it says; rejects when it ends without. */
  async says(): Promise<string> {
    while (this.#lines.length === 0) {
      if (this.#over) {
        const { code, error } = await this.ended
        throw new Error(`the thread ended (${code}) and said nothing more: ${error}`)
      }
      await new Promise<void>((resolve) => {
        this.#listener = resolve
      })
    }
    return this.#lines.shift() as string
  }

  /** Asks it to end; {@link ended} tells when it has. */
  terminate(): void {
    void this.#worker.terminate()
  }
}
