/** Types of System V messages as priorities; docs/transports.md has the rule. */
import type { Message } from '../sysv/index.js'

/** A message of priority p has the type 32768 - p; higher types are of programs that know nothing of this. */
const base = 32_768

/** A message with its priority. */
export interface PrioritisedMessage extends Message {
  readonly priority: number
}

export function withPriority({ type, data }: Message): PrioritisedMessage {
  return { data, type, priority: Math.max(0, base - type) }
}

/** The order in which they are received: by type, and of one type by age, as sorting is stable. */
export function byPriority(one: Message, other: Message): number {
  return one.type - other.type
}
