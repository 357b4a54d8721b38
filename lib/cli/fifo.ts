/** What the command does differently with FIFOs, whose messages last as long as somebody has them open. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Queue } from '../index.js'
import type { FifoQueueStat } from '../pipe/index.js'
import { CommandError, exitCodes } from './failure.js'
import { interruptible } from './interrupt.js'

/** Whether an address is one of a FIFO. */
export function isFifo(address: string): boolean {
  return address.startsWith('fifo:')
}

/** Refuses to peek: what is in a FIFO goes with the last who has it open, and that may be the one who peeks. */
export function refuseToPeek(address: string): void {
  if (!isFifo(address)) return
  throw new CommandError(
    `Cannot peek into ${address}: use recv, which takes messages, or tail, which follows how many there are`,
    exitCodes.usage,
  )
}

const lookEveryMs = 10

/** Waits until others have the messages, or have the FIFO open, which keeps them. */
export async function untilKept(queue: Queue<unknown>, timeoutMs: number | undefined): Promise<void> {
  const end = timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs
  const isKept = () => {
    const { depth, shared } = queue.stat() as FifoQueueStat
    return shared || depth === 0
  }
  await interruptible(async (signal) => {
    while (!isKept()) {
      if (performance.now() >= end) {
        throw new CommandError(
          `Nobody has taken what was sent to ${queue.address}, and it is gone with this command: start a receiver first`,
          exitCodes.nothing,
        )
      }
      await sleep(lookEveryMs)
      signal.throwIfAborted()
    }
  })
}
