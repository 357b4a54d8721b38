/** `ipckit rm`: removes objects for everyone. */
import type { Command } from 'commander'
import { NotFoundError } from '../index.js'
import { addressHelp, withExamples } from './arguments.js'
import { CommandError, exitCodeOf, exitCodes, report } from './failure.js'
import { kindOf, plurals, withNouns } from './kinds.js'
import { print, visible } from './output.js'

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('<address...>', addressHelp)
    .option('-f, --force', 'do not mind what does not exist')
    .action(run)
    .addHelpText(
      'after',
      `
Prints what was removed. The messages in it are gone; ipckit recv --all takes them out first. Addresses are taken
as they are: there are no wildcards. Whoever waits in the queue through ipckit fails with EIDRM; a C program that has
a POSIX queue open goes on with it, but nobody finds it any more. So does everybody who has a POSIX semaphore, a shared
memory or a FIFO open.`,
    )
  withNouns(
    command,
    (noun) =>
      `the addresses are those of ${plurals[noun]}${noun === 'queue' ? ', as they are unless given' : ''}`,
  )
  withExamples(
    command,
    ['Remove two queues', 'ipckit rm posix:/jobs sysv:0x1234'],
    ['Remove a semaphore', 'ipckit rm --semaphore posix:/slots'],
    ['Remove a shared memory', 'ipckit rm --memory posix:/frames sysv:id=3'],
    ['Remove a lock', 'ipckit rm shm:/backup'],
    ['Remove a queue in shared memory, and a FIFO', 'ipckit rm shm:/jobs fifo:/run/app/jobs'],
    [
      'Remove the empty queues of a user',
      `ipckit ls --queue --json | jq -r '.[] | select(.owner == "ann" and .depth == 0).address' | xargs ipckit rm`,
    ],
  )
}

/** What is called by a name, and not by a key. */
const hasName = /^(posix|shm|fifo):/

async function run(
  addresses: string[],
  options: { force?: boolean } & Record<string, unknown>,
): Promise<void> {
  const { force = false } = options
  for (const address of addresses) kindOf(address, options)
  let failed = 0
  for (const address of addresses) {
    try {
      await print(`${visible(await kindOf(address, options).remove(address))}\n`)
    } catch (error) {
      // Without its file, the key of a System V address cannot be told.
      const isMissing = error instanceof NotFoundError && error.syscall !== 'ftok'
      if (isMissing && hasName.test(address) && /[*?[]/.test(address)) throw noWildcards(address)
      if (isMissing && force) continue
      report(isMissing ? notThere(address) : error)
      failed ||= exitCodeOf(error)
    }
  }
  if (failed !== 0) process.exitCode = failed
}

function notThere(address: string): CommandError {
  const known = address.startsWith('fifo:') ? '' : 'ipckit ls lists what there is, and '
  return new CommandError(
    `Cannot remove ${address} (ENOENT): there is no such object; ${known}--force does not mind`,
    exitCodes.notFound,
  )
}

function noWildcards(address: string): CommandError {
  return new CommandError(
    `There is no ${address}, and rm knows no wildcards: name each object, as ipckit ls lists them`,
    exitCodes.usage,
  )
}
