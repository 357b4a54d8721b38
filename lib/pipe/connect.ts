/** How sockets are got: a pair, one that was inherited, one that is connected by name. */
import { setTimeout as sleep } from 'node:timers/promises'
import { native } from '../binding.js'
import { errnoOf, type IpcError, type SystemFailure, systemError, timeoutError } from '../errors.js'
import { checkText, outOfRange, type WaitOptions } from '../options.js'
import { checkWait } from '../wait/pending.js'
import { isOwned, Socket } from './socket.js'

/** What sockaddr_un has room for, less the NUL at the end of a path. */
const maxNameBytes = 107

/** While a backlog is full, it is tried again after 1, 2, 4 ms and so on up to this. */
const longestPauseMs = 50

export function checkSocketName(value: unknown): string {
  const name = checkText('path', value)
  const bytes = Buffer.byteLength(name) - (isAbstract(name) ? 1 : 0)
  const expected = `a path of 1 to ${maxNameBytes} bytes without NUL, or a NUL and a name of 1 to ${maxNameBytes - 1} bytes`
  const most = isAbstract(name) ? maxNameBytes - 1 : maxNameBytes
  if (bytes < 1 || bytes > most || name.indexOf('\0', 1) !== -1) throw outOfRange('path', expected, value)
  return name
}

function isAbstract(name: string): boolean {
  return name.startsWith('\0')
}

/** As ss(8) shows it. */
export function addressOf(name: string): string {
  return isAbstract(name) ? `unix:@${name.slice(1)}` : `unix:${name}`
}

/** Two sockets that are connected with each other. */
export function pairOfSockets(duplex: boolean): [Socket, Socket] {
  const ends = new Int32Array(2)
  try {
    native.socketPair(ends)
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    const advice =
      errno === -errnoOf.EMFILE
        ? 'this process has too many descriptors open; close some, or raise the limit with: ulimit -n'
        : undefined
    throw systemError({ errno, syscall, action: 'make', resource: 'a pair of sockets', advice })
  }
  const [first, second] = ends as unknown as [number, number]
  if (!duplex) {
    native.socketShut(first, 1)
    native.socketShut(second, 0)
  }
  return [new Socket(first), new Socket(second)]
}

/** Takes over a descriptor. */
export function adoptSocket(fd: number): Socket {
  // Two that close one descriptor would, the second time, close somebody else's.
  if (isOwned(fd)) throw adoptingError(errnoOf.EBUSY, 'fcntl', fd)
  try {
    return new Socket(native.socketAdopt(fd))
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    throw adoptingError(errno, syscall, fd)
  }
}

function adoptingError(errno: number, syscall: string, fd: number): IpcError {
  const advice = adviseAdopting(Math.abs(errno))
  return systemError({ errno, syscall, action: 'take over', resource: `descriptor ${fd}`, advice })
}

function adviseAdopting(errno: number): string | undefined {
  switch (errno) {
    case errnoOf.EBUSY:
      return 'a Connection of this thread has it already; use that one, or send the descriptor with sendFd()'
    case errnoOf.EBADF:
      return 'this process has no such descriptor; name it in `stdio` of the parent that starts it'
    case errnoOf.ENOTSOCK:
      return "it is no socket; Python's Pipe() makes sockets when it is duplex, and pipes when it is not"
    case errnoOf.EAFNOSUPPORT:
    case errnoOf.EPROTOTYPE:
      return 'it is a socket of another kind; connections are Unix stream sockets'
    case errnoOf.ENOTCONN:
      return 'it is connected to nobody'
    default:
      return undefined
  }
}

/** Connects to a name; waits while the backlog of who listens there is full. */
export async function connectSocket(path: string, { timeoutMs, signal }: WaitOptions): Promise<Socket> {
  const name = checkSocketName(path)
  checkWait({ timeoutMs, signal })
  const end = timeoutMs === undefined ? undefined : performance.now() + timeoutMs
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      return new Socket(native.socketConnect(name), addressOf(name))
    } catch (error) {
      const { errno, syscall } = error as SystemFailure
      if (errno !== -errnoOf.EAGAIN) throw connectError(errno, syscall, name)
    }
    const left = end === undefined ? longestPauseMs : end - performance.now()
    if (left <= 0) throw timeoutError(addressOf(name), 'connect to', timeoutMs as number)
    try {
      await sleep(Math.min(pauseMs, Math.ceil(left)), undefined, signal === undefined ? {} : { signal })
    } catch {
      throw signal?.reason
    }
  }
}

function connectError(errno: number, syscall: string, name: string): IpcError {
  return systemError({
    errno,
    syscall,
    action: 'connect to',
    resource: addressOf(name),
    advice: adviseConnecting(-errno),
  })
}

function adviseConnecting(errno: number): string | undefined {
  switch (errno) {
    case errnoOf.ENOENT:
      return 'there is no such file; start the program that listens there first'
    case errnoOf.ECONNREFUSED:
      return 'nobody listens there; the file may be left of a program that was killed'
    case errnoOf.EACCES:
      return "the file's mode does not allow this user to write to it"
    case errnoOf.ELOOP:
      return 'it is a symbolic link, which anybody may have put there; name the socket itself'
    case errnoOf.ENOTSOCK:
      return 'the file is no socket'
    case errnoOf.EPROTOTYPE:
      return 'it is a socket of another kind; connections are Unix stream sockets'
    default:
      return undefined
  }
}
