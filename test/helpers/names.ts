/** Names that nobody else has: random, with the pid of who made them. */
import { randomBytes, randomInt } from 'node:crypto'

/** A name of a POSIX queue. */
export function newName(): string {
  return `/ipckit-test-${process.pid}-${randomBytes(6).toString('hex')}`
}

/** A key of a System V queue. Keys have no room for a pid. */
export function newKey(): number {
  return randomInt(0x1000_0000, 0xffff_ffff)
}
