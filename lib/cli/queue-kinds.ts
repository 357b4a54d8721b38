/** Message queues as kinds of objects. */
import { raw } from '../index.js'
import { list, type PosixQueueEntry, type PosixQueueStat, unlink } from '../posix/index.js'
import { type SysvQueueStat, unlink as unlinkSysv } from '../sysv/index.js'
import type { ObjectKind } from './kinds.js'
import { closeAfter } from './look.js'
import { type Column, count, pid, visible } from './output.js'
import { origin } from './owner.js'
import { openToRead, posixFacts, posixQueues, type QueueFacts, sysvFacts, sysvQueues } from './queues.js'
import { addressOf, sysvNameOf } from './sysv-name.js'

const columns: Column[] = [
  { head: 'ADDRESS' },
  { head: 'MESSAGES', align: 'right' },
  { head: 'BYTES', align: 'right' },
  { head: 'LIMIT', align: 'right' },
  { head: 'OWNER' },
  { head: 'MODE' },
  { head: 'SENT BY', align: 'right' },
  { head: 'TAKEN BY', align: 'right' },
  { head: 'NOTIFIES', align: 'right' },
]

export const posixQueueKind: ObjectKind<QueueFacts> = {
  noun: 'queue',
  family: 'posix',
  listing: { columns, list: posixQueues, row },
  async stat(address) {
    const state = (await stateOf(address)) as PosixQueueStat
    const { uid, gid, mode, unlinked } = state
    const entry = entryOf(address) ?? { address, uid, gid, mode }
    return { ...posixFacts(entry, state), removed: unlinked }
  },
  async remove(address) {
    // Without opening it: that would need more permission.
    unlink(address.slice('posix:'.length))
    return address
  },
}

export const sysvQueueKind: ObjectKind<QueueFacts> = {
  noun: 'queue',
  family: 'sysv',
  listing: { columns, list: sysvQueues, row },
  async stat(address) {
    const state = (await stateOf(address)) as SysvQueueStat
    return {
      ...sysvFacts(state, state),
      ...origin(state),
      lastSendTime: state.lastSendTime?.toISOString() ?? null,
      lastReceiveTime: state.lastReceiveTime?.toISOString() ?? null,
      lastChangeTime: state.lastChangeTime.toISOString(),
    }
  },
  async remove(address) {
    // Without opening it, likewise.
    const name = sysvNameOf(address)
    unlinkSysv(name)
    return addressOf(name)
  },
}

async function stateOf(address: string): Promise<unknown> {
  return closeAfter(await openToRead(address, raw(), true), (queue) => queue.stat())
}

/** Bytes and who is notified are only in the listing, which may not be possible here. */
function entryOf(address: string): PosixQueueEntry | undefined {
  try {
    return list().find((entry) => entry.address === address && entry.nameBytes === undefined)
  } catch {
    return undefined
  }
}

function row(queue: QueueFacts): string[] {
  return [
    visible(queue.address),
    count(queue.depth),
    count(queue.bytes),
    limitOf(queue),
    queue.owner,
    queue.mode,
    pid(queue.lastSender),
    pid(queue.lastReceiver),
    pid(queue.notifyPid),
  ]
}

function limitOf({ capacity, maxMessageBytes, maxBytes, kind }: QueueFacts): string {
  if (kind === 'sysv') return count(maxBytes)
  return capacity === null ? '-' : `${count(capacity)} x ${count(maxMessageBytes)}`
}
