/** The trials of {@link Probes} on the real system. What they make is removed at once. */
import { existsSync, statfsSync } from 'node:fs'
import { IpcError } from '../../index.js'
import * as posix from '../../posix/index.js'
import * as sysv from '../../sysv/index.js'
import { posixQueues, sysvQueues } from '../queues.js'
import type { PosixTrial, Probes, SysvTrial } from './facts.js'

/** Tries it out. */
export const systemProbes: Probes = { posixQueues, sysvQueues, makePosix, makeSysv, sharedMemory }

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

function sharedMemory(): { total: number; free: number } | undefined {
  try {
    const { blocks, bavail, bsize } = statfsSync('/dev/shm')
    return { total: blocks * bsize, free: bavail * bsize }
  } catch {
    return undefined
  }
}

function codeOf(error: unknown): string {
  return IpcError.is(error) ? error.code : String(error)
}
