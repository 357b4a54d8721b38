/** What `tail` watches, look by look. Nothing is taken here. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Queue, QueueStat, ShmQueueStat } from '../index.js'
import type { Message, MessageQueue } from '../sysv/index.js'
import { CommandError, exitCodes } from './failure.js'
import type { MessagePrinter } from './messages.js'
import { print, count as say } from './output.js'
import { withPriority } from './priorities.js'

interface Watch {
  /** Milliseconds between two looks. */
  interval: number
  signal: AbortSignal
}

/** Prints the messages that are there, the last `count` of them, and then each that comes; returns never. */
export async function followMessages(
  queue: MessageQueue,
  printer: MessagePrinter,
  { interval, count, priorities, signal }: Watch & { count: number; priorities: boolean },
): Promise<void> {
  let seen: Message[] | undefined
  for (;;) {
    const now = lookInto(queue)
    const fresh = seen === undefined ? lastOf(now, count) : newcomers(seen, now)
    for (const message of fresh) {
      await printer.show(priorities ? withPriority(message) : message, { depth: now.length })
    }
    seen = now
    await pause(interval, signal)
  }
}

function lastOf<T>(list: readonly T[], count: number): T[] {
  return list.slice(Math.max(0, list.length - count))
}

/** While others take messages, positions shift and a look may skip one: then it is done again. */
const patience = 20

/** All messages of a queue, in order, and still in it. */
export function lookInto(queue: MessageQueue): Message[] {
  for (let attempt = 1; ; attempt++) {
    const before = queue.stat()
    const messages: Message[] = []
    for (let message = queue.peek(0); message !== undefined; message = queue.peek(messages.length)) {
      messages.push(message)
    }
    const after = queue.stat()
    const undisturbed =
      before.depth === messages.length && after.depth === messages.length && before.bytes === after.bytes
    if (undisturbed || attempt === patience) return messages
  }
}

/**
 * The messages that came since the last look. Messages leave from anywhere and come at the end: what is left of the
 * old ones stands in front, in its old order, and the rest is new.
 */
export function newcomers(before: readonly Message[], now: readonly Message[]): Message[] {
  let at = 0
  let old = 0
  for (; old < now.length; old++, at++) {
    while (at < before.length && !isSame(before[at] as Message, now[old] as Message)) at++
    if (at === before.length) break
  }
  return now.slice(old)
}

function isSame(one: Message, other: Message): boolean {
  return one.type === other.type && one.data.equals(other.data)
}

/** Prints the depth at once, and then whenever it has changed; returns never. */
export async function followDepth(
  queue: Queue<Buffer>,
  { interval, json, signal }: Watch & { json: boolean },
): Promise<void> {
  let last: number | undefined
  for (;;) {
    const state = queue.stat()
    if (state.unlinked) throw new CommandError(`${queue.address} was removed`, exitCodes.notFound)
    if (state.depth !== last) {
      const change = last === undefined ? 0 : state.depth - last
      await print(json ? depthJson(state, change) : depthLine(state, change))
    }
    last = state.depth
    if (isOver(state)) throw new CommandError(`${queue.address} was shut down`, exitCodes.notFound)
    await pause(interval, signal)
  }
}

/** Nothing comes any more, and what is left may not be taken or there is none: queues in shared memory can be shut down. */
function isOver(now: QueueStat): boolean {
  const { state } = now as Partial<ShmQueueStat>
  return state === 'stopped' || (state === 'draining' && now.depth === 0)
}

function depthJson({ depth, capacity, bytes, maxBytes }: QueueStat, change: number): string {
  const time = new Date().toISOString()
  return `${JSON.stringify({ time, depth, change, capacity, bytes, maxBytes })}\n`
}

function depthLine({ depth, capacity, bytes, maxBytes }: QueueStat, change: number): string {
  const time = new Date().toTimeString().slice(0, 8)
  const room = capacity === undefined ? `${say(bytes)} of ${say(maxBytes)} bytes` : `of ${say(capacity)}`
  const sign = change > 0 ? '+' : ''
  const by = change === 0 ? '' : `  ${sign}${say(change)}`
  return `${time}  ${say(depth)} ${capacity === undefined ? `messages, ${room}` : room}${by}\n`
}

/** Waits for the next look; rejects with the signal's reason. */
async function pause(interval: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(interval, undefined, { signal })
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  }
}
