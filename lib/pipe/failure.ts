/** What failed system calls on pipes and FIFOs mean, and what to do about them. */
import { readFileSync } from 'node:fs'
import { errnoOf, type IpcError, type SystemFailure, systemError } from '../errors.js'

/** The value of a setting of pipe(7), where /proc is mounted. */
export function pipeSetting(name: 'pipe-max-size' | 'pipe-user-pages-soft'): string {
  try {
    return readFileSync(`/proc/sys/fs/${name}`, 'utf8').trim()
  } catch {
    return 'unknown'
  }
}

const tooManyDescriptors =
  'this process has too many descriptors open; close some, or raise the limit with: ulimit -n'
const interrupted = 'a signal that this process handles came while the thread was blocked'

/** Turns what the addon threw into the error that callers see. */
export function pipeError(error: unknown, action: string, resource: string): IpcError {
  const { errno, syscall } = error as SystemFailure
  return failure(errno, syscall, action, resource)
}

export function failure(errno: number, syscall: string, action: string, resource: string): IpcError {
  return systemError({ errno, syscall, action, resource, advice: advise(Math.abs(errno), syscall) })
}

function advise(errno: number, syscall: string): string | undefined {
  switch (errno) {
    case errnoOf.ENOENT:
      return 'there is no such FIFO; create it first, or use openOrCreate'
    case errnoOf.EEXIST:
      return 'there is something of that name already; open it, or unlink it first'
    case errnoOf.EACCES:
      return "the FIFO's mode, or the folder's, does not allow this user that access"
    case errnoOf.ELOOP:
      return 'a symbolic link stands there, and might lead anywhere; name the FIFO itself'
    case errnoOf.ENOTSUP:
      return 'what stands there is no FIFO; use another path, or remove it'
    case errnoOf.EPERM:
      return syscall === 'open'
        ? "the FIFO belongs to somebody who is neither this user nor root, and may have been put there on purpose; if it is the right one, say whose it may be with `owner: uid` or `owner: 'any'`"
        : `the pipe cannot be made so large: fs.pipe-max-size is ${pipeSetting('pipe-max-size')} bytes, and the pipes of one user together may have ${pipeSetting('pipe-user-pages-soft')} pages (fs.pipe-user-pages-soft); ask for less, or raise the limit with: sysctl -w fs.pipe-max-size=4194304`
    case errnoOf.EBUSY:
      return 'what is in the pipe does not fit into so little; read it first'
    case errnoOf.ENXIO:
      return 'nobody has the FIFO open for reading'
    case errnoOf.EPIPE:
      return 'nobody has the pipe open for reading any more; what was not read is lost'
    case errnoOf.EMFILE:
      return tooManyDescriptors
    case errnoOf.ENFILE:
      return 'the machine has too many descriptors open; see fs.file-max'
    case errnoOf.EIDRM:
      return 'the FIFO was removed (unlink), and nobody else can find it any more; open it again'
    case errnoOf.EINTR:
      return interrupted
    case errnoOf.EAGAIN:
      if (syscall === 'open') return 'what stands there is replaced all the time'
      return 'somebody else is reading from it, and has not finished; is a process stopped (SIGSTOP)?'
    case errnoOf.EIO:
      return 'a program writes into the FIFO without the lock of docs/layout.md; the message was torn, and readers skip it'
    default:
      return undefined
  }
}
