/** The room of /dev/shm, where POSIX memory and the queues of ipckit lie, and the limits of System V, shmctl(2). */
import { count } from '../output.js'
import { byUse, type Check } from './check.js'
import type { Facts } from './facts.js'
import { growSharedMemory, raiseSysctl } from './remedies.js'

const group = 'Shared memory'
const megabyte = 1024 * 1024
const shownFiles = 5

/** How much room /dev/shm has, and which files take it. */
export function sharedMemoryCheck(facts: Facts): Check {
  const { mounted, total, free, files = [] } = facts.sharedMemory
  const raise = growSharedMemory(Math.max(64, Math.ceil((total ?? 0) / megabyte) * 2), facts)
  if (!mounted || total === undefined || free === undefined) {
    return { group, name: '/dev/shm', value: mounted ? null : 'not mounted', verdict: 'warn', raise }
  }
  const used = total - free
  const by = files
    .filter(({ bytes }) => bytes > 0)
    .sort((one, other) => other.bytes - one.bytes)
    .slice(0, shownFiles)
    .map(({ address, object, owner, bytes }) => ({ address, object, owner, used: bytes }))
  const unseen = used - files.reduce((sum, { bytes }) => sum + bytes, 0)
  const remarks = [
    // A process that has such a file open keeps it.
    unseen >= megabyte &&
      `${count(unseen)} of it in folders, and in files that were removed and are still open`,
    facts.place.kind !== 'host' && 'a container has one of its own unless it is shared',
  ].filter((remark) => remark !== false)
  const remark = remarks.join('; ')
  return {
    group,
    name: '/dev/shm',
    value: total,
    unit: 'bytes',
    used,
    ...(by.length > 0 && { by }),
    verdict: byUse(used, total),
    ...(remark !== '' && { remark }),
    raise,
  }
}

/** Whether one thread can wait at many queues. */
export function futexCheck({ futexWaitv }: Facts): Check {
  return {
    group,
    name: 'futex_waitv',
    value: futexWaitv ? 'yes' : 'no',
    verdict: 'ok',
    remark: futexWaitv
      ? 'one thread waits at 127 shm: queues'
      : 'older than Linux 5.16, or hidden by a sandbox: each shm: queue that waits takes a thread',
  }
}

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
