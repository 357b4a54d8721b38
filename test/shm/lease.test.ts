/** Messages on lease: they stay the queue's until they are settled, once, by who holds them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ClosedError, DecodeError, json, Lease, Queue, raw, type SharedQueue, TimeoutError } from 'ipckit'
import { describe, expect, test } from 'vitest'
import { isPending, until } from '../helpers/waiting.ts'
import { again, create, createOf, delivery, drain, factsOf, keep, stale } from './support.ts'

/** Every way to get hold of one message. */
const ways: Record<string, (queue: SharedQueue<string>) => Lease<string> | Promise<Lease<string>>> = {
  lease: (queue) => queue.lease(),
  tryLease: (queue) => queue.tryLease() as Lease<string>,
  leaseSync: (queue) => queue.leaseSync(),
  leaseMany: async (queue) => (await queue.leaseMany(1))[0] as Lease<string>,
  leases: async (queue) => (await queue.leases().next()).value as Lease<string>,
}

describe.each(Object.entries(ways))('%s', (name, way) => {
  test('holds a message, which is in flight until it is acknowledged', async () => {
    const queue = await create()
    await queue.put('a', { priority: 3 })
    const lease = await way(queue)
    expect(lease).toBeInstanceOf(Lease)
    expect(factsOf(lease)).toEqual(delivery('a', 1, 3))
    expect(lease.settled).toBe(false)
    expect(queue.stat()).toMatchObject({ depth: 0, inFlight: 1, totals: { put: 1, done: 0 } })
    expect(queue.tryGet()).toBeUndefined()
    lease.ack()
    expect(lease.settled).toBe(true)
    expect(queue.stat()).toMatchObject({ depth: 0, inFlight: 0, totals: { put: 1, done: 1, redelivered: 0 } })
  })

  test('brings a message that was given back, marked, before those that came later', async () => {
    const queue = await create()
    await queue.putMany(['a', 'b'])
    ;(await way(queue)).nack()
    expect(factsOf(await way(queue))).toEqual(delivery('a', 2))
    expect(factsOf(await way(queue))).toEqual(delivery('b'))
  })

  test('on a closed handle brings nothing', async () => {
    const queue = await create()
    await queue.put('a')
    await queue.close()
    const outcome = (async () => way(queue))()
    // A loop has come to its end.
    if (name === 'leases') expect(await outcome).toBeUndefined()
    else await expect(outcome).rejects.toThrow(ClosedError)
  })
})

describe('waiting for a lease', () => {
  test('lasts until another handle puts a message', async () => {
    const queue = await create()
    const waiting = queue.lease()
    expect(await isPending(waiting)).toBe(true)
    await (await again(queue)).put('a')
    expect(factsOf(await waiting)).toEqual(delivery('a'))
  })

  test('ends when the time is up, the signal is aborted, or the handle is closed', async () => {
    const queue = await create()
    const before = performance.now()
    await expect(queue.lease({ timeoutMs: 30 })).rejects.toThrow(TimeoutError)
    expect(() => queue.leaseSync({ timeoutMs: 30 })).toThrow(TimeoutError)
    expect(performance.now() - before).toBeGreaterThanOrEqual(59)
    const reason = new Error('enough')
    const abort = new AbortController()
    const aborted = queue.leaseMany(3, { signal: abort.signal })
    abort.abort(reason)
    await expect(aborted).rejects.toBe(reason)
    const closed = queue.lease({ leaseMs: 50 })
    const loop = queue.leases().next()
    await queue.close()
    await expect(closed).rejects.toThrow(ClosedError)
    expect(await loop).toEqual({ value: undefined, done: true })
  })

  test('is served in the order of the calls, whatever each wants of its lease', async () => {
    const queue = await create()
    const waits = [
      queue.lease({ leaseMs: 60_000 }),
      queue.get(),
      queue.lease(),
      queue.leaseMany(1, { leaseMs: 60_000 }).then(([lease]) => lease),
      queue.receive().then(({ value }) => value),
    ]
    await (await again(queue)).putMany(['a', 'b', 'c', 'd', 'e'])
    const values = (await Promise.all(waits)).map((each) => (each instanceof Lease ? each.value : each))
    expect(values).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(queue.stat()).toMatchObject({ depth: 0, inFlight: 3 })
  })
})

