/** What the doctor says of one lock, or another object of ipckit/sync. */
import { readFileSync } from 'node:fs'
import { type Holder, type SyncStat, stat } from '../../sync/index.js'
import { octal, userName } from '../owner.js'
import { byUse, type Check } from './check.js'

/** Looks at who holds it, whether he goes on, and what is in the way of others. */
export function syncChecks(group: string): Check[] {
  const state = stat(group.slice('shm:'.length))
  const { kind, participants, maxParticipants, waiters, broken, ownerDied } = state
  const dead = participants.filter(({ alive }) => !alive)
  return [
    { group, name: 'kind', value: kind, verdict: 'ok' },
    { group, name: 'owner and mode', value: `${userName(state.uid)}, ${octal(state.mode)}`, verdict: 'ok' },
    holderCheck(group, state),
    {
      group,
      name: 'participants',
      value: maxParticipants,
      unit: 'handles',
      used: participants.length,
      verdict: byUse(participants.length, maxParticipants),
      remark:
        dead.length === 0
          ? `pids ${participants.map(({ pid }) => pid).join(', ') || 'none'}`
          : `died, and not cleared up behind yet: ${dead.map(({ pid }) => pid).join(', ')}`,
    },
    {
      group,
      name: 'waiting',
      value: waiters,
      verdict: 'ok',
      remark: `pids ${
        participants
          .filter(({ waiting }) => waiting)
          .map(({ pid }) => pid)
          .join(', ') || 'none'
      }`,
    },
    ...(ownerDied
      ? [
          {
            group,
            name: 'last holder',
            value: 'died',
            verdict: 'warn',
            remark: 'the next one will be told',
          } as const,
        ]
      : []),
    ...(broken
      ? [
          {
            group,
            name: 'state',
            value: 'broken',
            verdict: 'warn',
            remark: 'reset() makes it whole',
          } as const,
        ]
      : []),
  ]
}

function holderCheck(group: string, { holder, waiters }: SyncStat): Check {
  if (holder === undefined) return { group, name: 'holder', value: 'nobody', verdict: 'ok' }
  const value = `pid ${holder.pid} (${holder.name}) since ${holder.since.toISOString()}`
  if (!isStopped(holder)) return { group, name: 'holder', value, verdict: 'ok' }
  const remark = `it is stopped, and ${waiters} wait for it: kill -CONT ${holder.pid} lets it go on`
  return { group, name: 'holder', value, verdict: waiters > 0 ? 'bad' : 'warn', remark }
}

/** Whether a process of this PID namespace is stopped by a signal or a debugger: proc(5). */
function isStopped({ pid }: Holder): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return /^[Tt]/.test(text.slice(text.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}
