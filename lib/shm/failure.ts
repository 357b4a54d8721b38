/**
 * What the queue in shared memory reports, as errors: the codes of `include/ipckit/queue.h` and the errnos of the
 * system, with the sentence that says what to do.
 */
import { errnoOf, IpcError, type IpckitErrorCode, ShutdownError, systemError } from '../errors.js'

/** Why a queue was not opened: what was found in it. */
export interface Refusal {
  errno: number
  syscall: string
  /** The type that the queue carries. */
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
} as const

/** What a failed call was about. */
export interface ShmFailure {
  /** Negative: of the ring, or of the system. */
  errno: number
  /** The system call, or the function of the C library. */
  syscall: string
  action: string
  resource: string
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
      why: 'a living process holds a lock of the queue and does not go on; is it stopped? stat().participants has its pid',
    },
  ],
  [
    ring.forked,
    { code: 'ERR_IPC_UNSUPPORTED', why: 'the handle belongs to the parent process; open the queue again' },
  ],
  [
    ring.participants,
    {
      code: 'ERR_IPC_PARTICIPANTS',
      why: 'as many handles are open as the queue allows; close some, or make it with a larger `participants`',
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
])

/** The error of a failed call. */
export function shmError({ errno, action, resource, syscall, advice }: ShmFailure): IpcError {
  const details = { resource, errno, syscall }
  if (errno === ring.shutdown) {
    return new ShutdownError(`Cannot ${action} ${resource}: the queue was shut down`, {
      ...details,
      code: 'ERR_IPC_SHUTDOWN',
    })
  }
  const own = codes.get(errno)
  if (own !== undefined) {
    return new IpcError(`Cannot ${action} ${resource}: ${advice ?? own.why}`, { ...details, code: own.code })
  }
  return systemError({ errno, syscall, resource, action, advice: advice ?? adviceOf(errno) })
}

function adviceOf(errno: number): string | undefined {
  switch (-errno) {
    case errnoOf.EIDRM:
      return 'the queue was removed (unlinked), and nobody else can find it any more; open it again'
    case errnoOf.EINTR:
      return 'a signal that this process handles came while the thread was blocked'
    case errnoOf.EAGAIN:
      return 'no thread can be made to wait; see ulimit -u and the pids limit of the container'
    default:
      return undefined
  }
}

/** The error of an opener. */
export function openError(resource: string, creating: boolean, wanted: string, why: Refusal): IpcError {
  const action = creating ? 'create' : 'open'
  const details = { resource, errno: why.errno, syscall: 'open' }
  const refuse = (sentence: string, code: IpckitErrorCode = 'ERR_IPC_REFUSED') =>
    new IpcError(`Cannot ${action} ${resource}: ${sentence}`, { ...details, code })
  switch (why.errno) {
    case ring.type:
      return refuse(
        `the queue carries ${why.type}, and this end was to carry ${wanted}; open it with the codec of its other users`,
        'ERR_IPC_TYPE',
      )
    case ring.version:
      return refuse(`it was made by a version of ipckit with another layout (${why.version >>> 16})`)
    case ring.byteOrder:
      return refuse('it was made on a machine of the other byte order')
    case ring.notAQueue:
      return refuse('there is a file of that name in /dev/shm, and it is no queue of ipckit')
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
      return refuse(`its file has ${why.size} bytes, which is not what the queue in it needs`)
  }
  return shmError({
    errno: why.errno,
    action,
    resource,
    syscall: 'open',
    advice: openAdvice(why.errno, creating),
  })
}

function openAdvice(errno: number, creating: boolean): string | undefined {
  switch (-errno) {
    case errnoOf.ENOENT:
      return creating
        ? '/dev/shm is not there; mount it with: mount -t tmpfs none /dev/shm'
        : 'there is no such queue; create it first, or use openOrCreate'
    case errnoOf.EEXIST:
      return 'there is a queue of that name already; open it, or unlink it first'
    case errnoOf.EACCES:
      return 'the mode of the queue does not allow it to this user; queues are made with 0o600 unless told otherwise'
    case errnoOf.ENOSPC:
      return '/dev/shm has no room for it (df /dev/shm; docker run --shm-size); ask for less with `capacity` and `capacityBytes`'
    case errnoOf.EPERM:
      return 'programs that run with more rights than their caller (set-user-ID) may not open queues'
    case errnoOf.EINVAL:
      return 'the sizes do not go together: capacityBytes must hold the largest message, and be no more than 64 GiB (1 TiB where messages may be above 16 KiB)'
    default:
      return undefined
  }
}
