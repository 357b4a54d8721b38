/** Leases that are given up while messages flow, and what this process holds when all is over. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Lease } from 'ipckit'
import { expect, test } from 'vitest'
import { settledCounts } from '../helpers/counts.ts'
import { randomFrom, seed } from '../helpers/random.ts'
import { again, create, delivery, factsOf } from './support.ts'

test(`10,000 aborted leases while messages flow lose and duplicate nothing (seed ${seed})`, {
  timeout: 120_000,
}, async () => {
  const random = randomFrom(seed)
  const queue = await create({ capacity: 64 })
  const other = await again(queue)
  const seen = new Map<string, number>()
  let aborted = 0
  let put = 0
  let returned = 0
  const settle = (lease: Lease<string>) => {
    expect(lease.deliveryCount).toBe((seen.get(lease.value) ?? 0) + 1)
    seen.set(lease.value, lease.deliveryCount)
    if (random(4) > 0) return lease.ack()
    lease.nack(random(8) === 0 ? { delayMs: 1 } : {})
    returned++
  }
  while (aborted < 10_000) {
    const waits: Promise<void>[] = []
    for (let count = 0; count < 16; count++) {
      const abort = new AbortController()
      const lease = (random(2) === 0 ? queue : other).lease({
        signal: abort.signal,
        leaseMs: random(2) * 60_000,
      })
      waits.push(
        lease.then(settle, (reason) => {
          if (reason !== 'no more') throw reason
          aborted++
        }),
      )
      if (random(8) > 0) abort.abort('no more')
      else setTimeout(() => abort.abort('no more'), random(3))
      if (random(8) === 0 && queue.tryPut(String(put))) put++
    }
    await nextTurn()
    await Promise.all(waits)
  }
  const left: string[] = []
  for (;;) {
    const { depth, inFlight } = queue.stat()
    expect(inFlight).toBe(0)
    if (depth === 0) break
    const lease = await other.lease()
    left.push(lease.value)
    lease.ack()
  }
  const { totals } = queue.stat()
  expect(totals).toMatchObject({ put, done: put, redelivered: returned, expired: 0 })
  const values = Array.from({ length: put }, (_, at) => String(at))
  expect([...new Set([...seen.keys(), ...left])].sort()).toEqual(values.sort())
  expect(put).toBeGreaterThan(100)
})

test('threads and descriptors return when queues are closed, in whatever state', async () => {
  const round = async () => {
    const queue = await create({ joinable: true, deadLetters: 2 })
    const other = await again(queue)
    const waits = [other.lease(), other.leases({ leaseMs: 5000 }).next(), queue.get(), other.join()]
    await queue.putMany(['a', 'b', 'c'])
    await queue.put('d')
    await other.lease()
    const joined = queue.join()
    await Promise.all(waits.slice(0, 3))
    await Promise.all([queue.close(), other.close()])
    await expect(joined).rejects.toMatchObject({ code: 'ERR_IPC_CLOSED' })
    await waits[3]?.catch(() => {})
    await queue.unlink().catch(() => {})
  }
  await round()
  const before = await settledCounts()
  for (let count = 0; count < 20; count++) await round()
  const after = await settledCounts()
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors)
  expect(after.threads).toBeLessThanOrEqual(before.threads)
})

test('many leases of one handle are told apart, whatever the order in which they are settled', async () => {
  const random = randomFrom(seed)
  const queue = await create({ capacity: 2000 })
  const held: Lease<string>[] = []
  let next = 0
  for (let turn = 0; turn < 20_000; turn++) {
    if (random(2) === 0 && queue.tryPut(String(next))) next++
    if (random(2) === 0) {
      const lease = queue.tryLease()
      if (lease !== undefined) held.push(lease)
    }
    if (random(3) === 0 && held.length > 0) {
      const [lease] = held.splice(random(held.length), 1) as [Lease<string>]
      lease.ack()
      expect(lease.settled).toBe(true)
    }
  }
  const { totals, inFlight } = queue.stat()
  expect(inFlight).toBe(held.length)
  expect(totals.redelivered).toBe(0)
  for (const lease of held) {
    expect(factsOf(lease)).toEqual(delivery(lease.value))
    lease.ack()
  }
  expect(queue.stat().inFlight).toBe(0)
})
