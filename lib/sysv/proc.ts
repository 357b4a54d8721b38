/** The lists that the kernel keeps of System V objects, in /proc/sysvipc, which every user may read: proc_sysvipc(5). */
import { readFileSync } from 'node:fs'
import { formatKey, privateKey } from './key.js'

/** What every kind of object has. */
export interface ListedObject {
  readonly id: number
  /** 0 for a private object, and for a segment that was removed while it is attached. */
  readonly key: number
  /** `sysv:0x00001234`, or `sysv:id=5` for a private object. */
  readonly address: string
  readonly mode: number
}

/** All objects of one kind in this IPC namespace, sorted by id; `rest` reads the columns behind key, id and mode. */
export function listObjects<R extends object>(
  kind: 'msg' | 'sem' | 'shm',
  rest: (column: (at: number) => number) => R,
): Array<ListedObject & R> {
  const [, ...lines] = readFileSync(`/proc/sysvipc/${kind}`, 'utf8').trimEnd().split('\n')
  return lines.map((line) => readLine(line, rest)).sort((one, other) => one.id - other.id)
}

function readLine<R extends object>(line: string, rest: (column: (at: number) => number) => R) {
  const fields = line.trim().split(/\s+/)
  const column = (at: number) => Number(fields[at])
  const key = column(0) >>> 0
  const id = column(1)
  return {
    id,
    key,
    address: key === privateKey ? `sysv:id=${id}` : `sysv:${formatKey(key)}`,
    // Shown in octal, with the kernel's own bits above.
    mode: Number.parseInt(fields[2] as string, 8) & 0o777,
    ...rest(column),
  }
}

/** In which columns its owner and its creator stand. */
const owners = { msg: [7, 9], sem: [4, 6] } as const

/** Whether the object of that key belongs to this user, or was made by them. */
export function isOwn(kind: keyof typeof owners, key: number): boolean {
  const [owner, creator] = owners[kind]
  const user = process.geteuid?.()
  return listObjects(kind, (column) => ({ own: column(owner) === user || column(creator) === user })).some(
    (entry) => entry.key === key >>> 0 && entry.own,
  )
}
