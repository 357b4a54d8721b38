#!/usr/bin/env node
/** The `ipckit` command. Only the subcommand that is asked for is loaded. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { exitCodes, exitCodesHelp, report } from './failure.js'

interface Subcommand {
  readonly summary: string
  load(): Promise<{ define(command: Command): void }>
}

const subcommands: Record<string, Subcommand> = {
  ls: {
    summary: 'list the queues, semaphores, shared memory and locks of this machine',
    load: () => import('./ls.js'),
  },
  stat: { summary: 'tell everything that is known of one of them', load: () => import('./stat.js') },
  send: { summary: 'put messages into a queue', load: () => import('./send.js') },
  recv: { summary: 'take messages out of a queue', load: () => import('./recv.js') },
  peek: { summary: 'read messages and leave them in the queue', load: () => import('./peek.js') },
  tail: { summary: 'follow what happens in a queue', load: () => import('./tail.js') },
  shm: { summary: 'print what is in a shared memory', load: () => import('./shm.js') },
  rm: {
    summary: 'remove queues, semaphores, shared memory and locks for everyone',
    load: () => import('./rm.js'),
  },
  sem: {
    summary: 'wait for a semaphore, post it, read it, or run a command under it',
    load: () => import('./sem.js'),
  },
  lock: { summary: 'run a command while a lock is held', load: () => import('./lock.js') },
  codegen: { summary: 'print the C header or Python class of a struct', load: () => import('./codegen.js') },
  doctor: { summary: 'check the limits and what else may be in the way', load: () => import('./doctor.js') },
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

async function makeProgram(words: readonly string[]): Promise<Command> {
  const program = new Command('ipckit')
    .description('Linux queues, semaphores, shared memory and locks from the shell')
    .version(version(), '-V, --version')
    .exitOverride()
    .showHelpAfterError('(--help tells more)')
    .addHelpText(
      'after',
      `
Addresses:
  posix:/name                 POSIX queue; with --semaphore or --memory one of these
  sysv:0x1234                 System V queue, semaphore set or shared memory, by key
  sysv:id=5                   by id
  sysv:/etc/app.conf?proj=1   by the file that its key is made of, ftok(3)
  shm:/name                   queue in shared memory, which carries one type; lock, and other objects of ipckit/sync
  fifo:/run/app/jobs          FIFO that carries messages: send, recv, tail, stat, rm

Examples:
  $ ipckit send posix:/jobs hello --create
  $ ipckit ls
  $ ipckit recv posix:/jobs
  $ ipckit rm posix:/jobs
${exitCodesHelp}`,
    )
  const wanted = words.find((word) => Object.hasOwn(subcommands, word))
  for (const [name, { summary, load }] of Object.entries(subcommands)) {
    const command = program
      .command(name)
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
    if (name === wanted) (await load()).define(command)
  }
  return program
}

try {
  const program = await makeProgram(process.argv.slice(2))
  await program.parseAsync()
} catch (error) {
  // Commander has said already what is wrong, or printed the help that was asked for.
  if (error instanceof CommanderError)
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  else process.exitCode = report(error)
}
