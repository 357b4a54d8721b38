/** Queues for the tests of `ipckit/sysv`, which are removed after each of them. */
import { type CreateOptions, MessageQueue, type QueueName } from 'ipckit/sysv'
import { afterEach } from 'vitest'
import { newKey } from '../helpers/names.ts'

export class Queues {
  readonly #opened: MessageQueue[] = []
  readonly #ids = new Set<number>()

  constructor() {
    afterEach(() => this.clear())
  }

  /** A new queue, by default a private one. */
  create(options?: CreateOptions, name: QueueName = 'private'): MessageQueue {
    return this.keep(MessageQueue.create(name, options))
  }

  open(name: QueueName): MessageQueue {
    return this.keep(MessageQueue.open(name))
  }

  /** Another handle on the same queue. */
  again(queue: MessageQueue): MessageQueue {
    return this.open({ id: queue.stat().id })
  }

  /** To be closed and removed too. */
  keep(queue: MessageQueue): MessageQueue {
    this.#opened.push(queue)
    this.#ids.add(queue.stat().id)
    return queue
  }

  async clear(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((queue) => queue.close()))
    for (const id of this.#ids) {
      this.#ids.delete(id)
      try {
        const queue = MessageQueue.open({ id })
        queue.unlink()
        await queue.close()
      } catch {
        // Removed by the test.
      }
    }
  }
}

export { newKey }

/** Bytes that tell their place and a number. */
export function pattern(length: number, number = 0): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 131 + (at >> 8) + number) & 0xff))
}
