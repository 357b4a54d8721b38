/**
 * Tells those who wait on a POSIX queue or a FIFO that it was unlinked. The kernel tells nobody by itself; but either is
 * an inode, and inotify(7) says when the number of its names changes. One inotify descriptor per environment.
 */
import { native } from '../binding.js'
import { expect, newToken } from './engine.js'

const token = newToken()
const listeners = new Map<number, Set<() => void>>()
const changed = new Int32Array(64)

/**
 * Calls `tell` when the queue may have been unlinked, until the returned function is called. `start` begins the watch,
 * whose events are those of the token. Undefined where it cannot be watched: without /proc, without permission to read
 * the queue, or with all watches of the user in use.
 */
export function watchRemoval(start: (token: number) => number, tell: () => void): (() => void) | undefined {
  expect(token, onEvent)
  const watch = start(token)
  if (watch < 0) return undefined
  // Two handles on one queue share its watch.
  const told = listeners.get(watch) ?? new Set()
  listeners.set(watch, told)
  told.add(tell)
  return () => {
    told.delete(tell)
    if (told.size > 0 || listeners.get(watch) !== told) return
    listeners.delete(watch)
    native.mqUnwatchRemoval(watch)
  }
}

function onEvent(): void {
  let count: number
  do {
    count = native.mqRemovals(token, changed)
    for (const watch of changed.subarray(0, count)) {
      for (const tell of [...(listeners.get(watch) ?? [])]) tell()
    }
  } while (count === changed.length)
}
