/** The contract of putMany and getMany. */
import { json, raw } from 'ipckit'
import { expect, test } from 'vitest'
import { isPending } from '../helpers/waiting.ts'
import { drain, fill, room, type Subject, unit, units, Workbench } from './subject.ts'

/** Sent from where they lie by putMany. */
const largeBytes = 2000

/** Options of a queue with room for some large messages. */
function large({ name }: Subject): object {
  if (name === 'fifo:') return { maxBytes: 8192 }
  return name.startsWith('sysv:')
    ? { maxBytes: 3 * largeBytes + 500 }
    : { capacity: 4, maxMessageBytes: largeBytes }
}

export function batches(subject: Subject): void {
  const bench = new Workbench(subject)

  test('putMany puts all values in order, and says how many', async () => {
    const queue = await bench.create()
    expect(await queue.putMany(units(0, room))).toBe(room)
    expect(drain(queue)).toEqual(units(0, room))
  })

  test('putMany takes any iterable', async () => {
    const queue = await bench.create()
    expect(await queue.putMany(new Set(units(0, 2)))).toBe(2)
    expect(
      await queue.putMany(
        (function* () {
          yield unit(2)
        })(),
      ),
    ).toBe(1)
    expect(drain(queue)).toEqual(units(0, 3))
  })

  test('putMany of nothing puts nothing, also into a full queue', async () => {
    const queue = await bench.create()
    expect(await queue.putMany([])).toBe(0)
    fill(queue)
    expect(await queue.putMany([], { timeoutMs: 0 })).toBe(0)
    expect(queue.stat().depth).toBe(room)
  })

  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [5, '5'],
    [{}, '{}'],
  ])('putMany refuses %o, which cannot be iterated', async (bad, received) => {
    const queue = await bench.create()
    const refusal = new TypeError(
      `Expected an iterable such as an array for \`values\`, received ${received}`,
    )
    await expect(queue.putMany(bad as never)).rejects.toThrow(refusal)
    expect(queue.stat().depth).toBe(0)
  })

  test('putMany waits for room for all, and the values arrive in order', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const put = queue.putMany(units(0, 100))
    expect(await isPending(put)).toBe(true)
    const seen: string[] = []
    while (seen.length < 100) seen.push(await other.get())
    expect(await put).toBe(100)
    expect(seen).toEqual(units(0, 100))
  })

  test('putMany carries more values, and larger ones, than its first piece of memory holds', async () => {
    const queue = await bench.create(raw(), {})
    const other = await bench.open(queue.address, raw())
    const values = Array.from({ length: 700 }, (_, at) => Buffer.alloc((at * 37) % 2000, at % 251))
    const put = queue.putMany(values)
    for (const value of values) expect((await other.get()).equals(value)).toBe(true)
    expect(await put).toBe(700)
  })

  test('a put stands in line behind a putMany, and a putMany behind a put', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    fill(queue)
    const calls = [queue.put(unit(room)), queue.putMany(units(room + 1, 5)), queue.put(unit(room + 6))]
    const seen: string[] = []
    while (seen.length < room + 7) seen.push(await other.get())
    await Promise.all(calls)
    expect(seen).toEqual(units(0, room + 7))
  })

  test('putMany whose time is up says how many are in the queue, and exactly those are', async () => {
    const queue = await bench.create()
    await queue.put(unit(0))
    expect(await queue.putMany(units(1, room + 3), { timeoutMs: 20 })).toBe(room - 1)
    expect(drain(queue)).toEqual(units(0, room))
    expect(await queue.putMany(units(1, room + 3), { timeoutMs: 0 })).toBe(room)
  })

  test('putMany that is aborted says how many are in the queue, and exactly those are', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const controller = new AbortController()
    const put = queue.putMany(units(0, 50), { signal: controller.signal })
    const seen = [await other.get(), await other.get()]
    while (other.stat().depth < room) await isPending(put)
    controller.abort()
    const sent = await put
    expect(sent).toBeGreaterThanOrEqual(room + 2)
    seen.push(...drain(other))
    expect(seen).toEqual(units(0, sent))
  })

  test('putMany that is closed while it waits says how many are in the queue', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const put = queue.putMany(units(0, room + 3))
    await isPending(put)
    await queue.close()
    expect(await put).toBe(room)
    expect(drain(other)).toEqual(units(0, room))
  })

  test('putMany of large bytes counts those that had room at once, and keeps order and bytes', async () => {
    const queue = await bench.create(raw(), { ...subject.sized(3), ...large(subject) })
    const other = await bench.open(queue.address, raw())
    // Small ones in between go another way.
    const values = Array.from({ length: 12 }, (_, at) => Buffer.alloc(at % 4 === 2 ? 10 : largeBytes, at))
    const sent = await queue.putMany(values, { timeoutMs: 20 })
    expect(sent).toBeGreaterThanOrEqual(3)
    expect(sent).toBeLessThan(12)
    expect(drain(other)).toEqual(values.slice(0, sent))
    const put = queue.putMany(values)
    // Those that wait are held in memory of their own.
    const copies = values.map((value) => Buffer.from(value))
    for (const value of values) value.fill(0xff)
    for (const copy of copies) expect(await other.get()).toEqual(copy)
    expect(await put).toBe(12)
  })

  test('putMany of large bytes that meets a wait which ends at once says how many are in the queue', async () => {
    const queue = await bench.create(raw(), { ...subject.sized(3), ...large(subject) })
    const values = Array.from({ length: 9 }, (_, at) => Buffer.alloc(largeBytes, at))
    const other = await bench.open(queue.address, raw())
    const put = queue.putMany(values)
    await queue.close()
    expect(drain(other)).toEqual(values.slice(0, await put))
  })

  test('putMany of bytes puts nothing when the signal is aborted, or one value is no bytes', async () => {
    const queue = await bench.create(raw(), {})
    const values = [Buffer.alloc(2000), Buffer.alloc(2000)]
    await expect(queue.putMany(values, { signal: AbortSignal.abort('enough') })).rejects.toBe('enough')
    await expect(queue.putMany([...values, 'text' as never])).rejects.toMatchObject({
      code: 'ERR_IPC_ENCODE',
    })
    expect(queue.stat().depth).toBe(0)
  })

  test('putMany puts nothing when one value cannot be encoded', async () => {
    const queue = await bench.create(json<unknown>())
    await expect(queue.putMany([1, 2, 3n, 4])).rejects.toMatchObject({
      code: 'ERR_IPC_ENCODE',
      cause: expect.any(TypeError),
    })
    expect(queue.stat().depth).toBe(0)
  })

  test('putMany puts nothing when the iterable throws', async () => {
    const queue = await bench.create()
    const failure = new Error('no more')
    const values = (function* () {
      yield unit(1)
      throw failure
    })()
    await expect(queue.putMany(values)).rejects.toBe(failure)
    expect(queue.stat().depth).toBe(0)
  })

  test('getMany takes what is there, at most as many as asked', async () => {
    const queue = await bench.create()
    fill(queue)
    expect(await queue.getMany(room - 1)).toEqual(units(0, room - 1))
    expect(await queue.getMany(256)).toEqual(units(room - 1, 1))
  })

  test('getMany waits for the first value', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const got = queue.getMany(5)
    expect(await isPending(got)).toBe(true)
    await other.put(unit(1))
    expect(await got).toEqual([unit(1)])
  })

  test('getMany that waited takes all that came meanwhile', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const got = queue.getMany(room)
    await isPending(got)
    for (const value of units(0, room)) other.tryPut(value)
    expect(await got).toEqual(units(0, room))
  })

  test('getMany refuses counts that are none', async () => {
    const queue = await bench.create()
    await queue.put(unit(1))
    for (const bad of [0, -1, 257, 1.5, 2 ** 31, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(queue.getMany(bad)).rejects.toThrow(RangeError)
    }
    for (const bad of [undefined, '1', null, 1n]) {
      await expect(queue.getMany(bad as never)).rejects.toThrow(TypeError)
    }
    expect(queue.stat().depth).toBe(1)
  })

  test('several getMany of one handle share what comes, in their order', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const calls = [queue.getMany(2), queue.getMany(1), queue.getMany(5)]
    await isPending(Promise.all(calls))
    for (const value of units(0, room)) other.tryPut(value)
    expect(await Promise.all(calls)).toEqual([units(0, 2), units(2, 1), units(3, 1)])
  })

  test('getMany gives more bytes than the first piece of memory holds, in as many calls as it takes', async () => {
    const queue = await bench.create(raw(), {})
    const other = await bench.open(queue.address, raw())
    const size = Math.min(queue.maxMessageBytes, 300_000)
    const values = Array.from({ length: 60 }, (_, at) => Buffer.alloc(size - at, at))
    const put = other.putMany(values)
    const seen: Buffer[] = []
    while (seen.length < values.length) seen.push(...(await queue.getMany(256)))
    expect(await put).toBe(60)
    expect(seen.every((value, at) => value.equals(values[at] as Buffer))).toBe(true)
  })
}
