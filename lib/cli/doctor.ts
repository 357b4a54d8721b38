/** `ipckit doctor`: what limits queues here, how much of it is used, and how to raise it. */
import type { Command } from 'commander'
import { addressHelp, checkAddress, withExamples } from './arguments.js'
import { worst } from './doctor/check.js'
import { examine } from './doctor/checks.js'
import { collectFacts } from './doctor/facts.js'
import { KernelFiles } from './doctor/kernel-files.js'
import { systemProbes } from './doctor/probes.js'
import { queueChecks } from './doctor/queue-checks.js'
import { render } from './doctor/render.js'
import { exitCodes } from './failure.js'
import { print, printJson } from './output.js'

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('[address]', `look at this queue too: ${addressHelp}`)
    .option('--json', 'a JSON object, for programs; what is not known is null')
    .action(run)
    .addHelpText(
      'after',
      `
Tells where this process runs, every limit that applies to its queues, how much of it is used and by whom, and the
commands that raise it here: on a host, in Docker or podman, or in Kubernetes. Limits are those of whoever runs the
doctor: run it as the user and in the container of your program. It makes two small queues and removes them at once,
to see whether that is possible.

Exit code 1 when something is bad, 0 when all is well or only to watch.`,
    )
  withExamples(
    command,
    ['Before a service starts', 'ipckit doctor && exec node service.js'],
    ['Why can nobody send here?', 'ipckit doctor posix:/jobs'],
    ['What is not ok, for a program', `ipckit doctor --json | jq '.checks[] | select(.verdict != "ok")'`],
  )
}

async function run(address: string | undefined, { json = false }: { json?: boolean }): Promise<void> {
  if (address !== undefined) checkAddress(address)
  const files = new KernelFiles()
  const facts = await collectFacts(files, process.env, systemProbes)
  const checks = [...(address === undefined ? [] : await queueChecks(address)), ...examine(facts)]
  const verdict = worst(checks)
  if (verdict === 'bad') process.exitCode = exitCodes.failed
  if (!json) return print(await render(checks))
  const { place, namespaces, user } = facts
  // JSON has no infinity.
  const plain = JSON.parse(
    JSON.stringify({ verdict, place, user, namespaces, checks }, (_, value) =>
      value === Number.POSITIVE_INFINITY ? 'unlimited' : value,
    ),
  )
  return printJson(plain)
}
