/** The trials of {@link Probes} on the real system. What they make is removed at once. */
import { existsSync, lstatSync, readdirSync, statfsSync } from 'node:fs'
import { IpcError } from '../../index.js'
import * as posix from '../../posix/index.js'
import { capabilities } from '../../shm/index.js'
import * as sysv from '../../sysv/index.js'
import { addressOfQueueFile, filesOfSharedMemory } from '../memory-kinds.js'
import { userName } from '../owner.js'
import { posixQueues, sysvQueues } from '../queues.js'
import type { PosixTrial, Probes, SharedFile, SysvTrial } from './facts.js'

/** Tries it out. */
export const systemProbes: Probes = {
  posixQueues,
  sysvQueues,
  makePosix,
  makeSysv,
  sharedMemory,
  futexWaitv: () => capabilities().futexWaitv,
}

async function makePosix(mount: string | undefined): Promise<PosixTrial> {
  const name = `/ipckit-doctor-${process.pid}-${Math.random().toString(36).slice(2)}`
  try {
    const queue = posix.MessageQueue.create(name, { capacity: 1, maxMessageBytes: 1 })
    const shown = mount === undefined ? undefined : existsSync(`${mount}${name}`)
    posix.unlink(name)
    await queue.close()
    return shown === undefined ? {} : { shown }
  } catch (error) {
    return { error: codeOf(error) }
  }
}

async function makeSysv(): Promise<SysvTrial> {
  let queue: sysv.MessageQueue
  try {
    queue = sysv.MessageQueue.create('private')
  } catch (error) {
    return { error: codeOf(error) }
  }
  try {
    queue.peek()
    return { peek: true }
  } catch (error) {
    return codeOf(error) === 'ERR_IPC_UNSUPPORTED' ? { peek: false } : {}
  } finally {
    queue.unlink()
    await queue.close()
  }
}

function sharedMemory(): { total: number; free: number; files: SharedFile[] } | undefined {
  try {
    const { blocks, bavail, bsize } = statfsSync('/dev/shm')
    return { total: blocks * bsize, free: bavail * bsize, files: sharedFiles() }
  } catch {
    return undefined
  }
}

function sharedFiles(): SharedFile[] {
  const queues = new Set(filesOfSharedMemory().queues.map(({ name }) => name))
  return readdirSync('/dev/shm').flatMap((file): SharedFile | [] => {
    const name = `/${file}`
    const status = lstatSync(`/dev/shm${name}`, { throwIfNoEntry: false })
    if (!status?.isFile()) return []
    const facts = { owner: userName(status.uid), bytes: status.blocks * blockBytes }
    if (queues.has(name)) return { object: 'queue', address: addressOfQueueFile(name), ...facts }
    return file.startsWith('sem.')
      ? { object: 'semaphore', address: `posix:/${file.slice('sem.'.length)}`, ...facts }
      : { object: 'memory', address: `posix:${name}`, ...facts }
  })
}

/** In which stat(2) counts, whatever the file system does. */
const blockBytes = 512

function codeOf(error: unknown): string {
  return IpcError.is(error) ? error.code : String(error)
}
