/** What the message queues of both kernels say alike of messages that are none. */
import { MessageQueue as PosixQueue } from 'ipckit/posix'
import { MessageQueue as SysvQueue } from 'ipckit/sysv'
import { expect, test } from 'vitest'
import { newName } from '../helpers/names.ts'

test.each([
  ['ipckit/posix', () => PosixQueue.create(newName())],
  ['ipckit/sysv', () => SysvQueue.create('private')],
] as const)('sendMany of %s refuses what holds no messages, and sends nothing', async (_, create) => {
  const queue = create()
  try {
    for (const bad of [null, undefined, 5]) {
      await expect(queue.sendMany(bad as never)).rejects.toThrow(
        new TypeError(`Expected an iterable such as an array for \`messages\`, received ${bad}`),
      )
    }
    for (const bad of [null, undefined, 5]) {
      await expect(queue.sendMany([{ data: Buffer.alloc(5) }, bad as never])).rejects.toThrow(
        new TypeError(`Expected an object with data for \`messages[1]\`, received ${bad}`),
      )
    }
    expect(queue.stat().depth).toBe(0)
  } finally {
    queue.unlink()
    await queue.close()
  }
})
