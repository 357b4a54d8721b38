/** Addresses of System V objects, and the names under which `ipckit/sysv` knows them. */
import { parseAddress } from '../index.js'
import { formatKey, ftok, type ObjectName } from '../sysv/index.js'

/** The name in an address, which begins with `sysv:`. */
export function sysvNameOf(address: string): ObjectName {
  return parseAddress(address).name as ObjectName
}

/** The address that `ipckit ls` shows: a key is always written in one way. */
export function addressOf(name: ObjectName): string {
  if (typeof name === 'string') return `sysv:${name}`
  if (typeof name === 'object' && 'id' in name) return `sysv:id=${name.id}`
  return `sysv:${formatKey(typeof name === 'number' ? name : ftok(name.path, name.project))}`
}
