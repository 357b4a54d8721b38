/** Lists the System V semaphore sets of this IPC namespace, from /proc/sysvipc/sem, which every user may read. */
import { readFileSync } from 'node:fs'
import { formatKey, privateKey } from './key.js'

/** A set as the kernel lists it. */
export interface SemaphoreSetEntry {
  readonly id: number
  /** 0 for a private set. */
  readonly key: number
  /** `sysv:0x00001234`, or `sysv:id=5` for a private set. */
  readonly address: string
  /** How many semaphores it has. */
  readonly size: number
  readonly uid: number
  readonly gid: number
  readonly mode: number
  /** Undefined when nothing was done with it yet. */
  readonly lastOperationTime: Date | undefined
}

/** Lists all sets of this IPC namespace, sorted by id. */
export function listSemaphoreSets(): SemaphoreSetEntry[] {
  const [, ...lines] = readFileSync('/proc/sysvipc/sem', 'utf8').trimEnd().split('\n')
  return lines.map(readLine).sort((one, other) => one.id - other.id)
}

/** Columns: key semid perms nsems uid gid cuid cgid otime ctime. */
function readLine(line: string): SemaphoreSetEntry {
  const fields = line.trim().split(/\s+/)
  const number = (at: number) => Number(fields[at])
  const key = number(0) >>> 0
  const id = number(1)
  return {
    id,
    key,
    address: key === privateKey ? `sysv:id=${id}` : `sysv:${formatKey(key)}`,
    size: number(3),
    uid: number(4),
    gid: number(5),
    mode: Number.parseInt(fields[2] as string, 8) & 0o777,
    lastOperationTime: number(8) === 0 ? undefined : new Date(number(8) * 1000),
  }
}
