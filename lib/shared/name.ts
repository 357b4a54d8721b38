/** Names of objects in shared memory: queues, locks and all the others share them. */
import { checkText, outOfRange } from '../options.js'

/** The C library takes names of up to 200 bytes, and makes files of them. */
export function checkName(value: unknown): string {
  const text = checkText('name', value)
  const rest = text.slice(1)
  const bytes = Buffer.byteLength(rest)
  if (!text.startsWith('/') || bytes < 1 || bytes > 200 || /[/\0]/.test(rest)) {
    throw outOfRange('name', 'a slash followed by 1 to 200 bytes without a slash or NUL', value)
  }
  return text
}
