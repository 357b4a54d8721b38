/**
 * Tells those who wait on a POSIX queue or a FIFO that it was unlinked. The kernel tells nobody by itself; but either is
 * an inode, and inotify(7) says when the number of its names changes. One inotify descriptor per environment.
 */
import { native } from '../binding.js'
import { expect, newToken } from './engine.js'

const token = newToken()
const listeners = new Map<number, Set<() => void>>()
const changed = new Int32Array(64)

/** The watch of an event that says that others were lost: IN_Q_OVERFLOW. */
const lost = -1

/** Where nothing can be watched: how long between looks. Sending looks as often (native/sys/posix_queue.cc). */
const lookEveryMs = 250

/**
 * Calls `tell` when the queue may have been unlinked, until the returned function is called. `start` begins the watch,
 * whose events are those of the token. Where it cannot be watched `tell` is called a few times a second: without /proc,
 * without permission to read the queue, or with all instances or watches of the user in use (fs.inotify).
 */
export function watchRemoval(start: (token: number) => number, tell: () => void): () => void {
  expect(token, onEvent)
  const watch = start(token)
  return watch < 0 ? lookNowAndThen(tell) : listen(watch, tell)
}

function lookNowAndThen(tell: () => void): () => void {
  const timer = setInterval(tell, lookEveryMs)
  // Whoever waits keeps the process alive, unless unref'd; the looks do not.
  timer.unref()
  return () => clearInterval(timer)
}

function listen(watch: number, tell: () => void): () => void {
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
      const told = watch === lost ? [...listeners.values()] : [listeners.get(watch) ?? []]
      for (const tell of told.flatMap((each) => [...each])) tell()
    }
  } while (count === changed.length)
}
