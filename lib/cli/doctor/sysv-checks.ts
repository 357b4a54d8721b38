/** Limits of System V queues, msgctl(2). */
import type { QueueFacts } from '../queues.js'
import { byUse, type Check } from './check.js'
import type { Facts } from './facts.js'
import { raiseSysctl } from './remedies.js'

const group = 'System V queues'

/** Everything about System V queues. */
export function sysvChecks(facts: Facts): Check[] {
  const { 'kernel.msgmax': message, 'kernel.msgmnb': queue, 'kernel.msgmni': queues } = facts.sysctls
  if (message === undefined && facts.sysv.trial.error === 'ENOSYS') {
    return [
      {
        group,
        name: 'kernel',
        value: 'none',
        verdict: 'bad',
        remark: 'it was built without System V queues',
      },
    ]
  }
  return [
    trialCheck(facts),
    message === undefined
      ? undefined
      : {
          group,
          name: 'kernel.msgmax',
          value: message,
          unit: 'bytes',
          verdict: 'ok' as const,
          remark: 'the largest message, where the queue has room for it',
          raise: raiseSysctl('kernel.msgmax', message * 8, facts),
        },
    queue === undefined
      ? undefined
      : {
          group,
          name: 'kernel.msgmnb',
          value: queue,
          unit: 'bytes',
          ...fullest(facts.sysv.queues),
          remark: 'the size of a queue that is made from now on; those that exist keep theirs',
          raise: raiseSysctl('kernel.msgmnb', queue * 8, facts),
        },
    queues === undefined ? undefined : queuesCheck(facts, queues),
    peekCheck(facts),
    ...facts.sysv.queues.filter(isFull).map(fullCheck),
  ].filter((check) => check !== undefined)
}

function trialCheck({ sysv }: Facts): Check {
  const { error } = sysv.trial
  return {
    group,
    name: 'a queue',
    value: error === undefined ? 'can be made' : `cannot be made (${error})`,
    verdict: error === undefined ? 'ok' : 'bad',
    ...(error === 'ENOSPC' && { remark: 'kernel.msgmni is used up' }),
    ...(error === 'ENOSYS' && {
      remark: 'the kernel has no System V queues, or a security policy hides them',
    }),
  }
}

/** The limit is for each queue: the fullest one tells how it is doing. */
function fullest(queues: readonly QueueFacts[]): Pick<Check, 'verdict' | 'used' | 'by'> {
  const by = queues
    .map(({ address, bytes }) => ({ address, used: bytes ?? 0 }))
    .filter(({ used }) => used > 0)
    .sort((one, other) => other.used - one.used)
    .slice(0, 1)
  // Whether it is full by its own size is said of each queue.
  return { verdict: 'ok', used: by[0]?.used ?? 0, by }
}

function queuesCheck(facts: Facts, limit: number): Check {
  const name = 'kernel.msgmni'
  const used = facts.sysv.error === undefined ? facts.sysv.queues.length : null
  const verdict = used === null ? 'ok' : byUse(used, limit)
  return {
    group,
    name,
    value: limit,
    unit: 'queues',
    used,
    verdict,
    raise: raiseSysctl(name, limit * 2, facts),
  }
}

function peekCheck({ sysv }: Facts): Check {
  const { peek } = sysv.trial
  const remark = 'peek and tail do not work: it needs a kernel with CONFIG_CHECKPOINT_RESTORE'
  const value = peek === undefined ? null : peek ? 'yes' : 'no'
  const isMissing = peek === false
  return { group, name: 'MSG_COPY', value, verdict: isMissing ? 'warn' : 'ok', ...(isMissing && { remark }) }
}

function isFull({ depth, bytes, maxBytes }: QueueFacts): boolean {
  // The kernel counts messages against the same number, so that empty ones fill a queue too.
  return maxBytes !== null && ((bytes ?? 0) >= maxBytes || (depth ?? 0) >= maxBytes)
}

function fullCheck({ address, bytes, maxBytes }: QueueFacts): Check {
  const remark = 'full: senders wait until somebody receives'
  return { group, name: address, value: maxBytes, unit: 'bytes', used: bytes, verdict: 'warn', remark }
}
