/** Shared memory as a kind of objects. It is looked at and never mapped, so looking changes nothing. */
import { accessSync, constants } from 'node:fs'
import { NotFoundError, parseAddress } from '../index.js'
import { SharedMemory as PosixMemory, type SharedMemoryEntry } from '../posix/index.js'
import { list as listShmQueues } from '../shm/index.js'
import { list as listSync } from '../sync/index.js'
import { ftok, type SegmentEntry, SharedMemory as SysvMemory } from '../sysv/index.js'
import type { ObjectFacts, ObjectKind } from './kinds.js'
import { closeAfter } from './look.js'
import { type Column, count, pid, visible } from './output.js'
import { keyText, whose } from './owner.js'

/** What is known of a shared memory. */
export interface MemoryFacts extends ObjectFacts {
  object: 'memory'
  sizeBytes: number
  /** How often it is attached, in all processes: System V. */
  attached: number | null
  /** Pids, 0 when there was none or it is not visible from here: System V. */
  creator: number | null
  lastUser: number | null
}

const columns: Column[] = [
  { head: 'MEMORY' },
  { head: 'BYTES', align: 'right' },
  { head: 'ATTACHED', align: 'right' },
  { head: 'OWNER' },
  { head: 'MODE' },
  { head: 'MADE BY', align: 'right' },
  { head: 'USED BY', align: 'right' },
]

/** What the files of queues in shared memory begin with, behind the slash. */
const queuePrefix = '/ipckit.'

export const posixMemoryKind: ObjectKind<MemoryFacts> = {
  noun: 'memory',
  family: 'posix',
  listing: {
    columns,
    async list() {
      return filesOfSharedMemory().memory.map(posixFacts)
    },
    row,
  },
  async stat(address) {
    const name = address.slice('posix:'.length)
    const entry = filesOrNone().find((each) => each.name === name)
    if (entry !== undefined) return posixFacts(entry)
    // Says why there is none.
    const memory = PosixMemory.open(name, { readonly: true, owner: 'anyone' })
    return posixFacts({ name, ...(await closeAfter(memory, () => memory.stat())) })
  },
  async remove(address) {
    PosixMemory.unlink(address.slice('posix:'.length))
    return address
  },
}

export const sysvMemoryKind: ObjectKind<MemoryFacts> = {
  noun: 'memory',
  family: 'sysv',
  listing: {
    columns,
    async list() {
      return SysvMemory.list().map(sysvFacts)
    },
    row,
  },
  async stat(address) {
    const entry = segmentOf(address)
    const { id, key } = entry
    return { ...sysvFacts(entry), id, key: keyText(key) }
  },
  async remove(address) {
    const { id, address: name } = segmentOf(address)
    SysvMemory.unlink({ id })
    return name
  },
}

/** The files of /dev/shm but semaphores and locks: those of queues, and the rest, which is memory. */
export function filesOfSharedMemory(): { queues: SharedMemoryEntry[]; memory: SharedMemoryEntry[] } {
  const known = new Set(listShmQueues().map(({ name }) => queuePrefix + name.slice(1)))
  const locks = new Set(listSync().map(({ name }) => queuePrefix + name.slice(1)))
  const files = filesOrNone().filter(({ name }) => !locks.has(name))
  // What may not be read is taken for what its name says.
  const isQueue = ({ name }: SharedMemoryEntry) =>
    known.has(name) || (name.startsWith(queuePrefix) && !isReadable(name))
  const queues = files.filter(isQueue)
  return { queues, memory: files.filter((file) => !queues.includes(file)) }
}

/** A machine without /dev/shm has no memory in it. */
function filesOrNone(): SharedMemoryEntry[] {
  try {
    return PosixMemory.list()
  } catch (error) {
    if (error instanceof NotFoundError) return []
    throw error
  }
}

/** The address of the queue that a file of /dev/shm holds. */
export function addressOfQueueFile(name: string): string {
  return `shm:/${name.slice(queuePrefix.length)}`
}

function isReadable(name: string): boolean {
  try {
    accessSync(`/dev/shm${name}`, constants.R_OK)
    return true
  } catch {
    return false
  }
}

/** The segment of an address. */
function segmentOf(address: string): SegmentEntry {
  const { name } = parseAddress(address)
  if (typeof name === 'string') throw new RangeError('Expected an address of a segment that others find')
  const isIt =
    typeof name === 'number'
      ? ({ key }: SegmentEntry) => key === name
      : 'id' in name
        ? ({ id }: SegmentEntry) => id === name.id
        : ({ key }: SegmentEntry) => key === ftok(name.path, name.project)
  const found = SysvMemory.list().find(isIt)
  if (found !== undefined) return found
  // Says that there is none.
  const memory = SysvMemory.open(name, { readonly: true })
  try {
    return { ...memory.stat(), address: memory.address }
  } finally {
    memory.close()
  }
}

function posixFacts(entry: SharedMemoryEntry): MemoryFacts {
  const { name, sizeBytes } = entry
  return {
    object: 'memory',
    address: `posix:${name}`,
    kind: 'posix',
    sizeBytes,
    attached: null,
    ...whose(entry),
    creator: null,
    lastUser: null,
  }
}

function sysvFacts(entry: SegmentEntry): MemoryFacts {
  const { address, sizeBytes, attached, creator, lastUser } = entry
  return {
    object: 'memory',
    address,
    kind: 'sysv',
    sizeBytes,
    attached,
    ...whose(entry),
    creator,
    lastUser,
  }
}

function row({ address, sizeBytes, attached, owner, mode, creator, lastUser }: MemoryFacts): string[] {
  return [visible(address), count(sizeBytes), count(attached), owner, mode, pid(creator), pid(lastUser)]
}
