/** What is known of an object of `ipckit/sync`. */
import { native } from '../binding.js'
import type { SystemFailure } from '../errors.js'
import type { NativeParticipant } from '../native.js'
import { type KindName, kindNames, ringError } from '../shared/failure.js'

/** One look at a lock, a semaphore or another object of `ipckit/sync`. */
export interface SyncStat {
  readonly address: string
  readonly kind: Exclude<KindName, 'queue'>
  /** Who holds it and keeps everybody else out; of a Semaphore, and of readers, see `participants`. */
  readonly holder: Holder | undefined
  /** How often the holder has acquired it. */
  readonly depth: number
  /** How many wait for it, in all processes. */
  readonly waiters: number
  /** The next holder will be told that the last one died. */
  readonly ownerDied: boolean
  /** Free permits of a Semaphore; readers of an RWLock; how many wait in a Barrier; 1 for an Event that is set. */
  readonly value: number
  /** The value that a Semaphore was made with; the parties of a Barrier. */
  readonly limit: number
  /** Of a Barrier. */
  readonly broken: boolean
  /** Of a Value: the name of its type, and its bytes. */
  readonly type: string
  readonly bytes: number
  readonly uid: number
  /** Permission bits, as in `0o600`. */
  readonly mode: number
  /** Its name is gone. */
  readonly unlinked: boolean
  readonly created: Date
  /** Bytes of /dev/shm that it takes. */
  readonly sizeBytes: number
  readonly maxParticipants: number
  /** How often someone had to clear up behind a process that died. */
  readonly recoveries: number
  /** Who has it open. */
  readonly participants: readonly SyncParticipant[]
}

/** Who holds a lock. */
export interface Holder {
  /** As its own PID namespace has it. */
  readonly pid: number
  /** What it calls itself. */
  readonly name: string
  readonly since: Date
  /** False for one that died and was not noticed yet. */
  readonly alive: boolean
}

/** Someone who has the object open. */
export interface SyncParticipant {
  /** As its own PID namespace has it. */
  readonly pid: number
  /** What it calls itself. */
  readonly name: string
  /** How much it holds: 1 of a lock, or its permits. */
  readonly holds: number
  /** It waits, as far as is known. */
  readonly waiting: boolean
  readonly since: Date
  /** False for one that died and was not cleared up behind yet. */
  readonly alive: boolean
  /** It is the handle that asks. */
  readonly self: boolean
}

/** IPCKIT_ROLE_* that says so. */
const waitsRole = 4

/** As `lay_stat` of native/node/sync.cc lays them. */
const numbers = 19

/** What is known of an object without opening it. */
export type SyncFacts = Omit<SyncStat, 'participants' | 'holder'> & {
  /** The pid of the holder. */
  readonly holderPid: number | undefined
  readonly heldSince: Date | undefined
  /** How many have it open. */
  readonly participantCount: number
}

/** Looks at an open object. */
export function statOf(address: string, handle: number): SyncStat {
  try {
    const out = new Float64Array(numbers)
    const { holderPid, heldSince, participantCount, ...facts } = factsOf(
      address,
      native.syncStatus(handle, out),
      out,
    )
    const participants = native.syncParticipants(handle)
    return {
      ...facts,
      holder: holderOf(holderPid, heldSince, participants),
      participants: participants.map(participantOf),
    }
  } catch (error) {
    throw failure(error as SystemFailure, address)
  }
}

/** Looks at what has a name, without opening it. */
export function lookAt(name: string): SyncFacts {
  const address = `shm:${name}`
  try {
    const out = new Float64Array(numbers)
    return factsOf(address, native.syncLook(name, out), out)
  } catch (error) {
    throw failure(error as SystemFailure, address)
  }
}

function failure({ errno, syscall }: SystemFailure, resource: string): Error {
  return ringError({ errno, syscall, action: 'read the state of', resource })
}

function factsOf(address: string, type: string, out: Float64Array): SyncFacts {
  const at = (index: number) => out[index] as number
  const isHeld = at(4) >= 0
  return {
    address,
    kind: (kindNames[at(0)] ?? 'queue') as SyncStat['kind'],
    value: at(1),
    limit: at(2),
    depth: at(3),
    holderPid: isHeld ? at(5) : undefined,
    heldSince: isHeld ? new Date(at(6) / 1e6) : undefined,
    waiters: at(7),
    broken: at(8) === 1,
    ownerDied: at(9) === 1,
    participantCount: at(10),
    maxParticipants: at(11),
    uid: at(12),
    mode: at(13),
    unlinked: at(14) === 1,
    recoveries: at(15),
    created: new Date(at(16) / 1e6),
    sizeBytes: at(17),
    bytes: at(18),
    type,
  }
}

function holderOf(
  pid: number | undefined,
  since: Date | undefined,
  participants: NativeParticipant[],
): Holder | undefined {
  if (pid === undefined || since === undefined) return undefined
  const who = participants.find((each) => each.pid === pid && each.leases > 0)
  return { pid, since, name: who?.name ?? '', alive: who?.alive ?? false }
}

function participantOf({ pid, name, leases, roles, since, alive, self }: NativeParticipant): SyncParticipant {
  const waiting = (roles & waitsRole) !== 0
  return { pid, name, holds: leases, waiting, since: new Date(since / 1e6), alive, self }
}
