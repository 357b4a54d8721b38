/** Lists the System V semaphore sets of this IPC namespace, from /proc/sysvipc/sem, which every user may read. */
import { listObjects } from './proc.js'

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
  // Columns: key semid perms nsems uid gid cuid cgid otime ctime.
  return listObjects('sem', (column) => ({
    size: column(3),
    uid: column(4),
    gid: column(5),
    lastOperationTime: column(8) === 0 ? undefined : new Date(column(8) * 1000),
  }))
}
