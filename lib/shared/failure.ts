/**
 * What the library behind queues and locks in shared memory reports, as errors: the codes of `include/ipckit/error.h`
 * and the errnos of the system, with the sentence that says what to do.
 */
import {
  BrokenBarrierError,
  errnoOf,
  IpcError,
  type IpckitErrorCode,
  NotHeldError,
  ShutdownError,
  systemError,
} from '../errors.js'

/** What an object in shared memory is, by IPCKIT_KIND_* of the C header. */
export const kindNames = [
  'queue',
  'Lock',
  'RLock',
  'RWLock',
  'Semaphore',
  'BoundedSemaphore',
  'Condition',
  'Event',
  'Barrier',
  'Value',
] as const

export type KindName = (typeof kindNames)[number]
/** What sentences call it. */
export type Noun = KindName | 'object'

/** Why an object was not opened: what was found in it. */
export interface Refusal {
  errno: number
  syscall: string
  /** IPCKIT_KIND_* of what has that name. */
  kind: number
  /** The type that it carries. */
  type: string
  version: number
  owner: number
  mode: number
  links: number
  size: number
}

/** IPCKIT_E_* of the C header. */
export const ring = {
  corrupt: -10_001,
  type: -10_002,
  version: -10_003,
  byteOrder: -10_004,
  notAQueue: -10_005,
  notRegular: -10_006,
  owner: -10_007,
  mode: -10_008,
  links: -10_009,
  size: -10_010,
  stale: -10_011,
  shutdown: -10_012,
  held: -10_013,
  forked: -10_014,
  participants: -10_015,
  prefetch: -10_016,
  tasks: -10_017,
  kind: -10_018,
  notHeld: -10_019,
  broken: -10_020,
  bound: -10_021,
  waiters: -10_022,
} as const

/** What a failed call was about. */
export interface RingFailure {
  /** Negative: of the ring, or of the system. */
  errno: number
  /** The system call, or the function of the C library. */
  syscall: string
  action: string
  resource: string
  /** What it is; a queue unless given. */
  kind?: Noun | undefined
  advice?: string | undefined
}

const codes = new Map<number, { code: IpckitErrorCode; why: string }>([
  [
    ring.corrupt,
    {
      code: 'ERR_IPC_CORRUPT',
      why: 'its bytes make no sense: it was damaged, truncated or written over by another program; remove it and make it anew',
    },
  ],
  [
    ring.stale,
    { code: 'ERR_IPC_STALE', why: 'this delivery is over, and the message may be with someone else' },
  ],
  [
    ring.held,
    {
      code: 'ERR_IPC_HELD',
      why: 'a living process is in the middle of a call and does not go on; is it stopped? stat().participants has its pid',
    },
  ],
  [
    ring.forked,
    {
      code: 'ERR_IPC_UNSUPPORTED',
      why: 'the handle belongs to the parent process; open it again by its name',
    },
  ],
  [
    ring.participants,
    {
      code: 'ERR_IPC_PARTICIPANTS',
      why: 'as many handles are open as it allows; close some, or make it with a larger `participants`',
    },
  ],
  [
    ring.prefetch,
    {
      code: 'ERR_IPC_PREFETCH',
      why: 'this handle holds as many leases as its `prefetch` allows; settle some first',
    },
  ],
  [ring.tasks, { code: 'ERR_IPC_TASKS', why: 'taskDone was called more often than values were got' }],
  [
    ring.waiters,
    {
      code: 'ERR_IPC_WAITERS',
      why: 'as many wait for it as it has room for, 1024 unless it was made with less',
    },
  ],
  [
    ring.bound,
    {
      code: 'ERR_IPC_BOUND',
      why: 'its value would be above the one that it was made with; was a permit released twice?',
    },
  ],
])

/** The error of a failed call. */
export function ringError({ errno, action, resource, syscall, kind, advice }: RingFailure): IpcError {
  const details = { resource, errno, syscall }
  if (errno === ring.shutdown) {
    return new ShutdownError(`Cannot ${action} ${resource}: the queue was shut down`, {
      ...details,
      code: 'ERR_IPC_SHUTDOWN',
    })
  }
  if (errno === ring.notHeld) return notHeldError(resource, action, advice)
  if (errno === ring.broken) return brokenError(resource, action, advice)
  const own = codes.get(errno)
  if (own !== undefined) {
    return new IpcError(`Cannot ${action} ${resource}: ${advice ?? own.why}`, { ...details, code: own.code })
  }
  return systemError({ errno, syscall, resource, action, advice: advice ?? adviceOf(errno, kind) })
}

