/** What ends a wait from outside. */
import { constants } from 'node:os'
import { Interrupted } from './failure.js'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs `work` with a signal that is aborted by Ctrl-C, SIGTERM and a terminal that closes. A wait that is ended so
 * has taken no message. A second signal ends the process at once.
 */
export async function interruptible<R>(work: (signal: AbortSignal) => Promise<R>): Promise<R> {
  const ending = new AbortController()
  const onSignal = (name: (typeof signals)[number]) => ending.abort(new Interrupted(constants.signals[name]))
  for (const name of signals) process.once(name, onSignal)
  try {
    return await work(ending.signal)
  } finally {
    for (const name of signals) process.off(name, onSignal)
  }
}
