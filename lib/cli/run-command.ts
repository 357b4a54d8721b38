/** Runs a command while something is held, as flock(1) does: its signals, its exit code, and its end with ours. */
import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import type { SyncObject } from '../sync/index.js'
import { CommandError } from './failure.js'

/** What a shell says of a command that is not there, or may not be run. */
const notFound = 127
const notExecutable = 126

/** What is sent on to the command. From a terminal it has them already, as it is in the same group of processes. */
const forwarded = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const
const fromTerminal = ['SIGINT', 'SIGQUIT'] as const

/**
 * Runs a command, and resolves with the exit code that it stands for: its own, or 128 and the number of the signal that
 * ended it.
 *
 * @param held - what the command inherits, so that it stays held until the command has ended, also when this process is
 *   killed. Undefined to keep it from the command.
 */
export async function runCommand(command: readonly string[], held: SyncObject | undefined): Promise<number> {
  const [file, ...args] = command as [string, ...string[]]
  const descriptor = held?.duplicateDescriptor()
  const stdio = ['inherit', 'inherit', 'inherit', ...(descriptor === undefined ? [] : [descriptor])] as const
  const child = spawn(file, args, { stdio: [...stdio] })
  if (descriptor !== undefined) closeSync(descriptor)
  // Not process.stdin, which would take the command's input into its own hands.
  const signals = isatty(0) ? forwarded : [...forwarded, ...fromTerminal]
  const forward = (name: NodeJS.Signals) => void child.kill(name)
  const ignore = () => {}
  for (const name of signals) process.on(name, forward)
  for (const name of fromTerminal) process.on(name, ignore)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) => reject(cannotRun(file, error)))
      child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]))
    })
  } finally {
    for (const name of signals) process.off(name, forward)
    for (const name of fromTerminal) process.off(name, ignore)
  }
}

function cannotRun(file: string, { code, message }: NodeJS.ErrnoException): CommandError {
  return code === 'ENOENT'
    ? new CommandError(`There is no command ${file}`, notFound)
    : new CommandError(`Cannot run ${file}: ${message}`, notExecutable)
}

/** A name of a lock or a semaphore: `/name`, `name` or `shm:/name`. */
export function nameOf(text: string): string {
  const name = text.startsWith('shm:') ? text.slice('shm:'.length) : text
  return name.startsWith('/') ? name : `/${name}`
}
