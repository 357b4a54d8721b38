/**
 * What CPython's own tests ask of `multiprocessing.Lock` and `RLock`: one test for each behaviour of `_TestLock` in
 * Lib/test/_test_multiprocessing.py, named after it. interop/python/tests asks the same of the package in Python.
 *
 * Here and in the files beside this one, "another process" is one that opens the object by its name; Node.js cannot fork.
 */
import { Lock, RLock } from 'ipckit/sync'
import { expect, test } from 'vitest'
import { keep, name } from '../sync/support.ts'

const notHeld = expect.objectContaining({ code: 'ERR_IPC_NOT_HELD' })

test('test_lock: acquired once, not twice, released once, not twice', async () => {
  const lock = keep(Lock.create(name()))
  await lock.acquire()
  expect(lock.tryAcquire()).toBeUndefined()
  expect(lock.release()).toBeUndefined()
  expect(() => lock.release()).toThrow(notHeld)
})

test('test_rlock: acquired three times, released three times, not four', async () => {
  const lock = keep(RLock.create(name()))
  for (let turn = 0; turn < 3; turn++) await lock.acquire()
  for (let turn = 0; turn < 3; turn++) expect(lock.release()).toBeUndefined()
  expect(() => lock.release()).toThrow(notHeld)
})

test('test_lock_context: the end of a block releases it', async () => {
  const lock = keep(Lock.create(name()))
  {
    // What `using` does at the end of a block.
    const guard = await lock.acquire()
    expect(lock.locked).toBe(true)
    guard[Symbol.dispose]()
  }
  expect(lock.locked).toBe(false)
  await lock.run(() => expect(lock.locked).toBe(true))
  expect(lock.locked).toBe(false)
})
