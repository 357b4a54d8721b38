/** Lists named POSIX semaphores: glibc keeps each as the file `sem.NAME` in /dev/shm. */
import { closeSync, constants, lstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { endianness } from 'node:os'

const folder = '/dev/shm'
const prefix = 'sem.'
/** sizeof(sem_t) on 64-bit machines. */
const semaphoreBytes = 32

/** A semaphore as its file shows it. */
export interface PosixSemaphoreEntry {
  /** With its slash, as sem_open(3) takes it. */
  readonly name: string
  readonly address: string
  /** Absent when this user may not read it. */
  readonly value?: number
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/** Lists the named semaphores in this process's /dev/shm, sorted by name; what is no semaphore is left out. */
export function listSemaphores(): PosixSemaphoreEntry[] {
  let files: string[]
  try {
    files = readdirSync(folder)
  } catch (error) {
    // Without the folder there are none.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  return files
    .filter((file) => file.startsWith(prefix) && file.length > prefix.length)
    .sort()
    .map(readEntry)
    .filter((entry) => entry !== undefined)
}

/** Undefined when it was removed since the folder was read, or was no semaphore. */
function readEntry(file: string): PosixSemaphoreEntry | undefined {
  const path = `${folder}/${file}`
  const found = lstatSync(path, { throwIfNoEntry: false })
  // sem_open(3) makes files of this size and nothing else. Looked at first: a pipe would block who opens it.
  if (found === undefined || !found.isFile() || found.size !== semaphoreBytes) return undefined
  const name = `/${file.slice(prefix.length)}`
  const { uid, gid, mode } = found
  return { name, address: `posix:${name}`, uid, gid, mode: mode & 0o777, ...readValue(path) }
}

function readValue(path: string): { value: number } | undefined {
  const bytes = Buffer.alloc(8)
  try {
    // Someone may have put a pipe or a link in its place since.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
    try {
      readSync(file, bytes)
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
  return { value: endianness() === 'LE' ? bytes.readUInt32LE(0) : bytes.readUInt32BE(4) }
}
