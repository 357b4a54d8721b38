// The measured queues: one of each kernel, with the limits that a container has by default.
import { randomInt } from 'node:crypto'
import { Queue, raw } from 'ipckit'

export const schemes = ['posix', 'sysv']

/** Default limits: ten messages of 8 KiB in a POSIX queue, 16 KiB in a System V queue. */
const limits = { posix: { capacity: 10, maxMessageBytes: 8192 }, sysv: {} }

/** Makes a queue under a new name. */
export function makeQueue(scheme) {
  const name = randomInt(0x1000_0000, 0x7fff_ffff).toString(16)
  const address = scheme === 'posix' ? `posix:/ipckit-bench-${name}` : `sysv:0x${name}`
  return Queue.create(address, { codec: raw(), ...limits[scheme] })
}

/** Throws when messages are left in a queue. */
export function checkEmpty(queue) {
  const { depth } = queue.stat()
  if (depth > 0) throw new Error(`${depth} messages are left in ${queue.address}`)
}

export async function removeQueue(queue) {
  await queue.unlink()
  await queue.close()
}
