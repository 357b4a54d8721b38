/** Named semaphores for the tests of `ipckit/posix`, which are removed after each of them. */
import { readFileSync, rmSync } from 'node:fs'
import { type CreateSemaphoreOptions, type OpenSemaphoreOptions, Semaphore } from 'ipckit/posix'
import { newName } from '../helpers/names.ts'
import { Opened } from '../helpers/opened.ts'

export class Semaphores extends Opened<Semaphore, string> {
  /** A new name, of which everything is removed in the end, whoever makes it. */
  name(): string {
    return this.willRemove(newName())
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

  protected override keyOf(semaphore: Semaphore): string {
    return nameOf(semaphore)
  }

  protected override remove(name: string): void {
    rmSync(fileOf(name), { recursive: true, force: true })
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
