/** All System V segments of this IPC namespace: their list, their limits, and what they take. */
import { native } from '../binding.js'
import { listObjects } from './proc.js'

/** A segment as the kernel lists it. */
export interface SegmentEntry {
  readonly id: number
  /** 0 for a private segment, and for one that was removed while it is attached. */
  readonly key: number
  /** `sysv:0x00001234`, or `sysv:id=5` for a private segment. */
  readonly address: string
  readonly sizeBytes: number
  readonly uid: number
  readonly gid: number
  readonly mode: number
  /** Pid of who made it, 0 when that is not visible from here. */
  readonly creator: number
  /** Pid of who attached or detached last. */
  readonly lastUser: number
  /** How often it is attached, in all processes. */
  readonly attached: number
}

/** Limits of System V shared memory. */
export interface MemoryLimits {
  /** Largest segment, bytes: kernel.shmmax; Infinity when it is beyond 2^53. */
  readonly segmentBytes: number
  /** All segments together, bytes: kernel.shmall; Infinity likewise. */
  readonly totalBytes: number
  /** Segments in this namespace: kernel.shmmni. */
  readonly segments: number
}

/** What all segments take. */
export interface MemoryUsage {
  readonly segments: number
  /** As they were asked for, in whole pages. */
  readonly bytes: number
  /** Of these in memory now: pages come with their first use. */
  readonly residentBytes: number
  readonly swappedBytes: number
}

export function listSegments(): SegmentEntry[] {
  // Columns: key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime rss swap.
  return listObjects('shm', (column) => ({
    sizeBytes: column(3),
    uid: column(7),
    gid: column(8),
    creator: column(4),
    lastUser: column(5),
    attached: column(6),
  }))
}

/** [segmentBytes, pages, segments, usedSegments, usedPages, residentPages, swappedPages, pageBytes] */
function read(): number[] {
  const out = new Float64Array(8)
  native.segmentLimits(out)
  return Array.from(out)
}

const finite = (value: number) => (value > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : value)

export function memoryLimits(): MemoryLimits {
  const [segmentBytes = 0, pages = 0, segments = 0, , , , , pageBytes = 0] = read()
  return { segmentBytes: finite(segmentBytes), totalBytes: finite(pages * pageBytes), segments }
}

export function memoryUsage(): MemoryUsage {
  const [, , , segments = 0, used = 0, resident = 0, swapped = 0, pageBytes = 0] = read()
  return {
    segments,
    bytes: used * pageBytes,
    residentBytes: resident * pageBytes,
    swappedBytes: swapped * pageBytes,
  }
}
