/** Limits of POSIX queues, mq_overview(7). */
import { maxCapacity, maxMessageBytes } from '../../posix/index.js'
import type { QueueFacts } from '../queues.js'
import { byUse, type Check } from './check.js'
import type { Facts, SysctlName } from './facts.js'
import { mountMqueue, raiseLimit, raiseSysctl } from './remedies.js'

const group = 'POSIX queues'

/** What the kernel counts for a message beside its bytes (ipc/mqueue.c). */
const overheadBytes = 96

/** Everything about POSIX queues. */
export function posixChecks(facts: Facts): Check[] {
  const { sysctls } = facts
  if (sysctls['fs.mqueue.msg_max'] === undefined && facts.posix.trial.error === 'ENOSYS') {
    return [
      { group, name: 'kernel', value: 'none', verdict: 'bad', remark: 'it was built without POSIX queues' },
    ]
  }
  return [
    trialCheck(facts),
    setting(facts, 'fs.mqueue.msg_max', 'messages', 'the deepest queue that can be made', 10, maxCapacity),
    setting(
      facts,
      'fs.mqueue.msgsize_max',
      'bytes',
      'the largest message that a queue can be made for',
      8,
      maxMessageBytes,
    ),
    setting(facts, 'fs.mqueue.msg_default', 'messages', 'the depth of a queue whose maker says nothing'),
    setting(
      facts,
      'fs.mqueue.msgsize_default',
      'bytes',
      'the message size of a queue whose maker says nothing',
    ),
    queuesCheck(facts),
    userBytesCheck(facts),
    mountCheck(facts),
    ...facts.posix.queues.filter(isFull).map(fullCheck),
  ].filter((check) => check !== undefined)
}

function trialCheck({ posix }: Facts): Check {
  const { error } = posix.trial
  return {
    group,
    name: 'a small queue',
    value: error === undefined ? 'can be made' : `cannot be made (${error})`,
    verdict: error === undefined ? 'ok' : 'bad',
    ...(error !== undefined && { remark: reasons[error] ?? 'mq_open(3) tells what this code means' }),
  }
}

const reasons: Record<string, string> = {
  EMFILE: 'RLIMIT_MSGQUEUE or RLIMIT_NOFILE is used up',
  ENOSPC: 'fs.mqueue.queues_max is used up',
  EPERM: 'a security policy such as seccomp forbids it',
  ENOSYS: 'the kernel has no POSIX queues, or a security policy hides them',
}

/** `most` is what the kernel can be set to, whoever asks. */
function setting(
  facts: Facts,
  name: SysctlName,
  unit: string,
  remark: string,
  times = 2,
  most = Number.POSITIVE_INFINITY,
): Check | undefined {
  const value = facts.sysctls[name]
  if (value === undefined) return undefined
  const check = { group, name, value, unit, verdict: 'ok' as const }
  if (value >= most) return { ...check, remark: `${remark}; no kernel allows more` }
  return { ...check, remark, raise: raiseSysctl(name, Math.min(most, value * times), facts) }
}

function queuesCheck(facts: Facts): Check | undefined {
  const name = 'fs.mqueue.queues_max'
  const value = facts.sysctls[name]
  if (value === undefined) return undefined
  const used = facts.posix.error === undefined ? facts.posix.queues.length : null
  return {
    group,
    name,
    value,
    unit: 'queues',
    used,
    verdict: used === null ? 'ok' : byUse(used, value),
    raise: raiseSysctl(name, value * 2, facts),
  }
}

/** What a queue counts against RLIMIT_MSGQUEUE; undefined when its size may not be seen. */
export function accountedBytes({ capacity, maxMessageBytes }: QueueFacts): number | undefined {
  if (capacity === null || maxMessageBytes === null) return undefined
  return capacity * (maxMessageBytes + overheadBytes)
}

const shownUsers = 5

function userBytesCheck(facts: Facts): Check | undefined {
  const limit = facts.limits.msgqueue
  if (limit === undefined) return undefined
  const { soft, hard } = limit
  const by = facts.posix.queues
    .filter(({ uid }) => uid === facts.user.uid)
    .map((queue) => ({ address: queue.address, used: accountedBytes(queue) ?? 0 }))
    .sort((one, other) => other.used - one.used)
  const used = facts.posix.error === undefined ? by.reduce((sum, { used: bytes }) => sum + bytes, 0) : null
  const next = Number.isFinite(soft) ? soft * 10 : soft
  return {
    group,
    name: 'RLIMIT_MSGQUEUE',
    value: soft,
    unit: 'bytes',
    used,
    by: by.slice(0, shownUsers),
    ...judgeUserBytes(facts, soft, used),
    raise: raiseLimit('msgqueue', next, hard, facts),
  }
}

function judgeUserBytes(facts: Facts, soft: number, used: number | null): Pick<Check, 'verdict' | 'remark'> {
  const bytes = (facts.sysctls['fs.mqueue.msgsize_default'] ?? 8192) + overheadBytes
  const queue = bytes * (facts.sysctls['fs.mqueue.msg_default'] ?? 10)
  const exhausted = facts.posix.trial.error === 'EMFILE'
  const room = soft - (used ?? 0)
  if (exhausted && room >= bytes) {
    return {
      verdict: 'bad',
      remark:
        'used up, also by queues that are not seen here: those in other containers of this user count, and those without a name',
    }
  }
  if (exhausted || room < bytes) return { verdict: 'bad', remark: 'used up: no queue can be made' }
  if (used === null) return { verdict: 'ok', remark: 'how much is used cannot be seen' }
  const more = Math.floor(room / queue)
  const remark = Number.isFinite(more)
    ? `room for ${more} more of default size; all queues of this user count, in other containers too`
    : 'unlimited'
  return { verdict: more < 1 ? 'warn' : 'ok', remark }
}

function mountCheck(facts: Facts): Check {
  const { mqueueMount, posix } = facts
  const name = mqueueMount ?? '/dev/mqueue'
  const raise = mountMqueue(facts)
  const listable = posix.error === undefined
  if (mqueueMount === undefined) {
    const remark = listable ? 'not needed by this user' : 'queues work, but cannot be listed'
    return { group, name, value: 'not mounted', verdict: listable ? 'ok' : 'warn', remark, raise }
  }
  if (posix.trial.shown === false) {
    const remark = 'it shows the queues of another IPC namespace'
    return { group, name, value: 'mounted', verdict: 'warn', remark, raise }
  }
  const verdict = listable ? 'ok' : 'warn'
  const remark = posix.error ?? (posix.trial.shown ? 'it shows the queues of this IPC namespace' : undefined)
  return { group, name, value: 'mounted', verdict, ...(remark && { remark }) }
}

function isFull({ depth, capacity }: QueueFacts): boolean {
  return depth !== null && capacity !== null && depth >= capacity
}

function fullCheck({ address, depth, capacity }: QueueFacts): Check {
  const remark = 'full: senders wait until somebody receives'
  return { group, name: address, value: capacity, unit: 'messages', used: depth, verdict: 'warn', remark }
}