describe('leaseMany', () => {
  test('brings what is there, at most so many', async () => {
    const queue = await create()
    await queue.putMany(['a', 'b', 'c'])
    expect((await queue.leaseMany(2)).map(factsOf)).toEqual([delivery('a'), delivery('b')])
    expect((await queue.leaseMany(256)).map(factsOf)).toEqual([delivery('c')])
  })

  test('makes deliveries that are settled one by one, in any order', async () => {
    const queue = await create()
    await queue.putMany(['a', 'b', 'c', 'd'])
    const [a, b, c, d] = (await queue.leaseMany(4)) as [
      Lease<string>,
      Lease<string>,
      Lease<string>,
      Lease<string>,
    ]
    c.ack()
    b.nack()
    d.reject()
    expect(queue.stat()).toMatchObject({ depth: 1, inFlight: 1, totals: { done: 2, dead: 1 } })
    a.nack()
    expect(drain(queue)).toEqual(['a', 'b'])
  })
})

describe('leases', () => {
  test('brings one message after another, and none ahead', async () => {
    const queue = await create()
    await queue.putMany(['a', 'b', 'c', 'd'])
    const seen: string[] = []
    for await (const lease of queue.leases()) {
      expect(queue.stat().inFlight).toBe(1)
      seen.push(lease.value)
      lease.ack()
      if (lease.value === 'c') break
    }
    expect(seen).toEqual(['a', 'b', 'c'])
    expect(queue.stat()).toMatchObject({ depth: 1, inFlight: 0 })
  })

  test('takes nothing more when the loop was left while it waited', async () => {
    const queue = await create()
    const loop = queue.leases()
    const next = loop.next()
    await loop.return?.()
    expect(await next).toEqual({ value: undefined, done: true })
    await queue.put('a')
    expect(queue.stat()).toMatchObject({ depth: 1, inFlight: 0 })
  })
})

describe('settling', () => {
  test.each(['ack', 'nack', 'reject'] as const)(
    'a second time, after %s, is stale and changes nothing',
    async (first) => {
      const queue = await create({ deadLetters: 4 })
      await queue.putMany(['a', 'b'])
      const lease = await queue.lease()
      lease[first]()
      const before = queue.stat()
      for (const second of ['ack', 'nack', 'reject'] as const) {
        expect(() => lease[second]()).toThrow(expect.objectContaining(stale))
      }
      expect(() => lease.extend(1000)).toThrow(expect.objectContaining(stale))
      expect(queue.stat()).toEqual(before)
    },
  )

  test('an earlier delivery is stale when another handle holds the message, and leaves it there', async () => {
    const queue = await create()
    await queue.put('a')
    const first = await queue.lease({ leaseMs: 20 })
    const other = await again(queue)
    const second = await other.lease({ timeoutMs: 20_000 })
    expect(factsOf(second)).toEqual(delivery('a', 2))
    for (const settle of [
      () => first.ack(),
      () => first.nack(),
      () => first.reject(),
      () => first.extend(9),
    ]) {
      expect(settle).toThrow(expect.objectContaining(stale))
    }
    expect(first.settled).toBe(true)
    expect(queue.stat()).toMatchObject({
      depth: 0,
      inFlight: 1,
      totals: { done: 0, redelivered: 1, expired: 1 },
    })
    second.ack()
    expect(queue.stat()).toMatchObject({ inFlight: 0, totals: { done: 1 } })
  })

  test('an earlier delivery is stale when the same handle holds the message again', async () => {
    const queue = await create()
    await queue.put('a')
    const first = await queue.lease({ leaseMs: 20 })
    const second = await queue.lease({ timeoutMs: 20_000 })
    expect(() => first.ack()).toThrow(expect.objectContaining(stale))
    expect(queue.stat().inFlight).toBe(1)
    second.ack()
  })

  test('an earlier delivery is stale when its place holds another message', async () => {
    const queue = await create({ capacity: 1 })
    for (let round = 0; round < 50; round++) {
      queue.putSync(`old ${round}`)
      const old = queue.leaseSync({ leaseMs: 1 })
      const other = queue.leaseSync({ timeoutMs: 20_000 })
      other.ack()
      queue.putSync(`new ${round}`)
      const lease = queue.leaseSync()
      expect(() => old.ack()).toThrow(expect.objectContaining(stale))
      expect(() => other.nack()).toThrow(expect.objectContaining(stale))
      expect(factsOf(lease)).toEqual(delivery(`new ${round}`))
      lease.ack()
    }
    expect(queue.stat()).toMatchObject({ depth: 0, inFlight: 0, totals: { put: 100, done: 100 } })
  })

  test('on a closed handle fails, and the message is with others by then', async () => {
    const queue = await create()
    const other = await again(queue)
    await queue.put('a')
    const lease = await queue.lease()
    await queue.close()
    for (const settle of [
      () => lease.ack(),
      () => lease.nack(),
      () => lease.reject(),
      () => lease.extend(9),
    ]) {
      expect(settle).toThrow(ClosedError)
    }
    expect(factsOf(await other.lease())).toEqual(delivery('a', 2))
  })
})

