/** Limits of System V shared memory, shmctl(2). What /dev/shm has room for is told in `checks.ts`. */
import { byUse, type Check } from './check.js'
import type { Facts } from './facts.js'
import { raiseSysctl } from './remedies.js'

const group = 'Shared memory'

/** Everything about System V segments; nothing where the kernel has none. */
export function segmentChecks(facts: Facts): Check[] {
  const { 'kernel.shmmni': most, 'kernel.shmmax': largest, 'kernel.shmall': pages } = facts.sysctls
  const { count, bytes } = facts.segments
  return [
    most === undefined
      ? undefined
      : {
          group,
          name: 'kernel.shmmni',
          value: most,
          unit: 'segments',
          used: count,
          verdict: byUse(count, most),
          raise: raiseSysctl('kernel.shmmni', most * 2, facts),
        },
    largest === undefined
      ? undefined
      : {
          group,
          name: 'kernel.shmmax',
          value: unlessUnlimited(largest),
          unit: 'bytes',
          verdict: 'ok' as const,
          remark: 'the largest System V segment',
          ...(isLimit(largest) && { raise: raiseSysctl('kernel.shmmax', largest * 2, facts) }),
        },
    pages === undefined
      ? undefined
      : {
          group,
          name: 'kernel.shmall',
          value: unlessUnlimited(pages),
          unit: 'pages',
          used: Math.ceil(bytes / pageBytes),
          verdict: byUse(Math.ceil(bytes / pageBytes), pages),
          remark: 'all System V segments together',
          ...(isLimit(pages) && { raise: raiseSysctl('kernel.shmall', pages * 2, facts) }),
        },
  ].filter((check) => check !== undefined)
}

/** The kernel counts in pages; of other sizes the share of use is that much less, never more. */
const pageBytes = 4096

/** The default is so large that it says "no limit". */
const isLimit = (value: number) => value <= Number.MAX_SAFE_INTEGER

function unlessUnlimited(value: number): number {
  return isLimit(value) ? value : Number.POSITIVE_INFINITY
}
