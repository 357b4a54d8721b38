/** Opening queues in shared memory, which know what type they carry and whose they are. */
import { Queue, raw, SharedQueue } from '../index.js'
import { codecNames } from './arguments.js'
import { type Format, type FormatOptions, formatOf } from './decode.js'
import { CommandError, exitCodes } from './failure.js'

/** Options that only these queues have. */
export interface ShmOptions {
  anyType?: boolean
  anyOwner?: boolean
}

/** Whether an address is one of a queue in shared memory. */
export function isShm(address: string): address is `shm:${string}` {
  return address.startsWith('shm:')
}

/** Refuses the options of these queues for others. */
export function checkShmOptions(address: string, { anyType, anyOwner }: ShmOptions): void {
  if (isShm(address) || (anyType === undefined && anyOwner === undefined)) return
  throw new CommandError(
    `Expected --any-type and --any-owner with a shm: address, received ${address}`,
    exitCodes.usage,
  )
}

/** The options of the library for those of the command. */
export function trustOf({ anyType = false, anyOwner = false }: ShmOptions): object {
  return { anyType, anyOwner, anyMode: anyOwner }
}

/** Opens a queue to see how it is: whatever it carries, and whosever it is. */
export function openToLook(address: string): Promise<SharedQueue<Buffer>> {
  return openRaw(address, 'raw', { anyType: true, anyOwner: true })
}

/**
 * Opens a queue to read its messages, and finds out how they are encoded: as `--codec` or `--struct` say, which must be
 * the type of the queue, and as the queue itself says where they are not given.
 */
export async function openTyped(
  address: string,
  options: FormatOptions & ShmOptions,
): Promise<{ queue: SharedQueue<Buffer>; format: Format }> {
  const format = formatOf(options)
  const told = options.codec !== undefined || options.struct !== undefined
  const queue = await openRaw(address, format.codec.name, {
    ...options,
    anyType: !told || options.anyType === true,
  })
  if (told) return { queue, format }
  try {
    return { queue, format: formatOfType(queue.stat().type) }
  } catch (error) {
    await queue.close()
    throw error
  }
}

/** Ends the task that a message of a joinable queue is; nothing where there are no tasks. */
export function taskEnder(queue: object): () => void {
  return queue instanceof SharedQueue && queue.stat().joinable ? () => queue.taskDone() : () => {}
}

/** Takes bytes as they are, from a queue of that type. */
async function openRaw(address: string, type: string, options: ShmOptions): Promise<SharedQueue<Buffer>> {
  const codec = { ...raw(), name: type }
  const queue = await Queue.open(address as `shm:${string}`, { codec, ...trustOf(options) })
  return queue as SharedQueue<Buffer>
}

/** The format of a queue's type; of a type of the user's own, text where it is text and hex where not. */
function formatOfType(type: string): Format {
  const codec = codecNames.find((name) => name === type)
  // Bytes as they are would have no newlines between them: that is for who asks for it.
  if (codec !== undefined && codec !== 'raw') return formatOf({ codec })
  try {
    return formatOf(type.startsWith('struct') ? { struct: type } : {})
  } catch {
    return formatOf({})
  }
}
