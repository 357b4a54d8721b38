/** What the doctor says of one queue. */
import { IpcError, type Participant, Queue, type QueueStat, raw, type ShmQueueStat } from '../../index.js'
import type { SysvQueueStat } from '../../sysv/index.js'
import { isFifo } from '../fifo.js'
import { fifoStat } from '../fifo-kind.js'
import { closeAfter } from '../look.js'
import { octal, userName } from '../owner.js'
import { isPosix } from '../queues.js'
import { isShm } from '../shm-open.js'
import { isSync } from '../sync-kinds.js'
import { byUse, type Check } from './check.js'
import { syncChecks } from './sync-checks.js'

const accesses = { read: 'receive', write: 'send' } as const

/** Looks how full a queue is, and what this user may do with it; of a lock, who is in the way. */
export async function queueChecks(address: string): Promise<Check[]> {
  if (isPosix(address)) return posixQueueChecks(address)
  if (isSync(address)) return syncChecks(address)
  if (isShm(address)) return shmQueueChecks(address)
  return isFifo(address) ? fifoChecks(address) : sysvQueueChecks(address)
}

/** Opened as a program opens it, whatever it carries: who may not trust it learns why. */
async function shmQueueChecks(group: string): Promise<Check[]> {
  const outcome = await tryOpen(group, { anyType: true })
  if (IpcError.is(outcome))
    return [refusal(group, outcome.code === 'ENOENT' ? 'exists' : 'may be used', outcome)]
  const state = outcome as ShmQueueStat
  const { type, inFlight, deadLetters, maxParticipants } = state
  const others = state.participants.filter(({ self }) => !self)
  const dead = others.filter(({ alive }) => !alive)
  return [
    ...stateChecks(group, state),
    { group, name: 'type', value: type === '' ? 'any' : type, verdict: 'ok' },
    { group, name: 'state', value: state.state, ...stateVerdicts[state.state] },
    {
      group,
      name: 'participants',
      value: maxParticipants,
      unit: 'handles',
      used: others.length,
      verdict: byUse(others.length, maxParticipants),
      remark:
        dead.length === 0
          ? `pids ${others.map(({ pid }) => pid).join(', ') || 'none'}`
          : `died, and not cleared up behind yet: ${dead.map(({ pid }) => pid).join(', ')}`,
    },
    {
      group,
      name: 'in flight',
      value: inFlight,
      unit: 'messages',
      verdict: 'ok',
      remark: holders(others),
    },
    {
      group,
      name: 'dead letters',
      value: deadLetters,
      unit: 'messages',
      verdict: deadLetters > 0 ? 'warn' : 'ok',
      ...(deadLetters > 0 && { remark: 'given up after too many deliveries: tryGetDeadLetter() takes them' }),
    },
  ]
}

const stateVerdicts: Record<ShmQueueStat['state'], Pick<Check, 'verdict' | 'remark'>> = {
  open: { verdict: 'ok' },
  draining: { verdict: 'warn', remark: 'it was shut down: nothing can be put any more' },
  stopped: { verdict: 'bad', remark: 'it was shut down at once: remove it, and make it anew' },
  corrupt: { verdict: 'bad', remark: 'it was damaged: remove it, and make it anew' },
  unknown: { verdict: 'warn', remark: 'a later version of ipckit may know it' },
}

function holders(participants: readonly Participant[]): string {
  const holding = participants.filter(({ leases }) => leases > 0)
  return holding.map(({ pid, leases }) => `held by ${pid}: ${leases}`).join(', ') || 'held by nobody'
}

/** A FIFO is opened only when somebody has it open: whoever waits for its other end would be let go. */
async function fifoChecks(group: string): Promise<Check[]> {
  try {
    const { depth, bytes, maxBytes, owner, mode, openBy } = await fifoStat(group)
    const room: Check[] =
      bytes === null || maxBytes === null
        ? []
        : [
            {
              group,
              name: 'room',
              value: maxBytes,
              unit: 'bytes',
              used: bytes,
              verdict: byUse(bytes, maxBytes) === 'ok' ? 'ok' : 'warn',
              remark: `messages in it: ${depth}`,
            },
          ]
    const users = openBy.length === 0 ? 'nobody that is seen from here' : `pids ${openBy.join(', ')}`
    return [
      ...room,
      { group, name: 'open by', value: users, verdict: 'ok' },
      { group, name: 'owner and mode', value: `${owner}, ${mode}`, verdict: 'ok' },
    ]
  } catch (error) {
    if (!IpcError.is(error)) throw error
    return [refusal(group, error.code === 'ENOENT' ? 'exists' : 'may be used', error)]
  }
}

