/**
 * Every error that ipckit throws. The addon reports bare `{errno, syscall}` pairs; here they become
 * sentences that say what was tried, on which object, and what to do about it.
 */
import { constants } from 'node:os'

/** Codes of our own; every other `code` is the kernel's name of an errno, such as `'EACCES'`. */
export type IpckitErrorCode =
  | 'ERR_IPC_BOUND'
  | 'ERR_IPC_BROKEN'
  | 'ERR_IPC_CLOSED'
  | 'ERR_IPC_CORRUPT'
  | 'ERR_IPC_DECODE'
  | 'ERR_IPC_ENCODE'
  | 'ERR_IPC_EOF'
  | 'ERR_IPC_HELD'
  | 'ERR_IPC_KIND'
  | 'ERR_IPC_NOT_HELD'
  | 'ERR_IPC_OWNER_DIED'
  | 'ERR_IPC_PARTICIPANTS'
  | 'ERR_IPC_PREFETCH'
  | 'ERR_IPC_RECYCLED'
  | 'ERR_IPC_REFUSED'
  | 'ERR_IPC_SHUTDOWN'
  | 'ERR_IPC_STALE'
  | 'ERR_IPC_TASKS'
  | 'ERR_IPC_TIMEOUT'
  | 'ERR_IPC_TRUNCATED'
  | 'ERR_IPC_UNINITIALIZED'
  | 'ERR_IPC_UNSAFE'
  | 'ERR_IPC_TYPE'
  | 'ERR_IPC_UNSUPPORTED'
  | 'ERR_IPC_WAITERS'

/** What `code` of an {@link IpcError} may be: ours, or any errno of the system. */
export type IpcErrorCode = IpckitErrorCode | keyof typeof constants.errno

const brand = Symbol.for('ipckit.IpcError')

/** The facts of an {@link IpcError}, beside its sentence. */
export interface IpcErrorDetails {
  code: IpcErrorCode
  /** Negative, as everywhere in Node. */
  errno?: number
  /** The system call that failed, as its manual page is named. */
  syscall?: string
  /** The address or name of the object. */
  resource?: string
  cause?: unknown
}

/**
 * An operation on an IPC object failed.
 *
 * @example
 * ```ts
 * try {
 *   await Queue.open('posix:/jobs', { codec: json() })
 * } catch (error) {
 *   if (IpcError.is(error) && error.code === 'EACCES') console.error(error.resource, error.message)
 * }
 * ```
 */
export class IpcError extends Error {
  readonly code: IpcErrorCode
  /** The errno, negative as everywhere in Node; absent where no system call failed. */
  declare readonly errno?: number
  /** The system call that failed, as its manual page is named. */
  declare readonly syscall?: string
  /** The address or name of the object. */
  declare readonly resource?: string

  constructor(message: string, details: IpcErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = details.code
    if (details.errno !== undefined) this.errno = details.errno
    if (details.syscall !== undefined) this.syscall = details.syscall
    if (details.resource !== undefined) this.resource = details.resource
  }

  /** Tells ipckit's errors from others, also when two copies of the package are loaded. */
  static is(value: unknown): value is IpcError {
    return value instanceof Error && brand in value
  }
}
// On the prototypes, where a debugger and `util.inspect` do not list them with every error.
Object.defineProperty(IpcError.prototype, brand, { value: true })
Object.defineProperty(IpcError.prototype, 'name', { value: 'IpcError', configurable: true, writable: true })

/** A wait ended because its `timeoutMs` had passed; nothing was sent or taken. */
export class TimeoutError extends IpcError {}
/** The handle was closed, before the call or while it waited; nothing was sent or taken. */
export class ClosedError extends IpcError {}
/** There is no object of that name (`ENOENT`). */
export class NotFoundError extends IpcError {}
/** There is already an object of that name (`EEXIST`). */
export class ExistsError extends IpcError {}
/** The object was removed by someone (`EIDRM`), or its id was given to another one since. */
export class RemovedError extends IpcError {}
/** The other end of a connection is closed, and everything that it had sent has been received (`ERR_IPC_EOF`). */
export class EOFError extends IpcError {}

/** The queue was shut down, by this process or another: nothing can be put, and nothing comes any more. */
export class ShutdownError extends IpcError {}

/** The barrier is broken, and whoever waits in it is free (`ERR_IPC_BROKEN`). */
export class BrokenBarrierError extends IpcError {}
/** A lock was to be released, or used as a holder uses it, by one who does not hold it (`ERR_IPC_NOT_HELD`). */
export class NotHeldError extends IpcError {}

