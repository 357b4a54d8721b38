/** Names of POSIX IPC objects: mq_overview(7), shm_overview(7). */
import { checkText, outOfRange } from '../options.js'

/** Checks a name: a slash, then 1 to `maxNameBytes` bytes without another slash. */
export function checkName(name: string, value: unknown, maxNameBytes = 255): string {
  const text = checkText(name, value)
  const expected = `a slash followed by 1 to ${maxNameBytes} bytes without a slash or NUL`
  const rest = text.slice(1)
  if (!text.startsWith('/') || rest.includes('/') || rest.includes('\0') || ['', '.', '..'].includes(rest)) {
    throw outOfRange(name, expected, value)
  }
  const bytes = Buffer.byteLength(rest)
  if (bytes > maxNameBytes) {
    throw new RangeError(`Expected ${expected} for \`${name}\`, received a name of ${bytes} bytes`)
  }
  return text
}
