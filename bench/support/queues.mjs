// The measured queues: one of each kind, with the limits that a container has by default.
import { randomInt } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Queue, raw } from 'ipckit'

export const schemes = ['posix', 'sysv']

/** Default limits: ten messages of 8 KiB in a POSIX queue, 16 KiB in a System V queue, 64 KiB in a FIFO, 1024 messages in shared memory. */
const limits = { posix: { capacity: 10, maxMessageBytes: 8192 }, sysv: {}, fifo: {}, shm: {} }

const addressOf = {
  posix: (name) => `posix:/ipckit-bench-${name}`,
  sysv: (name) => `sysv:0x${name}`,
  shm: (name) => `shm:/ipckit-bench-${name}`,
  fifo: (name) => `fifo:${join(tmpdir(), `ipckit-bench-${name}`)}`,
}

/** Makes a queue under a new name; `options` beside or instead of the default limits. */
export function makeQueue(scheme, options = {}) {
  const name = randomInt(0x1000_0000, 0x7fff_ffff).toString(16)
  return Queue.create(addressOf[scheme](name), {
    codec: raw(),
    ...limits[scheme],
    ...options,
  })
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
