/** What CPython's own tests ask of semaphores: the behaviours of `_TestSemaphore`, see lock.test.ts. */
import { TimeoutError } from 'ipckit'
import { BoundedSemaphore, Semaphore } from 'ipckit/sync'
import { expect, test } from 'vitest'
import { keep, name } from '../sync/support.ts'

const timeoutMs = 100

/** From two permits to none and back. */
async function use(semaphore: Semaphore): Promise<void> {
  expect(semaphore.value).toBe(2)
  await semaphore.acquire()
  expect(semaphore.value).toBe(1)
  await semaphore.acquire()
  expect(semaphore.value).toBe(0)
  expect(semaphore.tryAcquire()).toBeUndefined()
  expect(semaphore.value).toBe(0)
  expect(semaphore.release()).toBeUndefined()
  expect(semaphore.value).toBe(1)
  expect(semaphore.release()).toBeUndefined()
  expect(semaphore.value).toBe(2)
}

test('test_semaphore: two permits, and more when it is released more often', async () => {
  const semaphore = keep(Semaphore.create(name(), { value: 2 }))
  await use(semaphore)
  semaphore.release()
  expect(semaphore.value).toBe(3)
  semaphore.release()
  expect(semaphore.value).toBe(4)
})

test('test_bounded_semaphore: two permits, and never more', async () => {
  const semaphore = keep(BoundedSemaphore.create(name(), { value: 2 }))
  await use(semaphore)
  expect(() => semaphore.release()).toThrow(expect.objectContaining({ code: 'ERR_IPC_BOUND' }))
  expect(semaphore.value).toBe(2)
})

test('test_timeout: without a permit, at once or after the timeout', async () => {
  const semaphore = keep(Semaphore.create(name(), { value: 0 }))
  expect(semaphore.tryAcquire()).toBeUndefined()
  await expect(semaphore.acquire({ timeoutMs: 0 })).rejects.toThrow(TimeoutError)
  const begun = performance.now()
  await expect(semaphore.acquire({ timeoutMs })).rejects.toThrow(TimeoutError)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(timeoutMs - 2)
  const again = performance.now()
  expect(() => semaphore.acquireSync({ timeoutMs })).toThrow(TimeoutError)
  expect(performance.now() - again).toBeGreaterThanOrEqual(timeoutMs - 2)
})
