/** Queues between the peers, watched by the test: they hold about ten messages of theirs, and go with the test. */
import { type Codec, Queue, raw } from 'ipckit'
import { onTestFinished } from 'vitest'
import { type Kernel, newAddress } from '../helpers/kernels.ts'

/** Ends a peer that would wait for ever, milliseconds for each message; a test fails before. */
export const patience = ['--timeout-ms', 60_000]

const sizes = {
  posix: { capacity: 10, maxMessageBytes: 8192 },
  // Messages are 24 to 60 bytes long.
  sysv: { maxBytes: 512 },
}

export function newQueue(kernel: Kernel): Promise<Queue<Uint8Array>> {
  return newQueueOf(kernel, raw())
}

/** The same, for a test that speaks to peers itself. */
export async function newQueueOf<T, I>(kernel: Kernel, codec: Codec<T, I>): Promise<Queue<T, Kernel, I>> {
  const queue = await Queue.create(newAddress(kernel) as `${Kernel}:`, { codec, ...sizes[kernel] })
  onTestFinished(async () => {
    await queue.unlink()
    await queue.close()
  })
  return queue
}