/** The error of a release of what the handle does not hold. */
export function notHeldError(
  resource: string,
  action: string,
  advice = 'this handle does not hold it; who does is told by stat()',
): NotHeldError {
  return new NotHeldError(`Cannot ${action} ${resource}: ${advice}`, { code: 'ERR_IPC_NOT_HELD', resource })
}

function brokenError(
  resource: string,
  action: string,
  advice = 'the barrier is broken: one of its parties died, gave up waiting, or called abort(); make it whole with reset()',
): BrokenBarrierError {
  return new BrokenBarrierError(`Cannot ${action} ${resource}: ${advice}`, {
    code: 'ERR_IPC_BROKEN',
    resource,
  })
}

function adviceOf(errno: number, kind: Noun = 'queue'): string | undefined {
  switch (-errno) {
    case errnoOf.EIDRM:
      return `the ${kind} was removed (unlinked), and nobody else can find it any more; open it again`
    case errnoOf.EINTR:
      return 'a signal that this process handles came while the thread was blocked'
    case errnoOf.EAGAIN:
      return 'no thread can be made to wait; see ulimit -u and the pids limit of the container'
    default:
      return undefined
  }
}

/** What was to be opened. */
export interface Wanted {
  resource: string
  kind: Noun
  creating: boolean
  /** The type that this end carries. */
  type: string
}

/** The error of an opener. */
export function openError({ resource, kind, creating, type }: Wanted, why: Refusal): IpcError {
  const action = creating ? 'create' : 'open'
  const details = { resource, errno: why.errno, syscall: 'open' }
  const refuse = (sentence: string, code: IpckitErrorCode = 'ERR_IPC_REFUSED') =>
    new IpcError(`Cannot ${action} ${resource}: ${sentence}`, { ...details, code })
  switch (why.errno) {
    case ring.kind:
      return refuse(
        `what has that name is a ${kindNames[why.kind] ?? 'thing of another version'}, and it was to be a ${kind}; use another name, or remove it first`,
        'ERR_IPC_KIND',
      )
    case ring.type:
      return refuse(
        kind === 'queue'
          ? `the queue carries ${why.type}, and this end was to carry ${type}; open it with the codec of its other users`
          : `it holds ${why.type}, and here it was to be ${type}; open it with the type of its other users`,
        'ERR_IPC_TYPE',
      )
    case ring.version:
      return refuse(`it was made by a version of ipckit with another layout (${why.version >>> 16})`)
    case ring.byteOrder:
      return refuse('it was made on a machine of the other byte order')
    case ring.notAQueue:
      return refuse(`there is a file of that name in /dev/shm, and it is no ${kind} of ipckit`)
    case ring.notRegular:
      return refuse('what has that name in /dev/shm is no regular file, but a directory, a link or a FIFO')
    case ring.owner:
      return refuse(
        `it belongs to user ${why.owner}, who could write anything into it; if you trust that user, open it with anyOwner: true`,
      )
    case ring.mode:
      return refuse(
        `everyone may write to it (mode 0o${why.mode.toString(8)}); take that right away (chmod o-w), or open it with anyMode: true`,
      )
    case ring.links:
      return refuse(`its file has ${why.links} names, and one of them may be another user's`)
    case ring.size:
      return refuse(`its file has ${why.size} bytes, which is not what the ${kind} in it needs`)
  }
  return ringError({
    errno: why.errno,
    action,
    resource,
    kind,
    syscall: 'open',
    advice: openAdvice(why.errno, kind, creating),
  })
}

function openAdvice(errno: number, kind: Noun, creating: boolean): string | undefined {
  switch (-errno) {
    case errnoOf.ENOENT:
      return creating
        ? '/dev/shm is not there; mount it with: mount -t tmpfs none /dev/shm'
        : `there is no such ${kind}; create it first, or use openOrCreate`
    case errnoOf.EEXIST:
      return kind === 'queue'
        ? 'there is a queue of that name already; open it, or unlink it first'
        : 'there is something of that name already; open it, or unlink it first'
    case errnoOf.EACCES:
      return `the mode of the ${kind} does not allow it to this user; they are made with 0o600 unless told otherwise`
    case errnoOf.ENOSPC:
      return kind === 'queue'
        ? '/dev/shm has no room for it (df /dev/shm; docker run --shm-size); ask for less with `capacity` and `capacityBytes`'
        : '/dev/shm has no room for it (df /dev/shm; docker run --shm-size)'
    case errnoOf.EPERM:
      return 'programs that run with more rights than their caller (set-user-ID) may not open it'
    case errnoOf.EINVAL:
      return kind === 'queue'
        ? 'the sizes do not go together: capacityBytes must hold the largest message, and be no more than 64 GiB (1 TiB where messages may be above 16 KiB)'
        : undefined
    default:
      return undefined
  }
}
