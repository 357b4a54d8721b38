/** The loop of `for await` over a queue. */
import { ClosedError, ShutdownError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import type { Channel } from '../wait/channel.js'
import { atOnce } from '../wait/fairness.js'
import { checkWait } from '../wait/pending.js'
import { nothing, type Take } from '../wait/receive-line.js'
import type { Selector } from './transport.js'

/** Whether an error says no more than that nothing will come any more. */
export function isEnd(error: unknown): boolean {
  return error instanceof ClosedError || error instanceof ShutdownError
}

/** Takes one message after another for ever; ends when the handle is closed or the queue was shut down. */
export function iterate<R>(
  channel: Channel,
  selector: Selector,
  take: Take<IteratorYieldResult<R>>,
  options: WaitOptions | undefined,
): AsyncIterableIterator<R, undefined> {
  let ended = false
  const waits = new Set<Promise<unknown>>()
  const end: IteratorReturnResult<undefined> = { value: undefined, done: true }
  return {
    next: () => {
      if (ended || channel.closed) return Promise.resolve(end)
      try {
        checkWait(options)
        const ready = channel.receiveNow(selector, take, 1)
        if (ready !== nothing) return atOnce(ready)
        const wait = channel.wait(selector, take, 1, options)
        waits.add(wait)
        return wait.then(
          (result) => {
            waits.delete(wait)
            return result
          },
          (error) => {
            waits.delete(wait)
            if (error === end || isEnd(error)) return end
            throw error
          },
        )
      } catch (error) {
        return isEnd(error) ? Promise.resolve(end) : Promise.reject(error)
      }
    },
    return: () => {
      ended = true
      // What they would take, nobody would see.
      for (const wait of waits) channel.withdraw(wait, end)
      return Promise.resolve(end)
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
