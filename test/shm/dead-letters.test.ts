/** Messages that are given up: after too many deliveries, or by their holder. */
import { DecodeError, json, Queue, raw } from 'ipckit'
import { expect, test } from 'vitest'
import { again, create, createOf, delivery, drain, factsOf, keep } from './support.ts'

test('a message is given up after its last delivery', async () => {
  const queue = await create({ maxDeliveries: 3, deadLetters: 4 })
  await queue.put('a', { priority: 5 })
  for (let count = 1; count <= 3; count++) {
    const lease = await queue.lease()
    expect(factsOf(lease)).toEqual(delivery('a', count, 5))
    lease.nack()
  }
  expect(queue.tryLease()).toBeUndefined()
  expect(queue.stat()).toMatchObject({
    depth: 0,
    inFlight: 0,
    maxDeliveries: 3,
    deadLetters: 1,
    totals: { put: 1, done: 1, redelivered: 2, dead: 1, dropped: 0 },
  })
  expect(queue.tryGetDeadLetter()).toBe('a')
  expect(queue.tryGetDeadLetter()).toBeUndefined()
  expect(queue.stat().deadLetters).toBe(0)
})

test('the last delivery can be acknowledged', async () => {
  const queue = await create({ maxDeliveries: 1, deadLetters: 4 })
  await queue.put('a')
  ;(await queue.lease()).ack()
  expect(queue.stat()).toMatchObject({ deadLetters: 0, totals: { done: 1, dead: 0 } })
})

test('a lease that runs out counts as a delivery', async () => {
  const queue = await create({ maxDeliveries: 2, deadLetters: 4 })
  await queue.put('a')
  await queue.lease({ leaseMs: 5 })
  await queue.lease({ leaseMs: 5 })
  await expect(queue.lease({ timeoutMs: 100 })).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
  expect(queue.stat()).toMatchObject({ deadLetters: 1, totals: { expired: 2, dead: 1 } })
  expect(queue.tryGetDeadLetter()).toBe('a')
})

test('a handle that is closed gives up what it held for the last time', async () => {
  const queue = await create({ maxDeliveries: 1, deadLetters: 4 })
  const other = await again(queue)
  await queue.put('a')
  await other.lease()
  await other.close()
  expect(queue.tryGetDeadLetter()).toBe('a')
})

test('dead letters are kept in the order in which they were given up, the oldest goes first', async () => {
  const queue = await create({ deadLetters: 3 })
  await queue.putMany(['a', 'b', 'c', 'd', 'e'])
  const leases = await queue.leaseMany(5)
  for (const at of [4, 0, 3, 1, 2]) leases[at]?.reject()
  expect(queue.stat()).toMatchObject({ deadLetters: 3, totals: { done: 5, dead: 5, dropped: 2 } })
  const other = await again(queue)
  expect([other.tryGetDeadLetter(), queue.tryGetDeadLetter(), other.tryGetDeadLetter()]).toEqual([
    'd',
    'b',
    'c',
  ])
  expect(queue.tryGetDeadLetter()).toBeUndefined()
})

test('a queue without room for dead letters drops them', async () => {
  const queue = await create({ maxDeliveries: 1 })
  await queue.putMany(['a', 'b'])
  const [a, b] = await queue.leaseMany(2)
  a?.reject()
  b?.nack()
  expect(queue.tryGetDeadLetter()).toBeUndefined()
  expect(queue.stat()).toMatchObject({ deadLetters: 0, totals: { done: 2, dead: 2, dropped: 2 } })
})

test('dead letters take no room from the others', async () => {
  const queue = await create({ capacity: 2, deadLetters: 2 })
  await queue.putMany(['a', 'b'])
  for (const lease of await queue.leaseMany(2)) lease.reject()
  expect(await queue.putMany(['c', 'd'])).toBe(2)
  expect(queue.tryPut('e')).toBe(false)
  expect(drain(queue)).toEqual(['c', 'd'])
  expect([queue.tryGetDeadLetter(), queue.tryGetDeadLetter()]).toEqual(['a', 'b'])
})

test('a large dead letter is whole', async () => {
  const queue = await createOf(raw(), { maxMessageBytes: 1 << 20, deadLetters: 1 })
  const large = Buffer.alloc(1 << 20, 'large')
  await queue.put(large)
  ;(await queue.lease()).reject()
  expect(large.equals(queue.tryGetDeadLetter() as Uint8Array)).toBe(true)
})

test('a dead letter that cannot be decoded is taken, and its bytes are on the error', async () => {
  const queue = await createOf(json(), { deadLetters: 1 })
  const bytes = keep(await Queue.open(queue.address as 'shm:/x', { codec: raw(), anyType: true }))
  await bytes.put(Buffer.from('{'))
  ;(await bytes.lease()).reject()
  expect(() => queue.tryGetDeadLetter()).toThrow(DecodeError)
  expect(queue.stat().deadLetters).toBe(0)
})

test('a closed handle has no dead letters', async () => {
  const queue = await create({ deadLetters: 1 })
  await queue.close()
  expect(() => queue.tryGetDeadLetter()).toThrow(expect.objectContaining({ code: 'ERR_IPC_CLOSED' }))
})
