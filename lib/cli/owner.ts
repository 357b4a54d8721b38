/** Whose an object is, and who may use it. */
import { readFileSync } from 'node:fs'

let names: Map<number, string> | undefined

/** The name of a user by /etc/passwd, or the number where it has none there. */
export function userName(uid: number): string {
  names ??= readNames()
  return names.get(uid) ?? String(uid)
}

function readNames(): Map<number, string> {
  let file: string
  try {
    file = readFileSync('/etc/passwd', 'utf8')
  } catch {
    return new Map()
  }
  return namesIn(file)
}

/** The names in the text of a passwd(5) file. Of two names for a user the first counts. */
export function namesIn(file: string): Map<number, string> {
  const entries = file
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([name, , uid]) => name && uid && /^\d+$/.test(uid))
    .map(([name, , uid]) => [Number(uid), name as string] as const)
  return new Map(entries.reverse())
}

/** The key of a System V object as ipcs(1) shows it; null when it is private. */
export function keyText(key: number): string | null {
  return key === 0 ? null : `0x${key.toString(16).padStart(8, '0')}`
}

/** What System V queues and semaphores have beside: how they are found, and who made them. */
export function origin(state: { id: number; key: number; creatorUid: number; creatorGid: number }) {
  const { id, key, creatorUid, creatorGid } = state
  return { id, key: keyText(key), creator: userName(creatorUid), creatorUid, creatorGid }
}

/** Permission bits as chmod(1) has them. */
export function octal(mode: number): string {
  return `0${mode.toString(8).padStart(3, '0')}`
}

/** The facts that every object has. */
export function whose({ uid, gid, mode }: { uid: number; gid: number; mode: number }) {
  return { owner: userName(uid), uid, gid, mode: octal(mode) }
}
