/** `ipckit peek`: reads messages and leaves them in the queue. */
import type { Command } from 'commander'
import { addressHelp, messageCount, withExamples, withFormat } from './arguments.js'
import { type FormatOptions, formatOf } from './decode.js'
import { CommandError, exitCodes } from './failure.js'
import { refuseToPeek } from './fifo.js'
import { MessagePrinter } from './messages.js'
import { openToPeek } from './queues.js'

interface Options extends FormatOptions {
  count: number
  json?: boolean
}

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('<address>', addressHelp)
    .option('-n, --count <n>', 'how many messages at most, the oldest first', messageCount, 10)
  withFormat(command, 'text where it is text and hex where not, unless given')
    .option('--json', 'one JSON object a line: value, type, bytes, position; hex where there is no value')
    .action(run)
    .addHelpText(
      'after',
      `
Only System V queues can be peeked into, and only where the kernel was built with CONFIG_CHECKPOINT_RESTORE, as
those of most distributions are. POSIX queues cannot: the kernel has no call for it.`,
    )
  withExamples(
    command,
    ['The next message', 'ipckit peek sysv:0x1234 -n 1'],
    ['The oldest ten, as C structs', "ipckit peek sysv:0x1234 --struct 'id:i32,px:f64,sym:char[8]'"],
  )
}

async function run(address: string, options: Options): Promise<void> {
  const printer = new MessagePrinter(formatOf(options), options.json)
  refuseToPeek(address)
  const queue = await openToPeek(address)
  try {
    for (let position = 0; position < options.count; position++) {
      const message = queue.peek(position)
      if (message === undefined) {
        if (position === 0) throw new CommandError(`There is no message in ${address}`, exitCodes.nothing)
        break
      }
      await printer.show(message, { position })
    }
  } finally {
    await queue.close()
  }
  process.exitCode = printer.exitCode
}
