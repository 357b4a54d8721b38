/** Queues for the tests of `ipckit/sysv`, which are removed after each of them. */
import { type CreateOptions, MessageQueue, type QueueName } from 'ipckit/sysv'
import { Opened } from '../helpers/opened.ts'

export class Queues extends Opened<MessageQueue, number> {
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

  protected override keyOf(queue: MessageQueue): number {
    return queue.stat().id
  }

  protected override async remove(id: number): Promise<void> {
    const queue = MessageQueue.open({ id })
    queue.unlink()
    await queue.close()
  }
}
