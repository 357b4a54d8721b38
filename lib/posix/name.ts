/** Names of POSIX IPC objects: mq_overview(7), shm_overview(7). */
import { checkString, outOfRange } from '../options.js'

const maxNameBytes = 255

/** Checks a name: a slash, then 1 to 255 bytes without another slash. */
export function checkName(name: string, value: unknown): string {
  const text = checkString(name, value)
  const expected = `a slash followed by 1 to ${maxNameBytes} bytes without a slash or NUL`
  const rest = text.slice(1)
  if (!text.startsWith('/') || rest.includes('/') || rest.includes('\0') || ['', '.', '..'].includes(rest)) {
    throw outOfRange(name, expected, value)
  }
  const bytes = Buffer.byteLength(rest)
  if (bytes > maxNameBytes) throw outOfRange(name, expected, `a name of ${bytes} bytes`)
  return text
}
