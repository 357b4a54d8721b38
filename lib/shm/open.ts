/**
 * Opening and removing queues in shared memory by name.
 */

import { native } from '../binding.js'
import type { SystemFailure } from '../errors.js'
import type { How } from '../how.js'
import { checkBoolean, checkInteger, checkKeys, checkMode, checkObject, outOfRange } from '../options.js'
import { openError, type Refusal, ringError } from '../shared/failure.js'
import { checkName } from '../shared/name.js'

/** Options of opening a queue in shared memory. */
export interface OpenOptions {
  /**
   * How many deliveries this handle may hold at a time, 1 to 2^24; further leases then fail with
   * `ERR_IPC_PREFETCH`. Default: as many as the queue holds.
   */
  prefetch?: number
  /** Open the queue whatever it carries; the codec is then the only one to say. Default false. */
  anyType?: boolean
  /** Open the queue although it belongs to another user, who could write anything into it. Default false. */
  anyOwner?: boolean
  /** Open the queue although everyone may write to it. Default false. */
  anyMode?: boolean
}

/** Options of making a queue in shared memory. */
export interface CreateOptions extends OpenOptions {
  /** How many messages it holds, those that are leased included: 1 to 2^24, default 1024. */
  capacity?: number
  /** The largest message, bytes, 1 to 256 MiB, default 8192. */
  maxMessageBytes?: number
  /**
   * Bytes of all messages in it, dead letters included, at least `maxMessageBytes`; a message above 80 bytes takes up
   * whole blocks. Default: enough for `capacity` of the largest, but not more than 8 MiB unless one message needs it.
   */
  capacityBytes?: number
  /** Priorities, 1 to 16, default 10: 0 to 9, the highest is delivered first. */
  priorities?: number
  /** Handles that may be open at a time, in all processes: 2 to 1024, default 256. */
  participants?: number
  /** After so many deliveries a message is given up: 1 to 32,767; default: never. */
  maxDeliveries?: number
  /** How many messages that were given up it keeps, 0 to 2^24, default 0; the oldest goes first. */
  deadLetters?: number
  /** What was got must be settled with `taskDone`, and `join` waits for that. Default false. */
  joinable?: boolean
  /** Permission bits, 0 to 0o777, default 0o600. Exact: the umask is not applied. */
  mode?: number
}

const opening = ['prefetch', 'anyType', 'anyOwner', 'anyMode']
const creating = [
  ...opening,
  'capacity',
  'maxMessageBytes',
  'capacityBytes',
  'priorities',
  'participants',
  'maxDeliveries',
  'deadLetters',
  'joinable',
  'mode',
]

/** IPCKIT_QUEUE_* of the C header. */
export const flags = { joinable: 1, anyOwner: 2, anyMode: 4 } as const

const most = 2 ** 24
const largestMessage = 256 * 1024 * 1024

/** Opens a queue that carries messages of the type, and returns its handle. */
export function openQueue(name: string, how: How, type: string, options: CreateOptions = {}): number {
  checkName(name)
  checkKeys('options', checkObject('options', options), how === 'open' ? opening : creating)
  const resource = `shm:${name}`
  const { anyType = false, anyOwner = false, anyMode = false, joinable = false } = options
  const flag =
    (checkBoolean('joinable', joinable) ? flags.joinable : 0) |
    (checkBoolean('anyOwner', anyOwner) ? flags.anyOwner : 0) |
    (checkBoolean('anyMode', anyMode) ? flags.anyMode : 0)
  const sizes = new Float64Array([
    ...(how === 'open' ? [0, 0, 0, 0, 0, 0, 0, 0] : sizesOf(options)),
    flag,
    optional('prefetch', options.prefetch, 1, most),
  ])
  const wanted = checkBoolean('anyType', anyType) ? '' : type
  try {
    return native.ringOpen(name, how === 'open' ? 0 : how === 'create' ? 1 : 2, sizes, wanted)
  } catch (error) {
    throw openError({ resource, kind: 'queue', creating: how === 'create', type }, error as Refusal)
  }
}

/**
 * Removes the name of a queue in shared memory. Those who have it open get a `RemovedError` from their next call;
 * whoever opens the name afterwards gets another queue.
 */
export function unlink(name: string): void {
  checkName(name)
  try {
    native.ringUnlink(name)
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    throw ringError({ errno, syscall, action: 'remove', resource: `shm:${name}` })
  }
}

function sizesOf(options: CreateOptions): number[] {
  const capacity = optional('capacity', options.capacity, 1, most) || 1024
  const message = optional('maxMessageBytes', options.maxMessageBytes, 1, largestMessage) || 8192
  // 0: the C library knows its blocks, and /dev/shm of a container has 64 MiB as a rule.
  const bytes = optional('capacityBytes', options.capacityBytes, 1, Number.MAX_SAFE_INTEGER)
  if (bytes > 0 && bytes < message)
    throw outOfRange('capacityBytes', `at least maxMessageBytes, ${message}`, bytes)
  return [
    capacity,
    optional('deadLetters', options.deadLetters, 0, most),
    bytes,
    message,
    optional('priorities', options.priorities, 1, 16),
    optional('participants', options.participants, 2, 1024),
    optional('maxDeliveries', options.maxDeliveries, 1, 32_767),
    options.mode === undefined ? 0o600 : checkMode(options.mode),
  ]
}

function optional(name: string, value: number | undefined, min: number, max: number): number {
  return value === undefined ? 0 : checkInteger(name, value, min, max)
}
