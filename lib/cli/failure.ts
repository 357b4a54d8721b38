/** How the command ends: its exit codes, and the sentence on stderr. Must load without the addon. */
import { isClosedPipe, visible } from './output.js'
import { inShellWords } from './words.js'

/** The exit codes; `docs/cli.md` and `ipckit --help` promise them. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  nothing: 3,
  notFound: 4,
  denied: 5,
  partly: 6,
} as const

/** The exit codes as `--help` lists them. */
export const exitCodesHelp = `
Exit codes:
  0  done
  1  failed; for doctor: something is bad
  2  wrong arguments, a value that does not fit the codec, or a codec that does not fit the queue
  3  the time was up, or there was nothing there
  4  no such object, or it was removed or shut down meanwhile
  5  no permission, or refused because what lies there is not to be trusted
  6  done in part: something could not be listed or decoded, and stderr says what
  128 + n  ended by signal n, such as 130 for Ctrl-C

IPCKIT_DEBUG=1 shows the stack of an error; NO_COLOR=1 turns colours off.`

/** A failure of the command itself, with the exit code that it ends with. */
export class CommandError extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number = exitCodes.failed) {
    super(message)
    this.exitCode = exitCode
  }
}

/** A signal ended the wait; there is nothing to say about it. */
export class Interrupted extends CommandError {
  constructor(signal: number) {
    super('', 128 + signal)
  }
}

/** What is not here is a failure: trying again, or asking otherwise, does not help as it is. */
const byErrorCode: Record<string, number> = {
  ERR_IPC_ENCODE: exitCodes.usage,
  ERR_IPC_TYPE: exitCodes.usage,
  ERR_IPC_KIND: exitCodes.usage,
  ERR_IPC_TIMEOUT: exitCodes.nothing,
  // Nothing comes any more.
  ERR_IPC_EOF: exitCodes.nothing,
  ENOENT: exitCodes.notFound,
  EIDRM: exitCodes.notFound,
  ERR_IPC_RECYCLED: exitCodes.notFound,
  ERR_IPC_SHUTDOWN: exitCodes.notFound,
  ERR_IPC_UNSAFE: exitCodes.denied,
  ERR_IPC_REFUSED: exitCodes.denied,
  EACCES: exitCodes.denied,
  EPERM: exitCodes.denied,
}

interface Facts {
  /** Only errors about a queue have it: `ENOENT` of a file is not "no such queue". */
  resource?: unknown
  code?: unknown
}

/** The exit code that an error stands for. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return error.exitCode
  if (!(error instanceof Error)) return exitCodes.failed
  const { resource, code } = error as Facts
  if (resource !== undefined) return byErrorCode[String(code)] ?? exitCodes.failed
  // The library's own words for arguments that it refuses.
  return error.message.startsWith('Expected ') ? exitCodes.usage : exitCodes.failed
}

/** Says on stderr what went wrong, and returns the exit code. A reader that left is no failure. */
export function report(error: unknown): number {
  if (isClosedPipe(error)) return exitCodes.ok
  const message = sentenceOf(error)
  if (message !== '') complain(message)
  if (process.env.IPCKIT_DEBUG === '1' && error instanceof Error) console.error(error)
  return exitCodeOf(error)
}

/** Writes one sentence to stderr. */
export function complain(sentence: string): void {
  process.stderr.write(`ipckit: ${visible(sentence)}\n`)
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as Facts
  const isOurs = typeof code === 'string' && code.startsWith('ERR_IPC_')
  // What stands in backticks there are fields of the user's own.
  const isAboutValue = code === 'ERR_IPC_ENCODE' || code === 'ERR_IPC_DECODE'
  const sentence = isAboutValue || error instanceof CommandError ? error.message : inShellWords(error.message)
  return isOurs ? `${sentence} (${code})` : sentence
}
