/** `ipckit sem NAME -- command`: runs a command while it holds a permit. */
import { Semaphore } from '../sync/index.js'
import { CommandError, complain, exitCodes } from './failure.js'
import { interruptible } from './interrupt.js'
import { nameOf, runCommand } from './run-command.js'

/** Options of `ipckit sem` that a command goes with. */
export interface CommandOptions {
  permits?: number
  timeout?: number
  conflictExitCode?: number
  mode?: number
  index?: number
  count?: number
  create?: boolean
  value?: number
  json?: boolean
}

/** Runs the command, and ends as it does. */
export async function runUnderSemaphore(
  text: string,
  command: readonly string[],
  options: CommandOptions,
): Promise<void> {
  const { permits = 1, timeout, conflictExitCode = exitCodes.nothing, mode } = options
  for (const name of ['index', 'count', 'create', 'value', 'json'] as const) {
    if (options[name] !== undefined)
      throw new CommandError(
        `Expected --${name} with wait, post or get, and not with ${text}, a name`,
        exitCodes.usage,
      )
  }
  // A name without a slash would be taken for a misspelled action.
  if (!/^(shm:)?\//.test(text))
    throw new CommandError(
      `Expected wait, post, get, or a name such as /slots, received ${text}`,
      exitCodes.usage,
    )
  const semaphore = Semaphore.openOrCreate(nameOf(text), {
    value: permits,
    ...(mode !== undefined && { mode }),
  })
  try {
    const time = timeout === undefined ? {} : { timeoutMs: timeout }
    const permit = await interruptible((signal) => semaphore.acquire({ ...time, signal }))
    process.exitCode = await runCommand(command, semaphore)
    permit.release()
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_IPC_TIMEOUT') throw error
    complain((error as Error).message)
    process.exitCode = conflictExitCode
  } finally {
    await semaphore.close()
  }
}
