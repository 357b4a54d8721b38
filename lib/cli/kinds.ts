/**
 * The kinds of objects that `ls`, `stat` and `rm` know: a row for each. A kind of another mechanism plugs in here and
 * nowhere else.
 */
import type { Command } from 'commander'
import { checkAddress } from './arguments.js'
import { CommandError, exitCodes } from './failure.js'
import { fifoKind } from './fifo-kind.js'
import { posixMemoryKind, sysvMemoryKind } from './memory-kinds.js'
import type { Column } from './output.js'
import { posixQueueKind, sysvQueueKind } from './queue-kinds.js'
import { posixSemaphoreKind, sysvSemaphoreKind } from './semaphore-kinds.js'
import { shmQueueKind } from './shm-queues.js'
import { isSync, syncKind } from './sync-kinds.js'

/** The beginning of an address. */
export type Family = 'posix' | 'sysv' | 'shm' | 'fifo'

/** The families as people call them. */
export const families: Record<Family, string> = {
  posix: 'POSIX',
  sysv: 'System V',
  shm: 'shm:',
  fifo: 'FIFO',
}

/** What is known of an object; null is what is not known. */
export interface ObjectFacts {
  /** What it is: the noun of its kind. */
  object: string
  kind: Family
  address: string
  owner: string
  uid: number
  gid: number
  /** As chmod(1) has it: `0600`. */
  mode: string
}

/** How the command deals with one kind of objects. */
export interface ObjectKind<F extends ObjectFacts = ObjectFacts> {
  /** One word, which is also the option that asks for it: `semaphore`. */
  readonly noun: keyof typeof plurals
  readonly family: Family
  /** Absent where there is no list of them: FIFOs lie anywhere. */
  readonly listing?: Listing<F>
  /** Everything that is known of one object. */
  stat(address: string): Promise<object>
  /** Removes it for everyone, and returns its address. */
  remove(address: string): Promise<string>
}

/** How the objects of a kind are listed. */
export interface Listing<F extends ObjectFacts = ObjectFacts> {
  /** Kinds that share this array stand in one table. */
  readonly columns: readonly Column[]
  /** @throws `Error` when they cannot be listed here. */
  list(): Promise<F[]>
  /** The cells of an object, one for each column. */
  row(facts: F): string[]
}

/** The words for what there is, and for several of them. */
export const plurals = {
  queue: 'queues',
  semaphore: 'semaphores',
  memory: 'shared memory',
  /** Of `ipckit/sync`. */
  sync: 'locks and friends',
} as const

export type Noun = keyof typeof plurals
const nouns = Object.keys(plurals) as Noun[]

/** Every kind, in the order of the listing. */
export const objectKinds: readonly ObjectKind[] = [
  posixQueueKind as ObjectKind,
  sysvQueueKind as ObjectKind,
  shmQueueKind as ObjectKind,
  posixSemaphoreKind as ObjectKind,
  sysvSemaphoreKind as ObjectKind,
  posixMemoryKind as ObjectKind,
  sysvMemoryKind as ObjectKind,
  syncKind as ObjectKind,
  fifoKind,
]

/**
 * Adds an option for each noun. An address does not tell: a queue, a semaphore and a memory may have the same. Only those
 * of shm: are of one space, and what lies there tells.
 */
export function withNouns(command: Command, what: (noun: Noun) => string): Command {
  for (const noun of nouns) command.option(`--${noun}`, what(noun))
  return command
}

/** The nouns that were asked for. */
export function askedNouns(options: Record<string, unknown>): Noun[] {
  return nouns.filter((noun) => options[noun] === true)
}

/** The kind of an address; a queue unless something else was asked for. */
export function kindOf(address: string, options: Record<string, unknown>): ObjectKind {
  checkAddress(address)
  const [noun = isSync(address) ? 'sync' : 'queue', other] = askedNouns(options)
  if (other !== undefined)
    throw new CommandError(`Expected --${noun} or --${other}, not both`, exitCodes.usage)
  const family = familyOf(address)
  const kind = objectKinds.find((each) => each.noun === noun && each.family === family)
  if (kind !== undefined) return kind
  const expected = noun === 'sync' ? 'shm:' : 'posix: or sysv:'
  throw new CommandError(
    `Expected a ${expected} address with --${noun}, received ${address}`,
    exitCodes.usage,
  )
}

/** System V unless it says otherwise; what is no address is refused by whoever opens it. */
function familyOf(address: string): Family {
  const scheme = address.slice(0, Math.max(address.indexOf(':'), 0))
  return Object.hasOwn(families, scheme) ? (scheme as Family) : 'sysv'
}