/** The last holder of a lock died while it held it, so what the lock protects may be half changed. */
export class OwnerDiedError extends IpcError {
  /** Of the dead holder, as its own PID namespace has it. */
  readonly pid: number
  /** What it called itself. */
  readonly participant: string

  constructor(
    message: string,
    details: Omit<IpcErrorDetails, 'code'> & { pid: number; participant: string },
  ) {
    super(message, { ...details, code: 'ERR_IPC_OWNER_DIED' })
    this.pid = details.pid
    this.participant = details.participant
  }
}

/**
 * A message arrived that the codec could not decode. It has left the queue: its bytes are here, so that
 * nothing is lost.
 */
export class DecodeError extends IpcError {
  /** The message as it came, in memory of its own. */
  readonly bytes: Uint8Array
  /** The message's priority, where the transport has priorities. */
  declare readonly priority?: number
  /** The message's type, where the transport has types. */
  declare readonly type?: number
  /**
   * When many messages were taken at once: the values of those that could be decoded, and an error for each that
   * could not, this one first.
   */
  declare batch?: { values: unknown[]; failures: DecodeError[] }

  constructor(
    message: string,
    bytes: Uint8Array,
    details: Omit<IpcErrorDetails, 'code'> & { priority?: number; type?: number },
  ) {
    super(message, { ...details, code: 'ERR_IPC_DECODE' })
    this.bytes = bytes
    if (details.priority !== undefined) this.priority = details.priority
    if (details.type !== undefined) this.type = details.type
  }
}

for (const [name, type] of Object.entries({
  TimeoutError,
  ClosedError,
  NotFoundError,
  ExistsError,
  RemovedError,
  EOFError,
  ShutdownError,
  BrokenBarrierError,
  NotHeldError,
  OwnerDiedError,
  DecodeError,
})) {
  Object.defineProperty(type.prototype, 'name', { value: name, configurable: true, writable: true })
}

/** The errno numbers of this system, positive, by name. */
export const errnoOf = constants.errno

// util.getSystemErrorName knows only what libuv knows, which lacks EIDRM. Two names share a number in some
// cases (EAGAIN and EWOULDBLOCK); the manual pages use the one that is listed first.
const nameOf = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([name, number]) => [number, name]),
)

/** What the addon reports of a failed system call. */
export interface SystemFailure {
  /** Positive or negative; both are taken. */
  errno: number
  syscall: string
  resource: string
  /** What was tried, as an infinitive: `open the queue`. */
  action: string
  /** Why, and what to do about it; chosen by the caller, who knows the limits. */
  advice?: string | undefined
}

/** Turns a failed system call into the error that callers see. */
export function systemError(failure: SystemFailure): IpcError {
  const errno = -Math.abs(failure.errno)
  const code = (nameOf.get(-errno) ?? `errno ${-errno}`) as IpcErrorCode
  const advice = failure.advice === undefined ? '' : `: ${failure.advice}`
  const message = `Cannot ${failure.action} ${failure.resource} (${failure.syscall}: ${code})${advice}`
  const details = { code, errno, syscall: failure.syscall, resource: failure.resource }
  switch (code) {
    case 'ENOENT':
      return new NotFoundError(message, details)
    case 'EEXIST':
      return new ExistsError(message, details)
    case 'EIDRM':
      return new RemovedError(message, details)
    default:
      return new IpcError(message, details)
  }
}

/** Refuses what the transport cannot do, and says what can. */
export function unsupported(resource: string, what: string, instead: string): IpcError {
  return new IpcError(`${what} is not possible on ${resource}: ${instead}`, {
    code: 'ERR_IPC_UNSUPPORTED',
    resource,
  })
}

export function closedError(resource: string): ClosedError {
  return new ClosedError(`${resource} is closed: open it again to use it`, {
    code: 'ERR_IPC_CLOSED',
    resource,
  })
}

export function timeoutError(resource: string, action: string, timeoutMs: number): TimeoutError {
  return new TimeoutError(`Could not ${action} ${resource} within ${timeoutMs} ms`, {
    code: 'ERR_IPC_TIMEOUT',
    resource,
  })
}

/** The same error once more: callers that failed together each get an error, and a stack, of their own. */
export function copyError(error: unknown): unknown {
  if (!(error instanceof IpcError)) return error
  const type = error.constructor as new (message: string, details: IpcErrorDetails) => IpcError
  return new type(error.message, { ...error, cause: error.cause })
}