/** A POSIX queue is opened for what it is used for. */
async function posixQueueChecks(address: string): Promise<Check[]> {
  const refusals: Check[] = []
  let state: QueueStat | undefined
  for (const [access, what] of Object.entries(accesses)) {
    const outcome = await tryOpen(address, { access })
    if (!IpcError.is(outcome)) state = outcome
    else if (outcome.code === 'ENOENT') return [refusal(address, 'exists', outcome)]
    else refusals.push(refusal(address, `may ${what}`, outcome))
  }
  return state === undefined ? refusals : [...stateChecks(address, state), ...refusals]
}

/** A System V queue is opened without saying what for: its mode tells what will be refused. */
async function sysvQueueChecks(address: string): Promise<Check[]> {
  const outcome = await tryOpen(address, {})
  if (IpcError.is(outcome))
    return [refusal(address, outcome.code === 'ENOENT' ? 'exists' : 'may be used', outcome)]
  const state = outcome as SysvQueueStat
  const bits = permissionsOf(state)
  const wanted = [
    { what: 'receive', bit: 0o4 },
    { what: 'send', bit: 0o2 },
  ]
  const refusals = wanted
    .filter(({ bit }) => (bits & bit) === 0)
    .map(({ what }): Check => {
      const remark = `its mode is ${octal(state.mode)}, and it belongs to ${userName(state.uid)}`
      return { group: address, name: `may ${what}`, value: 'no (EACCES)', verdict: 'bad', remark }
    })
  return [...stateChecks(address, state), ...refusals]
}

/** What the kernel allows this process, as ipcperms() of ipc/util.c decides it. */
function permissionsOf({ mode, uid, creatorUid, gid, creatorGid }: SysvQueueStat): number {
  const user = process.geteuid?.()
  if (user === 0) return 0o7
  if (user === uid || user === creatorUid) return mode >> 6
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])]
  return groups.includes(gid) || groups.includes(creatorGid) ? mode >> 3 : mode
}

async function tryOpen(address: string, options: object): Promise<QueueStat | IpcError> {
  try {
    const queue = await Queue.open(address, { codec: raw(), ...options })
    return await closeAfter(queue, () => queue.stat())
  } catch (error) {
    if (IpcError.is(error)) return error
    throw error
  }
}

function refusal(group: string, name: string, { code, message }: IpcError): Check {
  return { group, name, value: `no (${code})`, verdict: 'bad', remark: message }
}

function stateChecks(group: string, state: QueueStat): Check[] {
  const { depth, capacity, bytes, maxBytes, maxMessageBytes, uid, mode, lastSender, lastReceiver } = state
  const [used, limit, unit] =
    capacity === undefined ? [bytes ?? 0, maxBytes ?? 0, 'bytes'] : [depth, capacity, 'messages']
  const full = used >= limit
  return [
    {
      group,
      name: 'room',
      value: limit,
      unit,
      used,
      verdict: full ? 'warn' : byUse(used, limit),
      remark: full ? 'full: senders wait until somebody receives' : `messages in it: ${depth}`,
    },
    { group, name: 'largest message', value: maxMessageBytes, unit: 'bytes', verdict: 'ok' },
    {
      group,
      name: 'owner and mode',
      value: `${userName(uid ?? 0)}, ${octal(mode ?? 0)}`,
      verdict: 'ok',
    },
    ...(lastSender === undefined
      ? []
      : [
          {
            group,
            name: 'last pids',
            value: `sent by ${lastSender}, taken by ${lastReceiver}`,
            verdict: 'ok' as const,
          },
        ]),
  ]
}
