/** `ipckit ls`: the queues of this machine. */
import type { Command } from 'commander'
import { withExamples } from './arguments.js'
import { complain, exitCodes } from './failure.js'
import { type Column, count, print, printJson, table, visible } from './output.js'
import { posixQueues, type QueueFacts, sysvQueues } from './queues.js'

interface Options {
  posix?: boolean
  sysv?: boolean
  json?: boolean
}

const columns: Column[] = [
  { head: 'ADDRESS' },
  { head: 'MESSAGES', align: 'right' },
  { head: 'BYTES', align: 'right' },
  { head: 'LIMIT', align: 'right' },
  { head: 'OWNER' },
  { head: 'MODE' },
  { head: 'SENT BY', align: 'right' },
  { head: 'TAKEN BY', align: 'right' },
  { head: 'NOTIFIES', align: 'right' },
]

/** Defines the command. */
export function define(command: Command): void {
  command
    .option('--posix', 'only POSIX queues')
    .option('--sysv', 'only System V queues')
    .option('--json', 'a JSON array, for programs; what is not known is null')
    .action(run)
    .addHelpText(
      'after',
      `
LIMIT is messages x bytes of a POSIX queue, and bytes of a System V queue. SENT BY and TAKEN BY are the pids of the
last sender and receiver, which only System V tells; NOTIFIES is the pid that asked for a notice, which only POSIX
has. A dash is what is not known, or may not be seen by this user.

Only queues of this IPC namespace are listed: a container has its own, see ipckit doctor.`,
    )
  withExamples(
    command,
    ['All queues', 'ipckit ls'],
    [
      'The addresses of those that hold messages',
      "ipckit ls --json | jq -r '.[] | select(.depth > 0).address'",
    ],
  )
}

async function run({ posix, sysv, json }: Options): Promise<void> {
  const both = posix === sysv
  const queues: QueueFacts[] = []
  const kinds = [
    { wanted: both || posix, what: 'POSIX', list: posixQueues },
    { wanted: both || sysv, what: 'System V', list: sysvQueues },
  ]
  for (const { wanted, what, list } of kinds) {
    if (!wanted) continue
    try {
      queues.push(...(await list()))
    } catch (error) {
      complain(`The ${what} queues are not listed: ${(error as Error).message}`)
      process.exitCode = exitCodes.partly
    }
  }
  if (json) await printJson(queues)
  else if (queues.length > 0) await print(await table(columns, queues.map(row)))
}

function row(queue: QueueFacts): string[] {
  return [
    visible(queue.address),
    count(queue.depth),
    count(queue.bytes),
    limitOf(queue),
    queue.owner,
    queue.mode,
    pid(queue.lastSender),
    pid(queue.lastReceiver),
    pid(queue.notifyPid),
  ]
}

function limitOf({ capacity, maxMessageBytes, maxBytes, kind }: QueueFacts): string {
  if (kind === 'sysv') return count(maxBytes)
  return capacity === null ? '-' : `${count(capacity)} x ${count(maxMessageBytes)}`
}

function pid(value: number | null): string {
  return value === null || value === 0 ? '-' : String(value)
}
