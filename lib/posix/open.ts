/**
 * Opening and removing POSIX message queues by name.
 */
import { closeSync, constants, openSync } from 'node:fs'
import { native } from '../binding.js'
import { errnoOf, type IpcError, type SystemFailure, systemError } from '../errors.js'
import { type How, openOrMake } from '../how.js'
import { checkInteger, checkKeys, checkMode, checkObject, wrongType } from '../options.js'
import {
  accountedBytes,
  defaultCapacity,
  limits,
  maxCapacity,
  maxMessageBytes,
  readUserBytes,
} from './limits.js'
import { checkName } from './name.js'

/** What a handle may do; the kernel checks it against the queue's mode. */
export type Access = 'readwrite' | 'read' | 'write'

/** Options of opening a POSIX message queue. */
export interface OpenOptions {
  /** What this handle may do. Default `'readwrite'`; `'read'` cannot send, `'write'` cannot receive. */
  access?: Access
}

/** Options of making a POSIX message queue. What the kernel granted is in `stat()`. */
export interface CreateOptions extends OpenOptions {
  /**
   * How many messages fit, 1 to fs.mqueue.msg_max (10 unless raised). By default as many as that limit and
   * RLIMIT_MSGQUEUE allow while leaving room for seven queues more.
   */
  capacity?: number
  /** The largest message, bytes, 1 to fs.mqueue.msgsize_max; default fs.mqueue.msgsize_default, 8192. */
  maxMessageBytes?: number
  /** Permission bits, 0 to 0o777, default 0o600. Exact: the umask is not applied. */
  mode?: number
}

const accessFlags: Record<Access, number> = {
  readwrite: constants.O_RDWR,
  read: constants.O_RDONLY,
  write: constants.O_WRONLY,
}

/** The kernel takes more, but a queue that large cannot be paid for: bounds for the number alone. */
const maxSize = 2 ** 31 - 1

/** Opens a queue and returns its handle. */
export function openQueue(name: string, how: How, options: CreateOptions = {}): number {
  checkName('name', name)
  checkObject('options', options)
  checkKeys(
    'options',
    options,
    how === 'open' ? ['access'] : ['access', 'capacity', 'maxMessageBytes', 'mode'],
  )
  const { access = 'readwrite' } = options
  if (!Object.hasOwn(accessFlags, access)) throw wrongType('access', "'readwrite', 'read' or 'write'", access)
  const flags = accessFlags[access]
  const wanted = how === 'open' ? undefined : sizes(options)
  const mode = options.mode === undefined ? 0o600 : checkMode(options.mode)

  return openOrMake(
    how,
    () => open(name, flags, 0, 0, 0),
    () => create(name, flags, mode, wanted as Sizes),
  )
}

/**
 * Removes the name of a queue: mq_unlink(3). The queue itself lives on until the last who has it open
 * closes it; whoever opens the name afterwards gets another queue.
 *
 * @throws {@link NotFoundError} when there is no such queue, `IpcError` with `EACCES` without permission.
 * @example
 * ```ts
 * import { unlink } from 'ipckit/posix'
 * unlink('/jobs')
 * ```
 */
export function unlink(name: string): void {
  checkName('name', name)
  try {
    native.mqUnlink(name)
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    const advice = errno === -errnoOf.EACCES ? 'only its owner and root may remove a queue' : undefined
    throw systemError({ errno, syscall, resource: `posix:${name}`, action: 'remove', advice })
  }
}

interface Sizes {
  capacity: number
  messageBytes: number
  /** Whether the capacity is the user's; ours may shrink. */
  exact: boolean
}

function sizes(options: CreateOptions): Sizes {
  const now = limits()
  const messageBytes =
    options.maxMessageBytes === undefined
      ? Math.min(now.defaultMessageBytes, now.messageBytes)
      : checkInteger('maxMessageBytes', options.maxMessageBytes, 1, maxSize)
  if (options.capacity === undefined) {
    return { capacity: defaultCapacity(messageBytes, now), messageBytes, exact: false }
  }
  return { capacity: checkInteger('capacity', options.capacity, 1, maxSize), messageBytes, exact: true }
}

