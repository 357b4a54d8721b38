/** Queues for the tests of `ipckit/sysv`, which are removed after each of them. */
import { execFileSync } from 'node:child_process'
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

/** Sends a message with a type that need not be a number of JavaScript, as another language does. */
export function sendFromPython(id: number, type: bigint, text: string): void {
  const program = `import ctypes, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
text = sys.argv[3].encode()
message = ctypes.create_string_buffer(struct.pack('@l', int(sys.argv[2])) + text)
sys.exit(libc.msgsnd(int(sys.argv[1]), message, ctypes.c_size_t(len(text)), 0))`
  execFileSync(process.env.PYTHON ?? 'python3', ['-c', program, String(id), String(type), text])
}
