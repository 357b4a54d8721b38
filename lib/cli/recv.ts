/** `ipckit recv`: takes messages out of a queue. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Command } from 'commander'
import { type Queue, type ShmQueueStat, ShutdownError, TimeoutError } from '../index.js'
import {
  addressHelp,
  messageCount,
  milliseconds,
  withExamples,
  withFormat,
  withPriorities,
  withSelection,
  withTrust,
} from './arguments.js'
import type { FormatOptions } from './decode.js'
import { CommandError, exitCodes } from './failure.js'
import { interruptible } from './interrupt.js'
import { MessagePrinter } from './messages.js'
import { openToReceive } from './queues.js'
import { type ShmOptions, taskEnder } from './shm-open.js'

/** Which messages are wanted. */
export interface Selection {
  type?: number
  maxType?: number
  except?: number
}

interface Options extends FormatOptions, Selection, ShmOptions {
  priorities?: boolean
  count?: number
  all?: boolean
  timeout?: number
  json?: boolean
}

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('<address>', addressHelp)
    .option('-n, --count <n>', 'how many messages to take; 1 unless given', messageCount)
    .option('--all', 'take what is there, until nothing is')
    .option(
      '--timeout <ms>',
      'how long to wait for each; for ever unless given, 0 does not wait',
      milliseconds,
    )
  withFormat(command, 'unless given, what a shm: queue carries, else text where it is text and hex where not')
  withPriorities(withSelection(withTrust(command)))
    .option(
      '--json',
      'one JSON object a line: value, type or priority, bytes, of shm: queues deliveryCount; hex where there is no value',
    )
    .action(run)
    .addHelpText(
      'after',
      `
Prints one value a line, and bytes of --codec raw as they are. A text may hold newlines itself: use --json where
that matters. Ctrl-C ends the wait and loses nothing.

A message that cannot be decoded is shown as hex on stderr, and the exit code is 6 then. So is one that cannot be
written, because the disk is full or whoever read the output has left; then it ends with 1.

Of a shm: queue the message is taken for good, as of the others, and a task of a joinable queue is done when it has been
printed. Such a queue knows what it carries: another --codec or --struct is refused, and nothing is taken.`,
    )
  withExamples(
    command,
    ['Take the next message, and wait for it', 'ipckit recv posix:/jobs'],
    ['Take all that there is, for a program', 'ipckit recv posix:/jobs --all --codec json --json'],
    ['Take a C struct of type 5', "ipckit recv sysv:0x1234 --type 5 --struct 'id:i32,px:f64,sym:char[8]'"],
    ['Take the message of the highest priority, which is a type', 'ipckit recv sysv:0x1234 --priorities'],
    ['Take three, and give up after a second without one', 'ipckit recv posix:/jobs -n 3 --timeout 1000'],
    ['Write the bytes of a message into a file', 'ipckit recv posix:/frames --codec raw > frame.bin'],
  )
}

async function run(address: string, options: Options): Promise<void> {
  const { count, all = false, timeout, json = false } = options
  if (all && (count !== undefined || timeout !== undefined)) {
    throw new CommandError('Expected --all without --count and --timeout', exitCodes.usage)
  }
  const { queue, format } = await openToReceive(address, options)
  const printer = new MessagePrinter(format, json)
  try {
    if (all) await takeAll(queue, printer, options)
    else await take(queue, printer, { ...options, count: count ?? 1, timeoutMs: timeout })
  } finally {
    await queue.close()
  }
  process.exitCode = printer.exitCode
}

/** Takes so many messages and prints each before the next is taken. */
export async function take(
  queue: Queue<Buffer>,
  printer: MessagePrinter,
  { count, timeoutMs, ...selection }: Selection & { count: number; timeoutMs?: number | undefined },
): Promise<void> {
  const { type, maxType, except } = selection
  const endTask = taskEnder(queue)
  await interruptible(async (signal) => {
    const getting = { type, maxType, except, timeoutMs, signal } as Parameters<typeof queue.receive>[0]
    for (let taken = 0; taken < count; taken++) {
      const { value, ...label } = await queue.receive(getting)
      try {
        await printer.deliver({ data: value, ...label })
      } finally {
        // It has been shown, if only on stderr: nobody is to get it again.
        endTask()
      }
      // Signals come in with the event loop, which must turn even while message follows message.
      await turn()
    }
  })
}

async function takeAll(queue: Queue<Buffer>, printer: MessagePrinter, selection: Selection): Promise<void> {
  try {
    await take(queue, printer, { ...selection, count: Number.POSITIVE_INFINITY, timeoutMs: 0 })
  } catch (error) {
    if (error instanceof TimeoutError) return
    // Of a queue that was shut down the rest may be taken, unless it was shut down at once.
    if (error instanceof ShutdownError && (queue.stat() as ShmQueueStat).state === 'draining') return
    throw error
  }
}
