/** Arguments and options that several commands share. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { CommandError, exitCodes } from './failure.js'

/** What `--codec` takes. */
export const codecNames = ['raw', 'text', 'json', 'msgpack', 'cbor'] as const

/** What an address may look like, for the help of commands that take one. */
export const addressHelp = `posix:/name, sysv:0x1234, sysv:id=5, sysv:/path?proj=1, shm:/name or fifo:/path`

/** Reads an integer of a range. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`Expected an integer from ${min} to ${max}.`)
  }
}

/** How many messages: 1 and more. */
export const messageCount = integer(1, Number.MAX_SAFE_INTEGER)
/** A wait, in milliseconds. */
export const milliseconds = integer(0, 2_147_483_647)
/** A System V type. */
export const messageType = integer(1, Number.MAX_SAFE_INTEGER)

/** Reads permission bits as chmod(1) writes them. */
export function permissions(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8)
  throw new InvalidArgumentError('Expected permission bits such as 600 or 0660.')
}

function codecName(text: string): string {
  if ((codecNames as readonly string[]).includes(text)) return text
  const choices = `Expected one of ${codecNames.join(', ')}.`
  throw new InvalidArgumentError(
    text === 'v8'
      ? `${choices} v8 is for programs that trust each other: to deserialise bytes of others is not safe, so the command does not; recv --codec raw has them as they are.`
      : choices,
  )
}

/** Adds `--codec` and `--struct`. */
export function withFormat(command: Command, without: string): Command {
  return command
    .addOption(
      new Option('--codec <name>', `how messages are encoded; ${without}`)
        .choices(codecNames)
        .argParser(codecName),
    )
    .option(
      '--struct <fields>',
      "messages are C structs, such as 'id:i32,px:f64,sym:char[8]'; values are JSON",
    )
}

/** Adds the option that makes priorities of System V types. */
export function withPriorities(command: Command): Command {
  return command.addOption(
    new Option(
      '--priorities',
      'System V: types are priorities, as for programs that open the queue with { priorities: true }',
    ).conflicts(['type', 'maxType', 'except']),
  )
}

/** Refuses `--priorities` where it would say nothing. */
export function checkPriorities(address: string, { priorities }: { priorities?: boolean }): void {
  if (priorities === undefined || address.startsWith('sysv:')) return
  throw new CommandError(`Expected --priorities with a sysv: address, received ${address}`, exitCodes.usage)
}

/** Adds the options that choose among System V messages. */
export function withSelection(command: Command): Command {
  return command
    .addOption(
      new Option('--type <n>', 'System V: only messages of this type')
        .argParser(messageType)
        .conflicts(['maxType', 'except']),
    )
    .addOption(
      new Option('--max-type <n>', 'System V: the lowest type up to this first, no higher one')
        .argParser(messageType)
        .conflicts('except'),
    )
    .addOption(new Option('--except <n>', 'System V: any type but this').argParser(messageType))
}

/** Adds the options that only queues in shared memory have. */
export function withTrust(command: Command): Command {
  return command
    .option(
      '--any-type',
      'shm: open the queue whatever it carries; --codec alone then says what the bytes are',
    )
    .option('--any-owner', 'shm: open also the queue of another user, or one that everyone may write to')
}

/** Adds examples to a command's help. Each is a line of what it does and a line of command. */
export function withExamples(command: Command, ...examples: [what: string, line: string][]): Command {
  const lines = examples.map(([what, line]) => `  # ${what}\n  $ ${line}`)
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}\n\nExit codes are in: ipckit --help`)
}

/** Refuses what is no address, and addresses of queues that no other process could see. */
export function checkAddress(address: string): void {
  if (/^(posix|sysv|shm|fifo):/.test(address)) return
  const why = address.startsWith('memory:') ? ': memory: queues live inside one process' : ''
  throw new CommandError(
    `Expected an address such as ${addressHelp}, received ${address}${why}`,
    exitCodes.usage,
  )
}
