/** `ipckit peek`: reads messages and leaves them in the queue. */
import type { Command } from 'commander'
import type { Message, MessageQueue } from '../sysv/index.js'
import {
  addressHelp,
  checkPriorities,
  messageCount,
  withExamples,
  withFormat,
  withPriorities,
  withTrust,
} from './arguments.js'
import { type FormatOptions, formatOf } from './decode.js'
import { CommandError, exitCodes } from './failure.js'
import { refuseToPeek } from './fifo.js'
import { lookInto } from './follow.js'
import { MessagePrinter } from './messages.js'
import { byPriority, withPriority } from './priorities.js'
import { openToPeek } from './queues.js'
import { checkShmOptions, isShm, openTyped, type ShmOptions } from './shm-open.js'

interface Options extends FormatOptions, ShmOptions {
  priorities?: boolean
  count?: number
  json?: boolean
}

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('<address>', addressHelp)
    .option(
      '-n, --count <n>',
      'how many messages at most, the oldest or with --priorities the highest first; 10 unless given, and 1 of a shm: queue',
      messageCount,
    )
  withFormat(command, 'unless given, what a shm: queue carries, else text where it is text and hex where not')
  withPriorities(withTrust(command))
    .option('--json', 'one JSON object a line: value, type, bytes, position; hex where there is no value')
    .action(run)
    .addHelpText(
      'after',
      `
System V queues can be peeked into where the kernel was built with CONFIG_CHECKPOINT_RESTORE, as those of most
distributions are, and of a shm: queue the next message can be seen. POSIX queues cannot: the kernel has no call for
it. Neither can FIFOs, whose messages may go with the one who peeks.`,
    )
  withExamples(
    command,
    ['The next message', 'ipckit peek sysv:0x1234 -n 1'],
    ['The oldest ten, as C structs', "ipckit peek sysv:0x1234 --struct 'id:i32,px:f64,sym:char[8]'"],
    ['What is received next where types are priorities', 'ipckit peek sysv:0x1234 --priorities -n 1'],
  )
}

async function run(address: string, options: Options): Promise<void> {
  checkShmOptions(address, options)
  checkPriorities(address, options)
  process.exitCode = await (isShm(address) ? peekAtNext(address, options) : peekAtAll(address, options))
}

async function peekAtAll(address: string, options: Options): Promise<number> {
  const { count = 10, priorities } = options
  const printer = new MessagePrinter(formatOf(options), options.json)
  refuseToPeek(address)
  const queue = await openToPeek(address)
  try {
    const messages = priorities ? lookInto(queue).map(withPriority).sort(byPriority) : messagesIn(queue)
    let position = 0
    for (const message of messages) {
      await printer.show(message, { position })
      if (++position === count) break
    }
    if (position === 0) throw nothingIn(address)
  } finally {
    await queue.close()
  }
  return printer.exitCode
}

function* messagesIn(queue: MessageQueue): Generator<Message> {
  for (let at = 0, message = queue.peek(0); message !== undefined; message = queue.peek(++at)) yield message
}

/** A queue in shared memory shows its next message, and none behind it. */
async function peekAtNext(address: string, options: Options): Promise<number> {
  const { count = 1 } = options
  if (count > 1) {
    throw new CommandError(
      'Expected --count 1: of a shm: queue only the next message can be seen',
      exitCodes.usage,
    )
  }
  const { queue, format } = await openTyped(address, options)
  const printer = new MessagePrinter(format, options.json)
  try {
    const data = queue.peek()
    if (data === undefined) throw nothingIn(address)
    await printer.show({ data }, { position: 0 })
  } finally {
    await queue.close()
  }
  return printer.exitCode
}

function nothingIn(address: string): CommandError {
  return new CommandError(`There is no message in ${address}`, exitCodes.nothing)
}