describe('nack', () => {
  test('with a delay keeps the message from everybody until the delay has passed', async () => {
    const queue = await create()
    await queue.putMany(['a', 'b'])
    const before = performance.now()
    ;(await queue.lease()).nack({ delayMs: 100 })
    expect(queue.stat()).toMatchObject({ depth: 2, delayed: 1, inFlight: 0 })
    expect(drain(queue)).toEqual(['b'])
    expect(factsOf(await queue.lease())).toEqual(delivery('a', 2))
    expect(performance.now() - before).toBeGreaterThanOrEqual(99)
    expect(queue.stat().delayed).toBe(0)
  })

  test('with a delay wakes a waiter that sleeps, when the delay has passed', async () => {
    const queue = await create()
    const other = await again(queue)
    await queue.put('a')
    const lease = await queue.lease()
    const waiting = other.lease()
    await sleep(30)
    const before = performance.now()
    lease.nack({ delayMs: 80 })
    expect(factsOf(await waiting)).toEqual(delivery('a', 2))
    expect(performance.now() - before).toBeGreaterThanOrEqual(79)
  })

  test('keeps a message whose delay has not passed from a blocked thread too', async () => {
    const queue = await create()
    await queue.put('a')
    const before = performance.now()
    queue.leaseSync().nack({ delayMs: 60 })
    expect(() => queue.leaseSync({ timeoutMs: 10 })).toThrow(TimeoutError)
    expect(factsOf(queue.leaseSync())).toEqual(delivery('a', 2))
    expect(performance.now() - before).toBeGreaterThanOrEqual(59)
  })

  test('counts every delivery', async () => {
    const queue = await create()
    await queue.put('a')
    for (let count = 1; count <= 300; count++) {
      const lease = await queue.lease()
      expect(lease.deliveryCount).toBe(count)
      lease.nack()
    }
    expect(await queue.receive()).toEqual(delivery('a', 301))
    expect(queue.stat().totals).toMatchObject({ put: 1, done: 1, redelivered: 300 })
  })
})

describe('a lease with a limit', () => {
  test('runs out, and the message is delivered again, marked, to whoever waits', async () => {
    const queue = await create()
    const other = await again(queue)
    await queue.put('a')
    const before = performance.now()
    const lease = await queue.lease({ leaseMs: 50 })
    expect(factsOf(await other.lease())).toEqual(delivery('a', 2))
    expect(performance.now() - before).toBeGreaterThanOrEqual(49)
    expect(lease.settled).toBe(false)
    expect(queue.stat().totals).toMatchObject({ redelivered: 1, expired: 1 })
  })

  test('that ran out lets the message be got for good, too', async () => {
    const queue = await create()
    await queue.put('a')
    await queue.lease({ leaseMs: 10 })
    expect(await queue.receive()).toEqual(delivery('a', 2))
  })

  test('that was extended does not run out', async () => {
    const queue = await create()
    await queue.put('a')
    const lease = await queue.lease({ leaseMs: 80 })
    lease.extend(0)
    await sleep(150)
    expect(queue.tryLease()).toBeUndefined()
    lease.ack()
    expect(queue.stat().totals).toMatchObject({ done: 1, expired: 0 })
  })

  test('that was extended runs out later', async () => {
    const queue = await create()
    await queue.put('a')
    const lease = await queue.lease({ leaseMs: 60_000 })
    const before = performance.now()
    lease.extend(60)
    expect((await queue.lease()).deliveryCount).toBe(2)
    expect(performance.now() - before).toBeGreaterThanOrEqual(59)
    expect(() => lease.ack()).toThrow(expect.objectContaining(stale))
  })

  test('can be given to a lease without', async () => {
    const queue = await create()
    await queue.put('a')
    ;(await queue.lease()).extend(20)
    expect((await queue.lease()).deliveryCount).toBe(2)
  })
})