function create(name: string, flags: number, mode: number, wanted: Sizes): number {
  let { capacity } = wanted
  for (;;) {
    try {
      return open(name, flags | constants.O_CREAT | constants.O_EXCL, mode, capacity, wanted.messageBytes)
    } catch (error) {
      // The user's other queues may have taken more than their share.
      if (wanted.exact || capacity === 1 || (error as IpcError).code !== 'EMFILE') throw error
      capacity = Math.ceil(capacity / 2)
    }
  }
}

function open(name: string, flags: number, mode: number, capacity: number, messageBytes: number): number {
  try {
    return native.mqOpen(name, flags, mode, capacity, messageBytes)
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    const creating = capacity > 0
    const resource = `posix:${name}`
    const action = creating ? 'create' : 'open'
    throw systemError({
      errno,
      syscall,
      resource,
      action,
      advice: advise(errno, creating, capacity, messageBytes),
    })
  }
}

function advise(
  errno: number,
  creating: boolean,
  capacity: number,
  messageBytes: number,
): string | undefined {
  const now = limits()
  switch (-errno) {
    case errnoOf.ENOENT:
      return 'there is no such queue; create it first, or use openOrCreate'
    case errnoOf.EEXIST:
      return 'there is a queue of that name already; open it, or unlink it first'
    case errnoOf.EACCES:
      return "the queue's mode does not allow this user that access; ask for less with `access`, or open it as its owner"
    case errnoOf.EINVAL:
      return (
        adviseSize('capacity', capacity, now.capacity, maxCapacity, 'messages', 'msg_max') ??
        adviseSize('message size', messageBytes, now.messageBytes, maxMessageBytes, 'bytes', 'msgsize_max')
      )
    case errnoOf.EMFILE:
      // The kernel answers EMFILE both for descriptors and for RLIMIT_MSGQUEUE; only making one costs bytes.
      return creating && hasDescriptorLeft()
        ? adviseUserBytes(accountedBytes(capacity, messageBytes))
        : 'this process has too many descriptors open; close some, or raise the limit with: ulimit -n'
    case errnoOf.ENOSPC:
      return `there are ${now.queues} queues already, the limit in /proc/sys/fs/mqueue/queues_max; remove some (ipckit ls), or raise it with: sysctl -w fs.mqueue.queues_max=${now.queues * 2}`
    case errnoOf.ENOMEM:
      return 'the kernel has no memory for a queue of that size; make it smaller'
    case errnoOf.ENOSYS:
      return 'this kernel has no POSIX message queues; use sysv: addresses'
    default:
      return undefined
  }
}

function adviseSize(
  what: string,
  wanted: number,
  limit: number,
  most: number,
  unit: string,
  setting: string,
): string | undefined {
  if (wanted > most) return `the ${what} ${wanted} is too much: no kernel allows more than ${most} ${unit}`
  if (wanted <= limit) return undefined
  return `the ${what} ${wanted} is over the limit of ${limit} ${unit} in /proc/sys/fs/mqueue/${setting}; raise it with: sysctl -w fs.mqueue.${setting}=${wanted}`
}

function hasDescriptorLeft(): boolean {
  try {
    closeSync(openSync('/', constants.O_RDONLY))
    return true
  } catch {
    return false
  }
}

function adviseUserBytes(bytes: number): string {
  const { soft, hard } = readUserBytes()
  // How much of it is used cannot be known: no more than the limit.
  const enough = soft + bytes
  const raise =
    enough <= hard ? ` with: ${prlimit(`${enough}:`)}` : `, as root, with: ${prlimit(`${enough}:${enough}`)}`
  return `the queue would take ${bytes} bytes, and all queues of a user together may take ${soft} (RLIMIT_MSGQUEUE); make it smaller, remove queues (ipckit ls), or raise the limit of this process${raise}`
}

const prlimit = (limits: string) => `prlimit --pid ${process.pid} --msgqueue=${limits}`
