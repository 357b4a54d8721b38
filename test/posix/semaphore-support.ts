/** Named semaphores for the tests of `ipckit/posix`, which are removed after each of them. */
import { readFileSync, rmSync } from 'node:fs'
import { type CreateSemaphoreOptions, type OpenSemaphoreOptions, Semaphore } from 'ipckit/posix'
import { afterEach } from 'vitest'
import { newName } from '../helpers/names.ts'

export class Semaphores {
  readonly #opened: Semaphore[] = []
  readonly #names = new Set<string>()

  constructor() {
    afterEach(() => this.clear())
  }

  /** A new name, of which everything is removed in the end, whoever makes it. */
  name(): string {
    const name = newName()
    this.#names.add(name)
    return name
  }

  create(options?: CreateSemaphoreOptions, name = this.name()): Semaphore {
    return this.keep(Semaphore.create(name, options))
  }

  open(name: string, options?: OpenSemaphoreOptions): Semaphore {
    return this.keep(Semaphore.open(name, options))
  }

  /** Another handle on the same semaphore. */
  again(semaphore: Semaphore): Semaphore {
    return this.open(nameOf(semaphore))
  }

  /** To be closed too. */
  keep(semaphore: Semaphore): Semaphore {
    this.#opened.push(semaphore)
    return semaphore
  }

  async clear(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((semaphore) => semaphore.close()))
    for (const name of this.#names) rmSync(fileOf(name), { recursive: true, force: true })
    this.#names.clear()
  }
}

export function nameOf({ address }: Semaphore): string {
  return address.slice('posix:'.length)
}

/** Where glibc keeps it. */
export function fileOf(name: string): string {
  return `/dev/shm/sem.${name.slice(1)}`
}

/** How many wait for it, in all processes: glibc counts them beside the value. */
export function waitersOf(name: string): number {
  return readFileSync(fileOf(name)).readUInt32LE(4)
}
