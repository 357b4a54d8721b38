/**
 * The kinds of objects that `ls`, `stat` and `rm` know: a row for each. A kind of another mechanism plugs in here and
 * nowhere else.
 */
import type { Command } from 'commander'
import { checkAddress } from './arguments.js'
import { CommandError, exitCodes } from './failure.js'
import type { Column } from './output.js'
import { posixQueueKind, sysvQueueKind } from './queue-kinds.js'
import { isPosix } from './queues.js'
import { posixSemaphoreKind, sysvSemaphoreKind } from './semaphore-kinds.js'

/** What is known of an object; null is what is not known. */
export interface ObjectFacts {
  /** What it is: the noun of its kind. */
  object: string
  kind: 'posix' | 'sysv'
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
  readonly noun: string
  readonly family: 'posix' | 'sysv'
  /** Kinds of one noun have the same columns, and stand in one table. */
  readonly columns: readonly Column[]
  /** @throws `Error` when they cannot be listed here. */
  list(): Promise<F[]>
  /** The cells of an object, one for each column. */
  row(facts: F): string[]
  /** Everything that is known of one object. */
  stat(address: string): Promise<object>
  /** Removes it for everyone, and returns its address. */
  remove(address: string): Promise<string>
}

/** Every kind, in the order of the listing. */
export const objectKinds: readonly ObjectKind[] = [
  posixQueueKind as ObjectKind,
  sysvQueueKind as ObjectKind,
  posixSemaphoreKind as ObjectKind,
  sysvSemaphoreKind as ObjectKind,
]

/** The words for what there is, without repeats. */
export const nouns: readonly string[] = [...new Set(objectKinds.map(({ noun }) => noun))]

/** Adds an option for each noun. An address does not tell: a queue and a semaphore may have the same. */
export function withNouns(command: Command, what: (noun: string) => string): Command {
  for (const noun of nouns) command.option(`--${noun}`, what(noun))
  return command
}

/** The nouns that were asked for. */
export function askedNouns(options: Record<string, unknown>): string[] {
  return nouns.filter((noun) => options[noun] === true)
}

/** The kind of an address; a queue unless something else was asked for. */
export function kindOf(address: string, options: Record<string, unknown>): ObjectKind {
  checkAddress(address)
  const [noun = nouns[0], other] = askedNouns(options)
  if (other !== undefined)
    throw new CommandError(`Expected --${noun} or --${other}, not both`, exitCodes.usage)
  const family = isPosix(address) ? 'posix' : 'sysv'
  return objectKinds.find((kind) => kind.noun === noun && kind.family === family) as ObjectKind
}