describe('a lease in a using block', () => {
  test('is given back unless it was settled', async () => {
    const queue = await create()
    await queue.putMany(['a', 'b'])
    const work = async (done: boolean) => {
      using lease = await queue.lease()
      if (done) lease.ack()
      return lease.value
    }
    expect(await work(false)).toBe('a')
    expect(queue.stat()).toMatchObject({ depth: 2, inFlight: 0 })
    expect(await work(true)).toBe('a')
    expect(queue.stat()).toMatchObject({ depth: 1, totals: { done: 1 } })
  })

  test('that has ended with it, says nothing', async () => {
    const queue = await create()
    await queue.put('a')
    const old = await queue.lease({ leaseMs: 5 })
    await queue.lease()
    old[Symbol.dispose]()
    old[Symbol.dispose]()
    expect(queue.stat().inFlight).toBe(1)
    const lease = keep(await createOf(raw()))
    await lease.put(Buffer.alloc(1))
    const orphan = await lease.lease()
    await lease.close()
    orphan[Symbol.dispose]()
  })
})

describe('prefetch', () => {
  test('is how many deliveries a handle may hold', async () => {
    const queue = await create()
    const careful = await again(queue, { prefetch: 2 })
    await queue.putMany(['a', 'b', 'c', 'd'])
    const first = await careful.lease()
    const second = careful.leaseSync()
    const refused = { code: 'ERR_IPC_PREFETCH', message: expect.stringContaining('prefetch') }
    await expect(careful.lease()).rejects.toMatchObject(refused)
    await expect(careful.leaseMany(2)).rejects.toMatchObject(refused)
    await expect(careful.leases().next()).rejects.toMatchObject(refused)
    expect(() => careful.tryLease()).toThrow(expect.objectContaining(refused))
    expect(() => careful.leaseSync()).toThrow(expect.objectContaining(refused))
    expect((await queue.lease()).value).toBe('c')
    first.ack()
    expect((await careful.lease()).value).toBe('d')
    second.ack()
  })

  test('limits what leaseMany brings', async () => {
    const queue = await create({ prefetch: 3 })
    await queue.putMany(['a', 'b', 'c', 'd', 'e'])
    const leases = await queue.leaseMany(256)
    expect(leases.map(({ value }) => value)).toEqual(['a', 'b', 'c'])
    leases[1]?.ack()
    expect((await queue.leaseMany(256)).map(({ value }) => value)).toEqual(['d'])
  })

  test('is not used up by leases that ran out', async () => {
    const queue = await create({ prefetch: 1 })
    await queue.put('a')
    for (let count = 1; count < 20; count++) {
      const lease = await queue.lease({ leaseMs: 1 })
      expect(lease.deliveryCount).toBe(count)
      await until(() => queue.stat().inFlight === 0)
    }
  })

  test('does not keep a handle from what it gets for good', async () => {
    const queue = await create({ prefetch: 1 })
    await queue.putMany(['a', 'b'])
    await queue.lease()
    expect(await queue.get()).toBe('b')
  })
})

