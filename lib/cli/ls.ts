/** `ipckit ls`: the queues, semaphores, shared memory and whatever else there is of this machine. */
import type { Command } from 'commander'
import { withExamples } from './arguments.js'
import { complain, exitCodes } from './failure.js'
import {
  askedNouns,
  type Family,
  families,
  type ObjectFacts,
  objectKinds,
  plurals,
  withNouns,
} from './kinds.js'
import { type Column, print, printJson, table } from './output.js'

interface Options extends Record<string, unknown> {
  posix?: boolean
  sysv?: boolean
  shm?: boolean
  json?: boolean
}

const listable: Family[] = ['posix', 'sysv', 'shm']

/** Defines the command. */
export function define(command: Command): void {
  command
    .option('--posix', 'only POSIX objects')
    .option('--sysv', 'only System V objects')
    .option('--shm', 'only what has a shm: address: queues in shared memory, locks and friends')
    .option('--json', 'a JSON array, for programs; what is not known is null')
    .action(run)
    .addHelpText(
      'after',
      `
Each kind of object has a table of its own, as they have different columns.

Queues: LIMIT is messages x bytes of a POSIX queue, and bytes of a System V queue. SENT BY and TAKEN BY are the pids of
the last sender and receiver, which only System V tells; NOTIFIES is the pid that asked for a notice, which only POSIX
has. Queues in shared memory (shm:): TYPE is the codec, IN FLIGHT how many messages somebody holds on lease, FREE BYTES
the room for messages above 80 bytes, LIMIT messages x bytes, and OPEN BY how many have it open. Semaphores: WAITING is how many
wait, and USED BY the pid of the last operation, which only System V tells. Shared memory: ATTACHED is how often, MADE
BY and USED BY are pids, which only System V tells. Locks and friends (shm:, of
ipckit/sync): STATE is held, free, set, how many permits are free or how many wait in a barrier; HOLDER the pid of who
holds it, and SINCE since when. A dash is what is not known, or may not be seen by this user.

Only objects of this IPC namespace are listed, and of this /dev/shm: POSIX semaphores, POSIX shared memory, shm:
queues and locks lie there, and files that are none of these count as shared memory. A container has its own, see ipckit doctor.
FIFOs are not listed: they are files that may lie anywhere. A POSIX queue whose name is no UTF-8 is shown with \\xNN
for its bytes above 127; ipckit cannot open it, a C program can.`,
    )
  withNouns(command, (noun) => `only ${plurals[noun]}`)
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
  const askedFamilies = listable.filter((family) => options[family])
  const kinds = objectKinds.filter(
    ({ noun, family }) =>
      (asked.length === 0 || asked.includes(noun)) &&
      (askedFamilies.length === 0 || askedFamilies.includes(family)),
  )
  const found: ObjectFacts[] = []
  const tables = new Map<readonly Column[], string[][]>()
  for (const { listing, family, noun } of kinds) {
    if (listing === undefined) continue
    const { columns, row } = listing
    try {
      const objects = await listing.list()
      found.push(...objects)
      tables.set(columns, [...(tables.get(columns) ?? []), ...objects.map((facts) => row(facts))])
    } catch (error) {
      const what = `${families[family]} ${plurals[noun]} ${noun === 'memory' ? 'is' : 'are'}`
      complain(`The ${what} not listed: ${(error as Error).message}`)
      process.exitCode = exitCodes.partly
    }
  }
  if (options.json) return printJson(found)
  const printed: string[] = []
  for (const [columns, rows] of tables) if (rows.length > 0) printed.push(await table(columns, rows))
  if (printed.length > 0) await print(printed.join('\n'))
}
