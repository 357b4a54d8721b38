/** What the doctor says of one queue. */
import { IpcError, Queue, type QueueStat, raw } from '../../index.js'
import { userName } from '../owner.js'
import { isPosix, octal } from '../queues.js'
import { byUse, type Check } from './check.js'

const accesses = { read: 'receive', write: 'send' } as const

/** Opens a queue in each way, and looks how full it is. */
export async function queueChecks(address: string): Promise<Check[]> {
  const checks: Check[] = []
  const states: QueueStat[] = []
  for (const [access, what] of Object.entries(accesses)) {
    const outcome = await tryOpen(address, isPosix(address) ? { access } : {})
    if ('depth' in outcome) states.push(outcome)
    else checks.push(refusal(address, isPosix(address) ? `may ${what}` : 'may be used', outcome))
    // A System V queue is opened without saying what for.
    if (!isPosix(address) || outcomeIsMissing(outcome)) break
  }
  const [state] = states
  return state === undefined ? checks : [...stateChecks(address, state), ...checks]
}

async function tryOpen(address: string, options: object): Promise<QueueStat | IpcError> {
  try {
    const queue = await Queue.open(address, { codec: raw(), ...options })
    try {
      return queue.stat()
    } finally {
      await queue.close()
    }
  } catch (error) {
    if (IpcError.is(error)) return error
    throw error
  }
}

function outcomeIsMissing(outcome: QueueStat | IpcError): boolean {
  return IpcError.is(outcome) && outcome.code === 'ENOENT'
}

function refusal(group: string, name: string, { code, message }: IpcError): Check {
  return {
    group,
    name: code === 'ENOENT' ? 'exists' : name,
    value: `no (${code})`,
    verdict: 'bad',
    remark: message,
  }
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
