/** Queues for the tests of `ipckit/posix`, which are removed after each of them. */
import { type CreateOptions, MessageQueue, type OpenOptions, unlink } from 'ipckit/posix'
import { newName } from '../helpers/names.ts'
import { Opened } from '../helpers/opened.ts'
import { pattern } from '../helpers/pattern.ts'

/** All queues of a user may take 819,200 bytes together, and other programs of the user have some. */
const small = { capacity: 4, maxMessageBytes: 64 }

export class Queues extends Opened<MessageQueue, string> {
  /** A new name, of which the queue is removed in the end, whoever makes it. */
  name(): string {
    return this.willRemove(newName())
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

  protected override keyOf(queue: MessageQueue): string {
    return nameOf(queue)
  }

  protected override remove(name: string): void {
    unlink(name)
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
