/** The arguments with which FIFOs are named and made. */
import { checkId, checkText, outOfRange } from '../options.js'

/** Options of opening what others may have made. */
export interface OwnerOption {
  /**
   * Whose FIFO it may be: a uid, or `'any'`. By default this user's or root's: where others may write into the folder,
   * as into /tmp, they could have put one there to read what is sent.
   */
  owner?: number | 'any' | undefined
}

const longestPath = 4095

export function checkPath(value: unknown): string {
  const path = checkText('path', value)
  const bytes = Buffer.byteLength(path)
  if (bytes === 0 || bytes > longestPath || path.includes('\0')) {
    throw outOfRange('path', `a path of 1 to ${longestPath} bytes without a NUL`, value)
  }
  return path
}

/** As the addon takes it: -1 this user's or root's, -2 anybody's. */
export function checkOwner(value: unknown): number {
  if (value === undefined) return -1
  if (value === 'any') return -2
  return checkId('owner', value)
}
