/** Where queues, locks and all other objects in shared memory lie: files of one folder. */
import { readdirSync } from 'node:fs'

const directory = '/dev/shm'
const prefix = 'ipckit.'

/** The file of an object; `name` has a slash in front. */
export function fileOf(name: string): string {
  return `${directory}/${prefix}${name.slice(1)}`
}

/** The names of all files that look like such objects, sorted. What they are, a look into them tells. */
export function namesOfFiles(): string[] {
  let files: string[]
  try {
    files = readdirSync(directory)
  } catch (error) {
    // Without the folder there are none.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  return files
    .filter((file) => file.startsWith(prefix))
    .sort()
    .map((file) => `/${file.slice(prefix.length)}`)
}
