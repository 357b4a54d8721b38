/**
 * Finding and making System V message queues: msgget(2).
 */
import { native } from '../binding.js'
import { errnoOf, RemovedError } from '../errors.js'
import type { How } from '../how.js'
import { checkInteger, checkKeys, checkMode, checkObject } from '../options.js'
import { type Found, find, type Kind, type ObjectName, removeNamed } from './find.js'
import { limits } from './limits.js'
import { isOwn } from './proc.js'
import { SysvTransport } from './transport.js'

/** How a queue is named: by key, by a file of which a key is made (ftok(3)), by id, or not at all. */
export type QueueName = ObjectName

/** Options of making a System V message queue. What the kernel granted is in `stat()`. */
export interface CreateOptions {
  /** Permission bits, 0 to 0o777, default 0o600. System V never applies the umask. */
  mode?: number
  /**
   * How many bytes all messages of the queue may have together; default kernel.msgmnb, 16384. More than that
   * needs CAP_SYS_RESOURCE.
   */
  maxBytes?: number
}

const queues: Kind = {
  what: 'queue',
  object: '',
  advise,
  get: native.msgGet,
  attach: native.msgAttach,
  remove(id) {
    const handle = native.msgAttach(id)
    try {
      native.msgRemove(handle)
    } finally {
      native.msgDetach(handle)
    }
  },
  // To receive, or at least to send.
  permissions: [0o400, 0o200],
  isOwn: (key) => isOwn('msg', key),
}

/**
 * Removes a queue for everyone, without opening it: IPC_RMID. Its messages are gone. Whoever waits in it, anywhere, gets
 * a {@link RemovedError}.
 *
 * @param name - Its key, the file that the key is made of, or its id.
 * @throws {@link NotFoundError} when there is no such queue, `IpcError` with `EPERM` when this user is neither owner nor
 *   creator. The mode does not matter.
 * @example
 * ```ts
 * import { unlink } from 'ipckit/sysv'
 * unlink(0x1234)
 * ```
 */
export function unlink(name: QueueName): void {
  removeNamed(name, queues)
}

/** Opens a queue. One that was made for this call and cannot be made as asked is removed again. */
export function openTransport(
  name: QueueName,
  how: How,
  options: CreateOptions = {},
  priorities = false,
): SysvTransport {
  checkObject('options', options)
  checkKeys('options', options, how === 'open' ? [] : ['mode', 'maxBytes'])
  if (options.maxBytes !== undefined) checkInteger('maxBytes', options.maxBytes, 1, 2 ** 32 - 1)
  const mode = options.mode === undefined ? 0o600 : checkMode(options.mode)
  for (;;) {
    try {
      return equip(find(name, how, mode, queues), options, priorities)
    } catch (error) {
      // It was removed as soon as it was found.
      if (how !== 'openOrCreate' || !(error instanceof RemovedError)) throw error
    }
  }
}

function equip(
  { handle, address, created }: Found,
  options: CreateOptions,
  priorities: boolean,
): SysvTransport {
  const transport = new SysvTransport(address, handle, priorities)
  if (created && options.maxBytes !== undefined) {
    try {
      transport.set({ maxBytes: options.maxBytes })
    } catch (error) {
      transport.unlink()
      transport.close()
      throw error
    }
  }
  return transport
}

function advise(errno: number): string | undefined {
  switch (-errno) {
    case errnoOf.ENOENT:
      return 'there is no such queue; create it first, or use openOrCreate'
    case errnoOf.EEXIST:
      return 'there is a queue of that key already; open it, or unlink it first'
    case errnoOf.EACCES:
      return "the queue's mode gives this user no access; open it as its owner, or have the owner widen its mode"
    case errnoOf.ENOSPC:
      return `there are ${limits().queues} queues already, the limit in /proc/sys/kernel/msgmni; remove some (ipckit ls), or raise it with: sysctl -w kernel.msgmni=${limits().queues * 2}`
    case errnoOf.ENOSYS:
      return 'this kernel has no System V message queues; use posix: addresses'
    default:
      return undefined
  }
}
