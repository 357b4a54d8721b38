/** Queues for the tests of `ipckit/posix`, which are removed after each of them. */
import { type CreateOptions, MessageQueue, type OpenOptions, unlink } from 'ipckit/posix'
import { afterEach } from 'vitest'
import { newName } from '../helpers/names.ts'

/** All queues of a user may take 819,200 bytes together, and other programs of the user have some. */
const small = { capacity: 4, maxMessageBytes: 64 }

export class Queues {
  readonly #opened: MessageQueue[] = []
  readonly #names = new Set<string>()

  constructor() {
    afterEach(() => this.clear())
  }

  /** A new name, of which the queue is removed in the end, whoever makes it. */
  name(): string {
    const name = newName()
    this.#names.add(name)
    return name
  }

  /** A new queue, of four messages of 64 bytes unless said otherwise. */
  create(options?: CreateOptions, name = this.name()): MessageQueue {
    return this.keep(MessageQueue.create(name, { ...small, ...options }))
  }

  open(name: string, options?: OpenOptions): MessageQueue {
    return this.keep(MessageQueue.open(name, options))
  }

  /** Another handle on the same queue. */
  again(queue: MessageQueue, options?: OpenOptions): MessageQueue {
    return this.open(nameOf(queue), options)
  }

  /** To be closed too. */
  keep(queue: MessageQueue): MessageQueue {
    this.#opened.push(queue)
    this.#names.add(nameOf(queue))
    return queue
  }

  async clear(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((queue) => queue.close()))
    for (const name of this.#names) {
      this.#names.delete(name)
      try {
        unlink(name)
      } catch {
        // Removed by the test, or never made.
      }
    }
  }
}

export function nameOf(queue: MessageQueue): string {
  return queue.address.slice('posix:'.length)
}

/** Sends until there is no more room. */
export function fill(queue: MessageQueue): number {
  let count = 0
  while (queue.trySend(pattern(8, count))) count++
  return count
}

/** Bytes that tell their place and a number. */
export function pattern(length: number, number = 0): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 131 + (at >> 8) + number) & 0xff))
}
