/** The objects of ipckit/sync as a kind of objects: locks, semaphores that know their holders, and the others. */
import { statSync } from 'node:fs'
import { list, type SyncFacts, type SyncParticipant, stat, unlink } from '../sync/index.js'
import type { ObjectFacts, ObjectKind } from './kinds.js'
import { type Column, count, visible } from './output.js'
import { whose } from './owner.js'

/** What is known of such an object; null is what is not known. */
export interface SyncObjectFacts extends ObjectFacts {
  object: 'sync'
  kind: 'shm'
  /** `Lock`, `Semaphore` and so on. */
  type: string
  /** In words: `held`, `3 of 4`, `set`. */
  state: string
  /** The process that holds it and keeps others out, and since when. */
  holder: number | null
  heldSince: string | null
  /** How many wait, in all processes. */
  waiters: number
  /** Its last holder died, and nobody has been told yet. */
  ownerDied: boolean
  sizeBytes: number
  /** How many have it open, this command left out. */
  participantCount: number
}

const columns: Column[] = [
  { head: 'ADDRESS' },
  { head: 'KIND' },
  { head: 'STATE' },
  { head: 'HOLDER', align: 'right' },
  { head: 'SINCE' },
  { head: 'WAITING', align: 'right' },
  { head: 'OWNER' },
  { head: 'MODE' },
  { head: 'OPEN BY', align: 'right' },
]

export const syncKind: ObjectKind<SyncObjectFacts> = {
  noun: 'sync',
  family: 'shm',
  listing: {
    columns,
    async list() {
      return list().flatMap((entry) => factsOf(entry.address, entry) ?? [])
    },
    row,
  },
  async stat(address) {
    const { participants, holder, ...state } = stat(nameOf(address))
    const facts = {
      ...state,
      holderPid: holder?.pid,
      heldSince: holder?.since,
      participantCount: participants.length,
    }
    return {
      ...factsOf(address, facts),
      depth: state.depth,
      value: state.value,
      limit: state.limit,
      bytes: state.bytes === 0 ? null : state.bytes,
      maxParticipants: state.maxParticipants,
      created: state.created.toISOString(),
      removed: state.unlinked,
      recoveries: state.recoveries,
      participants: participants.map(describe),
    }
  },
  async remove(address) {
    unlink(nameOf(address))
    return address
  },
}

/** Whether the address is one of these: queues in shared memory have the same addresses. */
export function isSync(address: string): boolean {
  return address.startsWith('shm:') && list().some((entry) => entry.address === address)
}

function nameOf(address: string): string {
  return address.slice('shm:'.length)
}

/** Undefined when it has gone since. */
function factsOf(address: string, facts: SyncFacts): SyncObjectFacts | undefined {
  const file = statSync(`/dev/shm/ipckit.${nameOf(address).slice(1)}`, { throwIfNoEntry: false })
  if (file === undefined) return undefined
  return {
    object: 'sync',
    address,
    kind: 'shm',
    type: facts.kind,
    state: stateOf(facts),
    holder: facts.holderPid ?? null,
    heldSince: facts.heldSince?.toISOString() ?? null,
    waiters: facts.waiters,
    ownerDied: facts.ownerDied,
    sizeBytes: facts.sizeBytes,
    ...whose({ uid: file.uid, gid: file.gid, mode: file.mode & 0o777 }),
    participantCount: facts.participantCount,
  }
}

function stateOf({ kind, holderPid, value, limit, broken, type, ownerDied }: SyncFacts): string {
  switch (kind) {
    case 'Semaphore':
    case 'BoundedSemaphore':
      return `${value} of ${limit}`
    case 'Event':
      return value === 1 ? 'set' : 'clear'
    case 'Barrier':
      return broken ? 'broken' : `${value} of ${limit}`
    default: {
      const held = holderPid !== undefined ? 'held' : ownerDied ? 'holder died' : 'free'
      if (kind === 'RWLock' && value > 0) return `${value} read`
      return kind === 'Value' ? `${type}, ${held}` : held
    }
  }
}

function describe({ pid, name, holds, waiting, alive, since }: SyncParticipant) {
  return { pid, name, holds, waiting, alive, since: since.toISOString() }
}

function row(facts: SyncObjectFacts): string[] {
  const { address, type, state, holder, heldSince, waiters, owner, mode, participantCount } = facts
  return [
    visible(address),
    type,
    visible(state),
    holder === null ? '-' : String(holder),
    heldSince ?? '-',
    count(waiters),
    owner,
    mode,
    count(participantCount),
  ]
}
