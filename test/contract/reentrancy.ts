/** The contract of user code that runs while a queue encodes or decodes, and uses queues itself. */
import { type Codec, checked, json, text } from 'ipckit'
import { expect, test } from 'vitest'
import { isPending } from '../helpers/waiting.ts'
import { bytesOf, drain, type Subject, unit, units, Workbench } from './subject.ts'

const inner = text()

/** JSON whose values are texts, for all that the compiler knows. */
const texts = json<string>()

/** Text whose decoding runs user code first, and reads the bytes then. */
function decodingText(userCode: () => void): Codec<string> {
  return {
    name: 'text',
    encode: inner.encode,
    decode(bytes, offset, length) {
      userCode()
      return inner.decode(bytes, offset, length)
    },
  }
}

/** A value that runs user code while it is written as JSON. */
const calling = (userCode: () => void, value: unknown) => ({
  toJSON() {
    userCode()
    return value
  },
})

/** A schema that runs user code at every validation. */
const schema = (userCode: () => void) => ({
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate(value: unknown) {
      userCode()
      return { value: value as string }
    },
  },
})

export function reentrancy(subject: Subject): void {
  const bench = new Workbench(subject)

  test('a value may put into another queue while it is encoded', async () => {
    const queue = await bench.create(json<unknown>())
    const other = await bench.create(json<unknown>())
    const value = calling(() => other.tryPut({ inner: 'its own' }), { outer: 1 })
    await queue.put(value)
    expect(queue.tryPut(value)).toBe(true)
    expect(await queue.putMany([0, value])).toBe(2)
    expect(drain(queue)).toEqual([{ outer: 1 }, { outer: 1 }, 0, { outer: 1 }])
    expect(drain(other)).toEqual(Array(3).fill({ inner: 'its own' }))
  })

  test('a value may put into the same queue while it is encoded, and comes behind', async () => {
    const queue = await bench.create(json<unknown>())
    await queue.put(calling(() => queue.tryPut('inner'), 'outer'))
    expect(drain(queue)).toEqual(['inner', 'outer'])
    await queue.putMany([1, calling(() => queue.tryPut('inner'), 2)])
    expect(drain(queue)).toEqual(['inner', 1, 2])
    const put = calling(() => void queue.putMany(['inner', 'more']), 2)
    expect(await queue.putMany([1, put])).toBe(2)
    expect(drain(queue)).toEqual(['inner', 'more', 1, 2])
  })

  test('values may be nested deeply, each putting while it is encoded', async () => {
    const queue = await bench.create(json<unknown>())
    const deepest = calling(() => queue.tryPut(1), 2)
    const middle = calling(() => queue.tryPut(deepest), 3)
    await queue.put([calling(() => queue.tryPut(middle), 4), 5])
    expect(drain(queue)).toEqual([1, 2, 3, [4, 5]])
  })

  test('a value may take from the same queue while it is encoded', async () => {
    const queue = await bench.create(json<unknown>())
    await queue.put('first')
    const taken: unknown[] = []
    await queue.put(calling(() => taken.push(queue.tryGet()), 'second'))
    expect(taken).toEqual(['first'])
    expect(drain(queue)).toEqual(['second'])
  })

  test('a value may close its queue while it is encoded: then nothing is put', async () => {
    const queue = await bench.create(json<unknown>())
    const other = await bench.open(queue.address, json<unknown>())
    const value = calling(() => void queue.close(), 1)
    await expect(queue.put(value)).rejects.toMatchObject({ code: 'ERR_IPC_CLOSED' })
    expect(other.stat().depth).toBe(0)
  })

  test('a large value that is encoded twice may put each time', async () => {
    const queue = await bench.create(json<unknown>())
    const other = await bench.create(json<unknown>())
    let calls = 0
    const long = calling(() => {
      calls++
      if (other.tryPut(calls)) other.tryGet()
    }, 'x'.repeat(200_000))
    await expect(queue.put(long)).rejects.toMatchObject({ code: 'EMSGSIZE' })
    await queue.put('short')
    expect(drain(queue)).toEqual(['short'])
  })

  test('a codec may take from another queue while it decodes', async () => {
    const other = await bench.create()
    const seen: unknown[] = []
    const queue = await bench.create(decodingText(() => seen.push(other.tryGet())))
    for (const [at, value] of units(0, 3).entries()) {
      await queue.put(value)
      await other.put(unit(at + 100))
    }
    expect(await queue.get()).toBe(unit(0))
    expect(await queue.getMany(2)).toEqual(units(1, 2))
    expect(seen).toEqual(units(100, 3))
  })

  test('a codec may take from the same queue while it decodes', async () => {
    const seen: unknown[] = []
    let depth = 0
    const queue = await bench.create(
      decodingText(() => {
        if (depth++ === 0) seen.push(queue.tryGet())
        depth--
      }),
    )
    for (const value of units(0, 4)) await queue.put(value)
    expect(await queue.get()).toBe(unit(0))
    expect(queue.tryGet()).toBe(unit(2))
    expect(seen).toEqual([unit(1), unit(3)])
    expect(queue.stat().depth).toBe(0)
  })

  test('a codec that takes while many waiting calls are served disturbs none of them', async () => {
    const other = await bench.create()
    const seen: unknown[] = []
    const queue = await bench.create(decodingText(() => seen.push(other.tryGet())))
    const writer = await bench.open(queue.address)
    const calls = [queue.get(), queue.getMany(2), queue.receive()]
    await isPending(Promise.all(calls))
    for (const value of units(100, 4)) await other.put(value)
    for (const value of units(0, 4)) writer.tryPut(value)
    expect(await Promise.all(calls)).toEqual([
      unit(0),
      units(1, 2),
      { value: unit(3), ...subject.plainFacts },
    ])
    expect(seen).toEqual(units(100, 4))
  })

  test('a codec that makes a call wait, or waits for its own queue, while it decodes harms nothing', async () => {
    const late: Promise<string>[] = []
    const queue = await bench.create(decodingText(() => late.length === 0 && late.push(queue.get())))
    const writer = await bench.open(queue.address)
    const first = queue.get()
    await isPending(first)
    await writer.put(unit(1))
    expect(await first).toBe(unit(1))
    await writer.put(unit(2))
    expect(await Promise.all(late)).toEqual([unit(2)])
  })

  test('a codec may close its queue while it decodes, and what was taken is given', async () => {
    const queue = await bench.create(decodingText(() => void queue.close()))
    const writer = await bench.open(queue.address)
    const calls = [queue.getMany(2), queue.get()]
    const outcome = Promise.allSettled(calls)
    await isPending(outcome)
    for (const value of units(0, 3)) writer.tryPut(value)
    const [many, one] = await outcome
    expect(many).toEqual({ status: 'fulfilled', value: units(0, 2) })
    // The third was taken with the others, or is still in the queue.
    if (one?.status === 'fulfilled') expect(one.value).toBe(unit(2))
    else expect(writer.tryGet()).toBe(unit(2))
  })

  test('a codec that takes from another queue and fails has the bytes of its own message on the error', async () => {
    const other = await bench.create()
    const codec: Codec<string> = {
      name: 'failing',
      encode: inner.encode,
      decode() {
        other.tryGet()
        throw new Error('no')
      },
    }
    const queue = await bench.create(codec)
    await other.put(unit(2))
    await queue.put(unit(1))
    await expect(queue.get()).rejects.toMatchObject({ bytes: bytesOf(unit(1)) })
  })

  test('a codec may take from another queue while it decodes what was peeked at', async () => {
    const other = await bench.create()
    const queue = await bench.create(decodingText(() => other.tryGet()))
    if (!queue.capabilities.peek) return
    await queue.put(unit(1))
    await other.put(unit(2))
    expect(queue.peek()).toBe(unit(1))
  })

  test('a codec may peek into another queue while it decodes', async () => {
    const other = await bench.create()
    if (!other.capabilities.peek) return
    const queue = await bench.create(decodingText(() => other.peek()))
    await other.put(unit(2))
    await queue.put(unit(1))
    await queue.put(unit(3))
    expect(await queue.getMany(2)).toEqual([unit(1), unit(3)])
    expect(other.stat().depth).toBe(1)
  })

  test('a schema may use queues at both ends', async () => {
    const other = await bench.create()
    const codec = checked(
      schema(() => {
        other.tryPut(unit(9))
        other.tryGet()
      }),
      texts as Codec<unknown>,
    )
    const queue = await bench.create(codec)
    await queue.put('one')
    await queue.putMany(['two', 'three'])
    expect(await queue.get()).toBe('one')
    expect(await queue.getMany(5)).toEqual(['two', 'three'])
  })

  test('a loop body and a stream handler may use the queue they read from', async () => {
    const queue = await bench.create(json<number>())
    await queue.put(0)
    const seen: number[] = []
    for await (const value of queue) {
      seen.push(value)
      if (value === 10) break
      queue.tryPut(value + 1)
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  test('a getter in the options that throws is the error of the call, and nothing has happened', async () => {
    const queue = await bench.create()
    const failure = new Error('no')
    const options = {
      get timeoutMs(): number {
        throw failure
      },
    }
    await expect(queue.put(unit(1), options)).rejects.toBe(failure)
    expect(queue.stat().depth).toBe(0)
    await queue.put(unit(1))
    await expect(queue.get(options)).rejects.toBe(failure)
    expect(await queue.get()).toBe(unit(1))
  })
}
