/**
 * One connected Unix socket: its handle, its events, and the sentences of its failures. The two directions, which
 * `socket-incoming.ts` and `socket-writer.ts` know, share it.
 */
import { native } from '../binding.js'
import { errnoOf, type IpcError, systemError } from '../errors.js'
import { expect, forget, heedSignals, newToken } from '../wait/engine.js'
import { closeWhenForgotten, wasClosed } from '../wait/forgotten.js'

/** Bits of an event: epoll(7). An error or a hang-up wakes both sides, and trying again tells more. */
const mayReceive = 0x1 | 0x8 | 0x10
const maySend = 0x4 | 0x8 | 0x10

/** ETOOMANYREFS, which is not among Node's constants. */
const tooManyReferences = 109

/** Who is told of events. */
export interface SocketListener {
  /** Something came in, or the other end is gone. */
  arrival(): void
  /** There is room to send, or the other end is gone. */
  room(): void
}

/** The descriptors that the sockets of this environment have: none may be closed by two. */
const owned = new Set<number>()

/** Whether a socket of this environment has that descriptor already. */
export function isOwned(fd: number): boolean {
  return owned.has(fd)
}

export class Socket {
  /** What errors call it. */
  readonly address: string
  readonly handle: number
  readonly #fd: number
  readonly #token = newToken()
  #listener!: SocketListener
  #askedToSend = false
  #askedToReceive = false

  constructor(handle: number, address?: string) {
    this.handle = handle
    const fd = native.socketDescriptor(handle)
    this.#fd = fd
    this.address = address ?? `connection fd:${fd}`
    owned.add(fd)
    const token = this.#token
    closeWhenForgotten(this, () => {
      owned.delete(fd)
      native.socketClose(handle, token)
    })
  }

  listen(listener: SocketListener): void {
    this.#listener = listener
  }

  /** Asks for one event. */
  ask(toSend: 0 | 1): void {
    expect(this.#token, this.#onEvent)
    const result = native.socketArm(this.handle, this.#token, toSend)
    if (result < 0) {
      const syscall = result === -errnoOf.EAGAIN ? 'pthread_create' : 'epoll_ctl'
      throw this.error(result, syscall, toSend === 1 ? 'send to' : 'receive from')
    }
    if (toSend === 1) this.#askedToSend = true
    else this.#askedToReceive = true
  }

  /** Nobody waits for that event any more. */
  forget(toSend: 0 | 1): void {
    if (toSend === 1) this.#askedToSend = false
    else this.#askedToReceive = false
    this.#forgetIfIdle()
  }

  /** Blocks the thread until there may be something to do, at most so long. Ctrl-C ends it with `EINTR`. */
  block(toSend: 0 | 1, milliseconds: number): void {
    heedSignals()
    const result = native.socketWait(this.handle, toSend, milliseconds)
    if (result < 0) throw this.error(result, 'poll', toSend === 1 ? 'send to' : 'receive from')
  }

  close(): void {
    wasClosed(this)
    owned.delete(this.#fd)
    forget(this.#token)
    native.socketClose(this.handle, this.#token)
  }

  error(errno: number, syscall: string, action: string, advice?: string): IpcError {
    return systemError({
      errno,
      syscall,
      action,
      resource: this.address,
      advice: advice ?? advise(errno),
    })
  }

  readonly #onEvent = (events: number): void => {
    const room = this.#askedToSend && (events & maySend) !== 0
    const arrival = this.#askedToReceive && (events & mayReceive) !== 0
    if (room) this.#askedToSend = false
    if (arrival) this.#askedToReceive = false
    this.#forgetIfIdle()
    if (arrival) this.#listener.arrival()
    if (room) this.#listener.room()
  }

  /** The engine holds on to those of whom it expects something; others may be forgotten. */
  #forgetIfIdle(): void {
    if (!this.#askedToSend && !this.#askedToReceive) forget(this.#token)
  }
}

function advise(errno: number): string | undefined {
  switch (-errno) {
    case errnoOf.EPIPE:
      return 'the other end is closed, or its process has ended'
    case errnoOf.ECONNRESET:
      return 'the other end was closed, or its process has ended, before it had received all that was sent to it'
    case errnoOf.EMFILE:
      return 'this process has too many descriptors open; close some, or raise the limit with: ulimit -n'
    case tooManyReferences:
      return 'too many descriptors of this user are on their way and not received yet; the limit is that of open files: ulimit -n'
    case errnoOf.EBADF:
      return 'it is no open descriptor of this process'
    case errnoOf.EAGAIN:
      return 'no thread can be made to wait; see ulimit -u and the pids limit of the container'
    case errnoOf.EINTR:
      return 'a signal that this process handles came while the thread was blocked'
    default:
      return undefined
  }
}
