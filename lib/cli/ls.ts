/** `ipckit ls`: the queues, semaphores and whatever else there is of this machine. */
import type { Command } from 'commander'
import { withExamples } from './arguments.js'
import { complain, exitCodes } from './failure.js'
import { askedNouns, nouns, type ObjectFacts, objectKinds, withNouns } from './kinds.js'
import { print, printJson, table } from './output.js'

interface Options extends Record<string, unknown> {
  posix?: boolean
  sysv?: boolean
  json?: boolean
}

const families = { posix: 'POSIX', sysv: 'System V' }

/** Defines the command. */
export function define(command: Command): void {
  command
    .option('--posix', 'only POSIX objects')
    .option('--sysv', 'only System V objects')
    .option('--json', 'a JSON array, for programs; what is not known is null')
    .action(run)
    .addHelpText(
      'after',
      `
Each kind of object has a table of its own, as they have different columns.

Queues: LIMIT is messages x bytes of a POSIX queue, and bytes of a System V queue. SENT BY and TAKEN BY are the pids of
the last sender and receiver, which only System V tells; NOTIFIES is the pid that asked for a notice, which only POSIX
has. Semaphores: WAITING is how many wait, and USED BY the pid of the last operation, which only System V tells. A dash
is what is not known, or may not be seen by this user.

Only objects of this IPC namespace are listed, and POSIX semaphores of this /dev/shm: a container has its own, see
ipckit doctor.`,
    )
  withNouns(command, (noun) => `only ${noun}s`)
  withExamples(
    command,
    ['Everything', 'ipckit ls'],
    [
      'The addresses of queues that hold messages',
      "ipckit ls --json | jq -r '.[] | select(.depth > 0).address'",
    ],
  )
}

async function run(options: Options): Promise<void> {
  const asked = askedNouns(options)
  const both = options.posix === options.sysv
  const kinds = objectKinds.filter(
    ({ noun, family }) => (asked.length === 0 || asked.includes(noun)) && (both || options[family]),
  )
  const found: ObjectFacts[] = []
  const tables = new Map<string, string[][]>(nouns.map((noun) => [noun, []]))
  for (const kind of kinds) {
    try {
      const objects = await kind.list()
      found.push(...objects)
      tables.get(kind.noun)?.push(...objects.map((facts) => kind.row(facts)))
    } catch (error) {
      complain(`The ${families[kind.family]} ${kind.noun}s are not listed: ${(error as Error).message}`)
      process.exitCode = exitCodes.partly
    }
  }
  if (options.json) return printJson(found)
  const printed: string[] = []
  for (const [noun, rows] of tables) {
    const columns = kinds.find((kind) => kind.noun === noun)?.columns
    if (columns !== undefined && rows.length > 0) printed.push(await table(columns, rows))
  }
  if (printed.length > 0) await print(printed.join('\n'))
}
