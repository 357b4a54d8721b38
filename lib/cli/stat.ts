/** `ipckit stat`: everything that is known of one object. */
import type { Command } from 'commander'
import { addressHelp, withExamples } from './arguments.js'
import { kindOf, withNouns } from './kinds.js'
import { count, print, printJson, table, visible } from './output.js'

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('<address>', addressHelp)
    .option('--json', 'a JSON object, for programs; what is not known is null')
    .action(run)
  withNouns(
    command,
    (noun) => `the address is that of a ${noun}${noun === 'queue' ? ', as it is unless given' : ''}`,
  )
  withExamples(
    command,
    ['How full is it, and whose?', 'ipckit stat posix:/jobs'],
    ['Just the number of messages', 'ipckit stat sysv:0x1234 --json | jq .depth'],
    ['Who waits for the semaphores of a set?', 'ipckit stat --semaphore sysv:0x1234'],
  )
}

async function run(address: string, options: Record<string, unknown>): Promise<void> {
  const facts = await kindOf(address, options).stat(address)
  if (options.json) return printJson(facts)
  const known = Object.entries(facts).filter(([name, value]) => value !== null && name !== 'object')
  const rows = known.map(([name, value]) => [labelOf(name), say(value)])
  await print(await table([{ head: '' }, { head: '' }], rows))
}

/** `maxMessageBytes` as `max message bytes`. */
function labelOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

function say(value: unknown): string {
  return typeof value === 'number' ? count(value) : visible(String(value))
}
