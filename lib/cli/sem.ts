/** `ipckit sem`: waits for a semaphore, posts it, or reads its value. */
import type { Command } from 'commander'
import { parseAddress } from '../index.js'
import { Semaphore } from '../posix/index.js'
import { SemaphoreSet, type SemaphoreSetName } from '../sysv/index.js'
import { addressHelp, checkAddress, integer, milliseconds, permissions, withExamples } from './arguments.js'
import { CommandError, exitCodes } from './failure.js'
import { interruptible } from './interrupt.js'
import { print, printJson } from './output.js'
import { isPosix } from './queues.js'
import { runUnderSemaphore } from './sem-command.js'

interface Options {
  index?: number
  timeout?: number
  count?: number
  create?: boolean
  value?: number
  mode?: number
  json?: boolean
  permits?: number
  conflictExitCode?: number
}

const actions = ['wait', 'post', 'get'] as const
type Action = (typeof actions)[number]

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('<action>', 'wait, post or get; or the /name of a semaphore of ipckit/sync')
    .argument('<address...>', `${addressHelp}; behind a name: -- and the command to run`)
    .option('--index <n>', 'System V: which semaphore of the set, from 0', integer(0, 65_535))
    .option('--timeout <ms>', 'wait: how long; for ever unless given, 0 does not wait', milliseconds)
    .option('--count <n>', 'post: how much to add, 1 unless given', integer(1, 2 ** 31 - 1))
    .option('--create', 'make the semaphore when there is none: with System V a set of one')
    .option(
      '--value <n>',
      'with --create: the value that it begins with, 1 unless given',
      integer(0, 2 ** 31 - 1),
    )
    .option('--mode <mode>', 'with --create: who may use it, as in chmod; 600 unless given', permissions)
    .option('--json', 'get: a JSON object, for programs')
    .option('-n, --permits <n>', 'a command: how many run at a time, 1 unless given', integer(1, 2 ** 31 - 1))
    .option(
      '-E, --conflict-exit-code <n>',
      'a command: the exit code when the time was up, 3 unless given',
      integer(0, 255),
    )
    .action(choose)
    .addHelpText(
      'after',
      `
wait takes a permit and ends; nobody gives it back but a post, also with System V, as SEM_UNDO would give it back with
the end of this command. Ctrl-C ends the wait, and nothing is taken then. get prints the values, one a line.

With a name and a command a permit of that semaphore in shared memory is held while the command runs, and comes back
whatever its end is. The exit code is that of the command. -n says how many permits there are when it is made; of one
that is there its own value holds.`,
    )
  withExamples(
    command,
    [
      'One of four at a time',
      'ipckit sem wait posix:/slots --create --value 4 && work; ipckit sem post posix:/slots',
    ],
    ['The same, and a permit comes back also when the work is killed', 'ipckit sem /slots -n 4 -- work'],
    ['Give up after a second', 'ipckit sem wait sysv:0x1234 --index 2 --timeout 1000'],
    ['How many are free?', 'ipckit sem get posix:/slots'],
  )
}

/** What the command needs of either kind. */
interface Handle {
  wait(options: { timeoutMs?: number; signal: AbortSignal }): Promise<unknown>
  post(count: number): void
  values(): number[]
  close(): Promise<void>
}

async function choose(first: string, rest: string[], options: Options): Promise<void> {
  const isAction = (text: string): text is Action => (actions as readonly string[]).includes(text)
  if (!isAction(first)) return runUnderSemaphore(first, rest, options)
  const { permits, conflictExitCode } = options
  if (permits !== undefined || conflictExitCode !== undefined)
    throw new CommandError('Expected -n and -E with a name and a command', exitCodes.usage)
  const [address, ...others] = rest as [string, ...string[]]
  if (others.length > 0)
    throw new CommandError(`Expected one address, received ${rest.join(' ')}`, exitCodes.usage)
  return run(first, address, options)
}

async function run(action: Action, address: string, options: Options): Promise<void> {
  checkAddress(address)
  checkOptions(action, address, options)
  const handle = isPosix(address) ? openPosix(address, options) : openSysv(address, options)
  try {
    if (action === 'post') handle.post(options.count ?? 1)
    else if (action === 'get') await show(address, handle.values(), options)
    else {
      const timeout = options.timeout === undefined ? {} : { timeoutMs: options.timeout }
      await interruptible((signal) => handle.wait({ ...timeout, signal }))
    }
  } finally {
    await handle.close()
  }
}

function checkOptions(action: Action, address: string, options: Options): void {
  const refuse = (sentence: string) => {
    throw new CommandError(sentence, exitCodes.usage)
  }
  const { create, value, mode, index, timeout, count, json } = options
  if (!create && (value !== undefined || mode !== undefined))
    refuse('Expected --value and --mode with --create')
  if (!isPosix(address) && !address.startsWith('sysv:')) {
    refuse(
      `Expected a posix: or sysv: address with ${action}, received ${address}; those of ipckit/sync are held while a command runs: ipckit sem /name -- COMMAND`,
    )
  }
  if (index !== undefined && isPosix(address)) refuse('Expected --index for System V semaphores only')
  if (timeout !== undefined && action !== 'wait') refuse('Expected --timeout with wait')
  if (count !== undefined && action !== 'post') refuse('Expected --count with post')
  if (address === 'sysv:private')
    refuse('Expected a key, a path or an id: nobody could find a private set again')
  if (json && action !== 'get') refuse('Expected --json with get')
}

function openPosix(address: string, { create, value, mode }: Options): Handle {
  const name = address.slice('posix:'.length)
  const wishes = { ...(value !== undefined && { value }), ...(mode !== undefined && { mode }) }
  const semaphore = create ? Semaphore.openOrCreate(name, wishes) : Semaphore.open(name)
  return {
    wait: (options) => semaphore.acquire(options),
    post: (count) => semaphore.release(count),
    values: () => [semaphore.value],
    close: () => semaphore.close(),
  }
}

function openSysv(address: string, { create, value = 1, mode, index }: Options): Handle {
  const name = parseAddress(address).name as SemaphoreSetName
  const set = create
    ? SemaphoreSet.openOrCreate(name, { values: [value], ...(mode !== undefined && { mode }) })
    : SemaphoreSet.open(name)
  const semaphore = index ?? 0
  return {
    // The kernel would undo it at once, when this process ends.
    wait: (options) => set.acquire({ semaphore, undo: false, ...options }),
    post: (count) => set.release({ semaphore, count }),
    values: () => (index === undefined ? set.values() : [set.value(index)]),
    close: () => set.close(),
  }
}

async function show(address: string, values: number[], { json }: Options): Promise<void> {
  if (json) await printJson({ address, values })
  else await print(values.map((value) => `${value}\n`).join(''))
}
