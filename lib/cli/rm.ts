/** `ipckit rm`: removes queues for everyone. */
import type { Command } from 'commander'
import { NotFoundError, Queue, raw } from '../index.js'
import { unlink } from '../posix/index.js'
import { addressHelp, checkAddress, withExamples } from './arguments.js'
import { CommandError, exitCodeOf, exitCodes, report } from './failure.js'
import { print, visible } from './output.js'
import { isPosix } from './queues.js'

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('<address...>', addressHelp)
    .option('-f, --force', 'do not mind queues that do not exist')
    .action(run)
    .addHelpText(
      'after',
      `
Prints what was removed. The messages in it are gone; ipckit recv --all takes them out first. Addresses are taken
as they are: there are no wildcards. Whoever waits in the queue through ipckit fails with EIDRM; a C program that has
a POSIX queue open goes on with it, but nobody finds it any more.`,
    )
  withExamples(
    command,
    ['Remove two queues', 'ipckit rm posix:/jobs sysv:0x1234'],
    [
      'Remove the empty queues of a user',
      `ipckit ls --json | jq -r '.[] | select(.owner == "ann" and .depth == 0).address' | xargs ipckit rm`,
    ],
  )
}

async function run(addresses: string[], { force = false }: { force?: boolean }): Promise<void> {
  for (const address of addresses) checkAddress(address)
  let failed = 0
  for (const address of addresses) {
    try {
      await print(`${visible(await remove(address))}\n`)
    } catch (error) {
      const isMissing = error instanceof NotFoundError
      if (isMissing && isPosix(address) && /[*?[]/.test(address)) throw noWildcards(address)
      if (isMissing && force) continue
      report(error)
      failed ||= exitCodeOf(error)
    }
  }
  if (failed !== 0) process.exitCode = failed
}

async function remove(address: string): Promise<string> {
  if (isPosix(address)) {
    // Without opening it: that would need more permission.
    unlink(address.slice('posix:'.length))
    return address
  }
  const queue = await Queue.open(address, { codec: raw() })
  try {
    await queue.unlink()
  } finally {
    await queue.close()
  }
  return queue.address
}

function noWildcards(address: string): CommandError {
  return new CommandError(
    `There is no queue ${address}, and rm knows no wildcards: name each queue, as ipckit ls lists them`,
    exitCodes.usage,
  )
}
