/** Names of POSIX IPC objects: mq_overview(7), shm_overview(7). */
import { checkString, outOfRange } from '../options.js'

/** Checks a name: a slash, then 1 to `maxNameBytes` bytes without another slash. */
export function checkName(name: string, value: unknown, maxNameBytes = 255): string {
  const text = checkString(name, value)
  const expected = `a slash followed by 1 to ${maxNameBytes} bytes without a slash or NUL`
  const rest = text.slice(1)
  if (!text.startsWith('/') || rest.includes('/') || rest.includes('\0') || ['', '.', '..'].includes(rest)) {
    throw outOfRange(name, expected, value)
  }
  // Half of a surrogate pair would become U+FFFD on its way to the kernel, and the object have another name than was said.
  if (/\p{Surrogate}/u.test(rest)) throw outOfRange(name, 'text without half of a surrogate pair', value)
  const bytes = Buffer.byteLength(rest)
  if (bytes > maxNameBytes) {
    throw new RangeError(`Expected ${expected} for \`${name}\`, received a name of ${bytes} bytes`)
  }
  return text
}
