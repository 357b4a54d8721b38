/** FIFOs as a kind of objects. They are files, so there is no list of them. */
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { parseAddress, Queue, raw } from '../index.js'
import { Fifo, type FifoQueueStat } from '../pipe/index.js'
import type { ObjectKind } from './kinds.js'
import { closeAfter } from './look.js'
import { whose } from './owner.js'

export const fifoKind: ObjectKind = {
  noun: 'queue',
  family: 'fifo',
  stat: fifoStat,
  async remove(address) {
    await closeAfter(fifoOf(address), (fifo) => fifo.unlink())
    return address
  },
}

/** What is known of a FIFO. What is in it is known while somebody has it open. */
export async function fifoStat(address: string) {
  const file = await closeAfter(fifoOf(address), (fifo) => fifo.stat())
  const openBy = holdersOf(file.path)
  // What is in a FIFO is there while somebody has it open, who then waits for nobody.
  const pipe = openBy.length > 0 ? await lookInto(address) : undefined
  return {
    object: 'queue',
    address,
    kind: 'fifo',
    depth: pipe?.depth ?? null,
    bytes: pipe?.bytes ?? null,
    maxBytes: pipe?.maxBytes ?? null,
    maxMessageBytes: pipe?.maxMessageBytes ?? null,
    ...whose(file),
    openBy,
  }
}

/** Names it and does not open it: that would let go whoever waits in open(2) for the other end. */
function fifoOf(address: string): Fifo {
  return Fifo.open(parseAddress(address).name as string, { access: 'write', owner: 'any' })
}

async function lookInto(address: string): Promise<FifoQueueStat> {
  const queue = await Queue.open(address as `fifo:${string}`, { codec: raw(), owner: 'any' })
  return closeAfter(queue, () => queue.stat() as FifoQueueStat)
}

/** The pids of those who have it open, as far as this user may see: proc_pid_fd(5). */
function holdersOf(path: string): number[] {
  const { dev, ino } = statSync(path)
  const name = basename(path)
  const isIt = (link: string) => {
    // Another mount namespace may know it by another folder, and not by another name.
    if (basename(attempt(() => readlinkSync(link)) ?? '') !== name) return false
    const found = attempt(() => statSync(link))
    return found?.dev === dev && found.ino === ino
  }
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))
  const holders = pids.filter((pid) => {
    const links = attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? []
    return links.some((link) => isIt(`/proc/${pid}/fd/${link}`))
  })
  return holders.map(Number)
}

/** Processes and descriptors go while one looks, and others may not be looked at. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
