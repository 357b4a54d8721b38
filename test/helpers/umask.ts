import { isMainThread } from 'node:worker_threads'

/** Runs with that umask. A worker thread may not set the process's, so there the umask is what it is. */
export function withUmask(mask: number, run: () => void): void {
  if (!isMainThread) {
    run()
    return
  }
  const before = process.umask(mask)
  try {
    run()
  } finally {
    process.umask(before)
  }
}
