import { checkInteger } from '../options.js'

/** The highest priority of a message in a POSIX queue: MQ_PRIO_MAX - 1. */
export const maxPriority = 32_767

export function checkPriority(value: unknown): number {
  return checkInteger('priority', value, 0, maxPriority)
}
