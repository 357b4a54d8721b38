/** Addresses of queues: a scheme, a colon, and what the transport makes of the rest. */
import { checkText, outOfRange } from '../options.js'
import type { Scheme } from './queue-options.js'

/** An address, taken apart. */
export type Address =
  | { scheme: 'posix'; name: string }
  | { scheme: 'sysv'; name: number | { path: string; project: number } | { id: number } | 'private' }
  | { scheme: 'fifo'; name: string }
  | { scheme: 'shm'; name: string }
  | { scheme: 'memory'; name: string }

const forms: Record<Scheme, string> = {
  posix: 'posix:/name',
  sysv: 'sysv:0x1234 (a key), sysv:id=5, sysv:/path?proj=1 or sysv:private',
  fifo: 'fifo:/path',
  shm: 'shm:/name',
  memory: 'memory:name',
}

/**
 * Reads an address, and says how the ones of its scheme look when it is not one. What has `name` may be opened
 * with the classes of `ipckit/posix` and `ipckit/sysv`.
 *
 * @throws `RangeError` when it is no address.
 * @example
 * ```ts
 * parseAddress('sysv:0x1234') // { scheme: 'sysv', name: 0x1234 }
 * ```
 */
export function parseAddress(value: unknown): Address {
  const text = checkText('address', value)
  const colon = text.indexOf(':')
  const scheme = text.slice(0, Math.max(colon, 0))
  const rest = text.slice(colon + 1)
  switch (scheme) {
    case 'posix':
    case 'shm':
      if (rest.startsWith('/')) return { scheme, name: rest }
      break
    case 'fifo':
      // The kernel would cut a path at its first NUL.
      if (/^\/[^\0]*[^\0/]$/.test(rest) && Buffer.byteLength(rest) < 4096) return { scheme, name: rest }
      break
    case 'memory':
      if (rest !== '') return { scheme, name: rest }
      break
    case 'sysv': {
      const name = parseSysv(rest)
      if (name !== undefined) return { scheme, name }
      break
    }
    default:
      throw outOfRange('address', `an address such as ${Object.values(forms).join(', ')}`, value)
  }
  throw outOfRange('address', `an address such as ${forms[scheme]}`, value)
}

function parseSysv(rest: string): Extract<Address, { scheme: 'sysv' }>['name'] | undefined {
  if (rest === 'private') return 'private'
  const id = /^id=(\d{1,10})$/.exec(rest)?.[1]
  if (id !== undefined) return { id: Number(id) }
  const key = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.exec(rest)?.[1]
  if (key !== undefined) return Number(key)
  const [, path, project] = /^(\/.*?)(?:\?proj=(\d{1,3}))?$/s.exec(rest) ?? []
  if (path === undefined) return undefined
  return { path, project: project === undefined ? 1 : Number(project) }
}
