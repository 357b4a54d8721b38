/** What goes to stdout: lines, tables and JSON. Must load without the addon. */
import picocolors from 'picocolors'

const stdout = process.stdout
const onTerminal = stdout.isTTY === true
const wantsColour = onTerminal && !process.env.NO_COLOR && process.env.TERM !== 'dumb'

/** Colours that are none unless stdout is a terminal. */
export const colours = picocolors.createColors(wantsColour)

// A failed write is told to who wrote; without a listener it would end the process with a stack as well.
stdout.on('error', () => {})
process.stderr.on('error', () => {})

/**
 * Writes to stdout and resolves when it is written.
 *
 * @throws The error of the write; {@link isClosedPipe} tells a reader that left from a full disk.
 */
export function print(chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stdout.write(chunk, (error) => (error ? reject(error) : resolve()))
  })
}

/** Writes a value as JSON for programs. */
export function printJson(value: unknown): Promise<void> {
  return print(`${JSON.stringify(value, null, 2)}\n`)
}

/** Whether a write failed because nobody reads any more, as after `| head -1`. */
export function isClosedPipe(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED'
}

const escapes: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Control characters as escapes, so that what others sent or named cannot command the terminal. */
export function visible(text: string): string {
  return text.replace(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.charCodeAt(0).toString(16)
    return escapes[character] ?? (code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`)
  })
}

/** Text as it is for pipes and files, and {@link visible} on a terminal. */
export function forReader(text: string): string {
  return onTerminal ? visible(text) : text
}

/** Whether stdout is a terminal. */
export function isTerminal(): boolean {
  return onTerminal
}

/** A number as people read it: `819,200`; `-` when it is not known. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return '-'
  return value === Number.POSITIVE_INFINITY ? 'unlimited' : value.toLocaleString('en-US')
}

/** The pid of a process; `-` when there is none, or it is not visible from here. */
export function pid(value: number | null | undefined): string {
  return value === null || value === undefined || value === 0 ? '-' : String(value)
}

/** A column of a table. */
export interface Column {
  readonly head: string
  readonly align?: 'left' | 'right'
}

const noLines = Object.fromEntries(
  [
    ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
    ...['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'],
  ].map((part) => [part, '']),
)

/** Lays rows out in columns, without lines: what a person reads and `awk` can split. */
export async function table(columns: readonly Column[], rows: readonly string[][]): Promise<string> {
  const { default: Table } = await import('cli-table3')
  const hasHead = columns.some(({ head }) => head !== '')
  const laidOut = new Table({
    chars: noLines,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    colAligns: columns.map(({ align }) => align ?? 'left'),
    ...(hasHead ? { head: columns.map(({ head }) => colours.bold(head)) } : {}),
  })
  laidOut.push(...rows)
  const lines = laidOut.toString().split('\n')
  return lines.map((line) => `${line.trimEnd()}\n`).join('')
}
