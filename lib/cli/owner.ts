/** The names of users. */
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
