/** Queues in shared memory as a kind of objects. They know what they carry, and who has them open. */
import type { Participant, ShmQueueStat } from '../index.js'
import type { SharedMemoryEntry } from '../posix/index.js'
import { unlink } from '../shm/index.js'
import { CommandError, exitCodes } from './failure.js'
import type { ObjectFacts, ObjectKind } from './kinds.js'
import { closeAfter, ifPossible } from './look.js'
import { addressOfQueueFile, filesOfSharedMemory } from './memory-kinds.js'
import { type Column, count, visible } from './output.js'
import { whose } from './owner.js'
import { openToLook } from './shm-open.js'

/** What is known of a queue in shared memory; null is what is not known. */
export interface ShmQueueFacts extends ObjectFacts {
  object: 'queue'
  kind: 'shm'
  /** The name of the codec; empty when it was made for any. */
  type: string | null
  state: string | null
  /** Messages in the queue. */
  depth: number | null
  capacity: number | null
  /** Messages that somebody holds on lease. */
  inFlight: number | null
  /** Bytes that fit, and of these the free ones, in whole blocks; messages of up to 80 bytes take none. */
  maxBytes: number | null
  freeBytes: number | null
  maxMessageBytes: number | null
  /** Bytes of /dev/shm that it takes. */
  sizeBytes: number
  /** How many have it open, this command left out. */
  participantCount: number | null
}

const columns: Column[] = [
  { head: 'ADDRESS' },
  { head: 'TYPE' },
  { head: 'MESSAGES', align: 'right' },
  { head: 'IN FLIGHT', align: 'right' },
  { head: 'FREE BYTES', align: 'right' },
  { head: 'LIMIT', align: 'right' },
  { head: 'OWNER' },
  { head: 'MODE' },
  { head: 'OPEN BY', align: 'right' },
]

export const shmQueueKind: ObjectKind<ShmQueueFacts> = {
  noun: 'queue',
  family: 'shm',
  listing: { columns, list: shmQueues, row },
  async stat(address) {
    return closeAfter(await openToLook(address), (queue) => {
      const state = queue.stat()
      const file = filesOfSharedMemory().queues.find(({ name }) => addressOfQueueFile(name) === address)
      if (file === undefined) throw new CommandError(`${address} was removed`, exitCodes.notFound)
      const { participants, totals, deadLetters, delayed, joinable, priorities, maxDeliveries } = state
      return {
        ...factsOf(address, file, state),
        delayed,
        deadLetters,
        priorities,
        joinable,
        maxDeliveries: maxDeliveries ?? null,
        maxParticipants: state.maxParticipants,
        created: state.created.toISOString(),
        removed: state.unlinked,
        totals,
        participants: participants.filter(({ self }) => !self).map(describe),
      }
    })
  },
  async remove(address) {
    unlink(address.slice('shm:'.length))
    return address
  },
}

async function shmQueues(): Promise<ShmQueueFacts[]> {
  const found: ShmQueueFacts[] = []
  // One after the other: each look maps all of a queue.
  for (const file of filesOfSharedMemory().queues) {
    const address = addressOfQueueFile(file.name)
    found.push(factsOf(address, file, await stateOf(address)))
  }
  return found
}

async function stateOf(address: string): Promise<ShmQueueStat | undefined> {
  return ifPossible(async () => closeAfter(await openToLook(address), (queue) => queue.stat()))
}

function factsOf(
  address: string,
  file: Omit<SharedMemoryEntry, 'name'>,
  state: ShmQueueStat | undefined,
): ShmQueueFacts {
  return {
    object: 'queue',
    address,
    kind: 'shm',
    type: state?.type ?? null,
    state: state?.state ?? null,
    depth: state?.depth ?? null,
    capacity: state?.capacity ?? null,
    inFlight: state?.inFlight ?? null,
    maxBytes: state?.maxBytes ?? null,
    freeBytes: state?.freeBytes ?? null,
    maxMessageBytes: state?.maxMessageBytes ?? null,
    sizeBytes: file.sizeBytes,
    ...whose(file),
    participantCount: state?.participants.filter(({ self, alive }) => !self && alive).length ?? null,
  }
}

function describe({ pid, name, producer, consumer, leases, since, alive }: Participant) {
  const role = producer ? (consumer ? 'both' : 'producer') : consumer ? 'consumer' : 'none'
  return { pid, name, role, leases, alive, since: since.toISOString() }
}

function row(queue: ShmQueueFacts): string[] {
  const { address, type, depth, inFlight, freeBytes, capacity, maxMessageBytes, owner, mode } = queue
  return [
    visible(address),
    type === null ? '-' : visible(type === '' ? 'any' : type),
    count(depth),
    count(inFlight),
    count(freeBytes),
    capacity === null ? '-' : `${count(capacity)} x ${count(maxMessageBytes)}`,
    owner,
    mode,
    count(queue.participantCount),
  ]
}
