// What producers and workers wrote down. A line is appended with one write(2), so it survives the SIGKILL of who
// wrote it, whole or not at all.
import { existsSync, readFileSync } from 'node:fs'

/** The ids in the ledgers, one entry for each time that one was written. */
export function readIds(files) {
  const ids = []
  for (const file of files) {
    if (!existsSync(file)) continue
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      if (line === '') continue
      const entry = JSON.parse(line)
      const id = entry.id ?? entry.json?.id
      if (id !== undefined && id !== null) ids.push(id)
    }
  }
  return ids
}

/** Compares what was queued with what was done. */
export function audit(queued, done) {
  const seen = new Set(done)
  return {
    queued: queued.length,
    done: seen.size,
    missing: queued.filter((id) => !seen.has(id)),
    twice: done.length - seen.size,
  }
}