describe('a leased message that cannot be decoded', () => {
  const bad = Buffer.from('{"a":')

  async function withBad(options: object) {
    const queue = await createOf(json<string>(), { deadLetters: 4, ...options })
    const bytes = keep(await Queue.open(queue.address as `shm:${string}`, { codec: raw(), anyType: true }))
    return { queue, bytes }
  }

  test.each(['lease', 'tryLease', 'leaseSync', 'leases'])(
    'in %s is rejected, and its bytes are on the error',
    async (way) => {
      const { queue, bytes } = await withBad({})
      await bytes.put(bad, { priority: 2 })
      await queue.put('good')
      const failure = await (async () => (ways[way] as (typeof ways)[string])(queue))().catch(
        (error: unknown) => error,
      )
      expect(failure).toBeInstanceOf(DecodeError)
      expect(failure).toMatchObject({ bytes: new Uint8Array(bad), priority: 2, resource: queue.address })
      expect(queue.stat()).toMatchObject({
        depth: 1,
        inFlight: 0,
        deadLetters: 1,
        totals: { done: 1, dead: 1 },
      })
      expect(Buffer.from(bytes.tryGetDeadLetter() as Uint8Array)).toEqual(bad)
      expect((await queue.lease()).value).toBe('good')
    },
  )

  test('among many is rejected, and the others are on the error', async () => {
    const { queue, bytes } = await withBad({})
    await queue.put('a')
    await bytes.put(bad)
    await queue.put('b')
    await bytes.put(bad)
    const failure = (await queue.leaseMany(9).catch((error: unknown) => error)) as DecodeError
    expect(failure).toBeInstanceOf(DecodeError)
    const { values, failures } = failure.batch as { values: Lease<string>[]; failures: DecodeError[] }
    expect(values.map(factsOf)).toEqual([delivery('a'), delivery('b')])
    expect(failures).toHaveLength(2)
    expect(queue.stat()).toMatchObject({ inFlight: 2, deadLetters: 2 })
    for (const lease of values) lease.ack()
    expect(queue.stat()).toMatchObject({ inFlight: 0, totals: { done: 4 } })
  })
})

describe('bad arguments', () => {
  test.each<[string, (queue: SharedQueue<string>) => unknown, string]>([
    [
      'leaseMs',
      (queue) => queue.lease({ leaseMs: -1 }),
      'Expected a number of milliseconds from 0 to 2147483647 for `leaseMs`, received -1',
    ],
    [
      'leaseMs',
      (queue) => queue.tryLease({ leaseMs: Number.NaN }),
      'Expected a number of milliseconds from 0 to 2147483647 for `leaseMs`, received NaN',
    ],
    [
      'leaseMs',
      (queue) => queue.leaseSync({ leaseMs: '5' as never }),
      "Expected a number of milliseconds for `leaseMs`, received '5'",
    ],
    [
      'leaseMs',
      (queue) => queue.leases({ leaseMs: 2 ** 31 }),
      'Expected a number of milliseconds from 0 to 2147483647 for `leaseMs`, received 2147483648',
    ],
    [
      'options',
      (queue) => queue.lease({ leasems: 5 } as never),
      'Expected only the options leaseMs, timeoutMs, signal for `options`, received { leasems: 5 }',
    ],
    [
      'options',
      (queue) => queue.tryLease({ timeoutMs: 5 } as never),
      'Expected only the options leaseMs for `options`, received { timeoutMs: 5 }',
    ],
    ['options', (queue) => queue.lease(5 as never), 'Expected an object for `options`, received 5'],
    ['max', (queue) => queue.leaseMany(0), 'Expected an integer from 1 to 256 for `max`, received 0'],
    ['max', (queue) => queue.leaseMany(257), 'Expected an integer from 1 to 256 for `max`, received 257'],
    [
      'timeoutMs',
      (queue) => queue.lease({ timeoutMs: -1 }),
      'Expected a number of milliseconds from 0 to 2147483647 for `timeoutMs`, received -1',
    ],
  ])('of %s are refused: %s', async (_, call, message) => {
    const queue = await create()
    await queue.put('a')
    await expect((async () => call(queue))()).rejects.toThrow(message)
    expect(queue.stat()).toMatchObject({ depth: 1, inFlight: 0 })
  })

  test('of nack and extend are refused, and the lease goes on', async () => {
    const queue = await create()
    await queue.put('a')
    const lease = await queue.lease()
    expect(() => lease.nack({ delayMs: -1 })).toThrow(RangeError)
    expect(() => lease.nack({ delay: 1 } as never)).toThrow(TypeError)
    expect(() => lease.nack(5 as never)).toThrow(TypeError)
    expect(() => lease.extend(-1)).toThrow(RangeError)
    expect(() => lease.extend(undefined as never)).toThrow(
      'Expected a number of milliseconds for `leaseMs`, received undefined',
    )
    lease.ack()
  })
})
