/** Lone surrogates have no bytes: the kernel would be given another name than was said. */
import { Queue, text } from 'ipckit'
import { Connection, Fifo, Listener } from 'ipckit/pipe'
import * as posix from 'ipckit/posix'
import * as shm from 'ipckit/shm'
import * as sync from 'ipckit/sync'
import { ftok, SharedMemory } from 'ipckit/sysv'
import { expect, test } from 'vitest'
import { newName } from '../helpers/names.ts'

const half = `${newName()}\udc00`
const path = `/tmp${half}`

test.each<[string, () => unknown]>([
  ...['posix:', 'shm:', 'fifo:/tmp', 'sysv:/tmp', 'memory:'].flatMap((scheme): [string, () => unknown][] => [
    [`Queue.create of ${scheme}`, () => Queue.create(`${scheme}${half}`, { codec: text() })],
    [`Queue.open of ${scheme}`, () => Queue.open(`${scheme}${half}`, { codec: text() })],
  ]),
  ['posix.MessageQueue', () => posix.MessageQueue.create(half)],
  ['posix.unlink', () => posix.unlink(half)],
  ['posix.Semaphore', () => posix.Semaphore.create(half)],
  ['posix.SharedMemory', () => posix.SharedMemory.create(half, { sizeBytes: 1 })],
  ['posix.Memfd', () => posix.Memfd.create({ sizeBytes: 1, label: half })],
  ['shm.unlink', () => shm.unlink(half)],
  ['sync.Lock', () => sync.Lock.create(half)],
  ['sync.Event.open', () => sync.Event.open(half)],
  ['sync.stat', () => sync.stat(half)],
  ['sync.unlink', () => sync.unlink(half)],
  ['Fifo.create', () => Fifo.create(path)],
  ['Fifo.open', () => Fifo.open(path)],
  ['Listener.listen', () => Listener.listen(path)],
  ['Connection.connect', () => Connection.connect(path)],
  ['ftok', () => ftok(path, 1)],
  ['sysv.SharedMemory', () => SharedMemory.open({ path, project: 1 })],
])('%s refuses lone surrogates', async (_, make) => {
  await expect((async () => make())()).rejects.toThrow(
    /^Expected text without lone surrogates for `\w+`, received '/,
  )
})
