/** `ipckit lock`: runs a command while it holds a lock. */
import { type Command, Option } from 'commander'
import { type Guard, Lock, list, RLock, RWLock } from '../sync/index.js'
import { integer, milliseconds, permissions, withExamples } from './arguments.js'
import { CommandError, complain, exitCodes } from './failure.js'
import { interruptible } from './interrupt.js'
import { nameOf, runCommand } from './run-command.js'

interface Options {
  shared?: boolean
  timeout?: number
  conflictExitCode?: number
  strict?: boolean
  close?: boolean
  create: boolean
  kind: keyof typeof kinds
  mode?: number
}

const kinds = { lock: Lock, rlock: RLock, rwlock: RWLock } as const
const kindOfName: Record<string, keyof typeof kinds> = { Lock: 'lock', RLock: 'rlock', RWLock: 'rwlock' }

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('<name>', 'the lock: /name')
    .argument('<command...>', 'what to run, behind --')
    .option('-s, --shared', 'hold it together with others who do: of an RWLock')
    .option('--timeout <ms>', 'how long to wait for it; for ever unless given, 0 does not wait', milliseconds)
    .option(
      '-E, --conflict-exit-code <n>',
      'the exit code when the time was up, 3 unless given',
      integer(0, 255),
    )
    .option('--strict', 'do not run the command when the last holder died while it held the lock')
    .option(
      '-o, --close',
      'do not pass the lock on to the command: it ends with this process, however that ends',
    )
    .option('--no-create', 'fail when there is no such lock')
    .addOption(
      new Option('--kind <kind>', 'what to make when there is none')
        .choices(Object.keys(kinds))
        .default('rwlock'),
    )
    .option('--mode <mode>', 'who may use one that is made, as in chmod; 600 unless given', permissions)
    .action(run)
    .addHelpText(
      'after',
      `
The exit code is that of the command, or 128 and the number of the signal that ended it. Signals are sent on to the
command. The lock is held until the command has ended, also when this process is killed meanwhile; when the command dies
with it, the next holder is told, here by a sentence on stderr. A lock that is there is used as it is, of whatever kind;
one that is made stays: ipckit rm shm:/name removes it.`,
    )
  withExamples(
    command,
    ['One backup at a time', 'ipckit lock /backup -- ./backup.sh'],
    ['Or not at all', 'ipckit lock /backup --timeout 0 -- ./backup.sh'],
    [
      'Many who read, one who writes',
      'ipckit lock --shared /index -- ./search.sh; ipckit lock /index -- ./rebuild.sh',
    ],
  )
}

async function run(text: string, command: string[], options: Options): Promise<void> {
  const name = nameOf(text)
  const lock = open(name, options)
  try {
    const guard = await acquire(lock, options)
    if (guard === undefined) return
    const { ownerDied } = guard
    if (ownerDied !== undefined) {
      complain(
        `The last holder of ${lock.address}, process ${ownerDied.pid} (${ownerDied.name}), died while it held it`,
      )
    }
    guard.lost.addEventListener('abort', () => complain((guard.lost.reason as Error).message), { once: true })
    process.exitCode = await runCommand(command, options.close ? undefined : lock)
    guard.release()
  } finally {
    await lock.close()
  }
}

/** Undefined when the time was up. */
async function acquire(lock: Lock | RLock | RWLock, options: Options): Promise<Guard | undefined> {
  const { timeout, shared, strict = false, conflictExitCode = exitCodes.nothing } = options
  const time = timeout === undefined ? {} : { timeoutMs: timeout }
  try {
    return await interruptible((signal) => {
      const wishes = { ...time, signal, strict }
      return shared ? (lock as RWLock).acquireShared(wishes) : lock.acquire(wishes)
    })
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_IPC_TIMEOUT') throw error
    complain((error as Error).message)
    process.exitCode = conflictExitCode
    return undefined
  }
}

function open(name: string, { shared, create, kind: wanted, mode }: Options): Lock | RLock | RWLock {
  const there = list().find((entry) => entry.name === name)?.kind
  const kind = there === undefined ? wanted : kindOfName[there]
  const refuse = (sentence: string) => new CommandError(sentence, exitCodes.usage)
  if (kind === undefined) throw refuse(`shm:${name} is a ${there}, and no lock`)
  if (shared && kind !== 'rwlock')
    throw refuse(
      `Expected an rwlock for --shared, and shm:${name} ${there === undefined ? 'was to be' : 'is'} a ${kind}`,
    )
  const type = kinds[kind]
  return create ? type.openOrCreate(name, mode === undefined ? {} : { mode }) : type.open(name)
}
