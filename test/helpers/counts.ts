/** What this process holds now, to see that it is given back. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Threads of this process. Not counted are those of the test runner's bundler, which live in it where tests run in
 * worker threads, and end when they have rested for ten seconds.
 */
export function threads(): number {
  return readdirSync('/proc/self/task').filter((id) => {
    try {
      return !readFileSync(`/proc/self/task/${id}/comm`, 'utf8').startsWith('rolldown')
    } catch {
      // It ended after the listing.
      return false
    }
  }).length
}

/**
 * Open descriptors: queues, epoll, eventfd, sockets. Not counted are modules: Node 20 leaks the file that a
 * worker is reading when it is terminated in an import.
 */
export function descriptors(): number {
  return readdirSync('/proc/self/fd').filter((number) => {
    try {
      return !/\.m?[jt]s$/.test(readlinkSync(`/proc/self/fd/${number}`))
    } catch {
      // The descriptor of this listing, closed by now.
      return false
    }
  }).length
}

/** Counts when the threads that rest for half a second after a wait have gone. */
export async function settledCounts(): Promise<{ threads: number; descriptors: number }> {
  await sleep(700)
  return { threads: threads(), descriptors: descriptors() }
}
