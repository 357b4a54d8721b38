/** What the waiters of POSIX queues and FIFOs hear of a removal with: inotify(7). */
import type { Check } from './check.js'
import type { Facts } from './facts.js'
import { raiseOnHost } from './remedies.js'

const group = 'Noticing removals'

const names = {
  'fs.inotify.max_user_instances': 'instances',
  'fs.inotify.max_user_watches': 'watches',
} as const

/** A limit that is used up does no harm, so how much is used is not looked for. */
export function removalChecks(facts: Facts): Check[] {
  return Object.entries(names).flatMap(([each, unit]) => {
    const name = each as keyof typeof names
    const value = facts.sysctls[name]
    if (value === undefined) return []
    const remark =
      unit === 'instances'
        ? 'each thread that waits in a POSIX queue or a FIFO takes one; without it, it looks 4 times a second whether the queue was removed'
        : 'each POSIX queue or FIFO that a thread waits in takes one; without it, it looks 4 times a second likewise'
    return [{ group, name, value, unit, verdict: 'ok', remark, raise: raiseOnHost(name, value * 8, facts) }]
  })
}
