/** `ipckit stat`: everything that is known of one object. */
import type { Command } from 'commander'
import { addressHelp, withExamples } from './arguments.js'
import { kindOf, plurals, withNouns } from './kinds.js'
import { count, print, printJson, table, visible } from './output.js'

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('<address>', addressHelp)
    .option('--json', 'a JSON object, for programs; what is not known is null')
    .action(run)
  command.addHelpText(
    'after',
    `
A shm: address is opened for a moment to look at it, as one participant more. A FIFO is looked into only while somebody
has it open: opening it otherwise would let go whoever waits for its other end.`,
  )
  withNouns(
    command,
    (noun) => `the address is one of ${plurals[noun]}${noun === 'queue' ? ', as it is unless given' : ''}`,
  )
  withExamples(
    command,
    ['How full is it, and whose?', 'ipckit stat posix:/jobs'],
    ['Just the number of messages', 'ipckit stat sysv:0x1234 --json | jq .depth'],
    ['Who waits for the semaphores of a set?', 'ipckit stat --semaphore sysv:0x1234'],
    ['Who has a queue in shared memory open, and holds its messages?', 'ipckit stat shm:/jobs'],
    ['Who holds a lock, and who waits?', 'ipckit stat shm:/backup'],
    ['How large is a shared memory?', 'ipckit stat --memory posix:/frames'],
  )
}

async function run(address: string, options: Record<string, unknown>): Promise<void> {
  const facts = await kindOf(address, options).stat(address)
  if (options.json) return printJson(facts)
  const known = Object.entries(facts).filter(([name, value]) => value !== null && name !== 'object')
  const lists = known.filter((entry): entry is [string, object[]] => isTable(entry[1]))
  const rows = known.filter(([, value]) => !isTable(value)).flatMap(([name, value]) => rowsOf(name, value))
  const printed = [await table([{ head: '' }, { head: '' }], rows)]
  for (const [name, list] of lists) {
    const heads = Object.keys(list[0] as object).map((head) => ({ head: labelOf(head).toUpperCase() }))
    const cells = list.map((each) => Object.entries(each).map(([part, value]) => say(part, value)))
    printed.push(`${labelOf(name)}\n${await table(heads, cells)}`)
  }
  await print(printed.join('\n'))
}

/** Whether a fact has a table of its own. */
function isTable(value: unknown): value is object[] {
  return Array.isArray(value) && typeof value[0] === 'object'
}

function rowsOf(name: string, value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [[labelOf(name), say(name, value)]]
  if (Array.isArray(value)) return [[labelOf(name), value.length === 0 ? '-' : value.join(', ')]]
  return Object.entries(value).map(([part, each]) => [`${labelOf(name)}: ${labelOf(part)}`, say(part, each)])
}

/** `maxMessageBytes` as `max message bytes`. */
function labelOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

/** Names of things that are no amounts. */
const isNumberOfOne =
  /^(id|uid|gid|pid|creator|creatorUid|creatorGid|lastSender|lastReceiver|lastUser|notifyPid|holder)$/

function say(name: string, value: unknown): string {
  return typeof value === 'number' && !isNumberOfOne.test(name) ? count(value) : visible(String(value))
}
