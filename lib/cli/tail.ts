/** `ipckit tail`: follows what happens in a queue. */
import type { Command } from 'commander'
import { raw } from '../index.js'
import {
  addressHelp,
  checkPriorities,
  integer,
  withExamples,
  withFormat,
  withPriorities,
  withSelection,
  withTrust,
} from './arguments.js'
import { type FormatOptions, formatOf } from './decode.js'
import { CommandError, complain, exitCodes } from './failure.js'
import { isFifo } from './fifo.js'
import { followDepth, followMessages } from './follow.js'
import { interruptible } from './interrupt.js'
import { MessagePrinter } from './messages.js'
import { isPosix, openToPeek, openToRead, openToReceive } from './queues.js'
import { type Selection, take } from './recv.js'
import { checkShmOptions, isShm, openToLook, type ShmOptions } from './shm-open.js'

interface Options extends FormatOptions, Selection, ShmOptions {
  count: number
  interval: number
  priorities?: boolean
  depth?: boolean
  take?: boolean
  json?: boolean
}

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('<address>', addressHelp)
    .option(
      '-n, --count <n>',
      'begin with so many of the messages that are there already',
      integer(0, 2 ** 31),
      10,
    )
    .option('--interval <ms>', 'how often to look', integer(1, 3_600_000), 200)
    .option('--depth', 'follow how many messages there are, not the messages')
    .option('--take', 'receive the messages: they leave the queue, and nobody else gets them')
  withFormat(command, 'unless given, what a shm: queue carries, else text where it is text and hex where not')
  withPriorities(withSelection(withTrust(command)))
    .option('--json', 'one JSON object a line')
    .action(run)
    .addHelpText(
      'after',
      `
System V queues: prints each message that comes, and takes none (MSG_COPY). It looks every --interval milliseconds,
so a message that comes and is taken between two looks is not seen; neither is one that equals, in type and bytes,
one that left since the last look.

POSIX queues and FIFOs cannot be peeked into, and shm: queues show no more than their next message. Of those tail
follows the depth: a line when the number of messages has changed since the last look, and by how much. What comes and
goes between two looks is not seen.

--take prints every message of all kinds, but receives it: the queue's own receiver does not get it. The options
that choose by type are for --take.

It ends with Ctrl-C, or when the queue is removed or shut down.`,
    )
  withExamples(
    command,
    ['What is sent, without taking it', 'ipckit tail sysv:0x1234'],
    ['How full a POSIX queue is over time', 'ipckit tail posix:/jobs --interval 1000'],
    ['What is sent, with the priorities that its types are', 'ipckit tail sysv:0x1234 --priorities --json'],
    ['Be the receiver, for ever', 'ipckit tail posix:/jobs --take --codec json'],
  )
}

async function run(address: string, options: Options): Promise<void> {
  const { type, maxType, except, take: takes = false, depth = false, json = false } = options
  if (!takes && [type, maxType, except].some((value) => value !== undefined)) {
    throw new CommandError('Expected --type, --max-type and --except with --take', exitCodes.usage)
  }
  if (takes && depth) throw new CommandError('Expected --take or --depth, not both', exitCodes.usage)
  checkShmOptions(address, options)
  checkPriorities(address, options)
  if (takes) return takeForEver(address, options)
  const printer = new MessagePrinter(formatOf(options), json)
  if (depth || isPosix(address) || isFifo(address) || isShm(address)) return watchDepth(address, options)
  return watchMessages(address, printer, options)
}

async function takeForEver(address: string, options: Options): Promise<void> {
  const { queue, format } = await openToReceive(address, options)
  try {
    const printer = new MessagePrinter(format, options.json)
    await take(queue, printer, { ...options, count: Number.POSITIVE_INFINITY })
  } finally {
    await queue.close()
  }
}

async function watchDepth(address: string, { depth, interval, json }: Options): Promise<void> {
  const queue = isShm(address) ? await openToLook(address) : await openToRead(address, raw(), true)
  if (!depth) {
    const why = isShm(address) ? 'shows no more than its next message' : 'cannot be peeked into'
    complain(`${address} ${why}: following its depth; --take receives the messages instead`)
  }
  try {
    await interruptible((signal) => followDepth(queue, { interval, json: json === true, signal }))
  } finally {
    await queue.close()
  }
}

async function watchMessages(address: string, printer: MessagePrinter, options: Options): Promise<void> {
  const { interval, count, priorities = false } = options
  const queue = await openToPeek(address)
  try {
    await interruptible((signal) => followMessages(queue, printer, { interval, count, priorities, signal }))
  } finally {
    await queue.close()
  }
}
