/** The contract of values that do not encode and messages that do not decode, and of the errors' stacks. */
import { type Codec, DecodeError, i32, json, raw, struct } from 'ipckit'
import { expect, test } from 'vitest'
import { isPending } from '../helpers/waiting.ts'
import { bytesOf, fill, room, type Subject, unit, Workbench } from './subject.ts'

const good = Buffer.from('{"id":1}')
const bad = Buffer.from('{"id":')

/** The error with which a promise rejects. */
async function failureOf(promise: Promise<unknown>): Promise<Error> {
  const reason = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(reason).toBeInstanceOf(Error)
  return reason as Error
}

export function codecs(subject: Subject): void {
  const bench = new Workbench(subject)

  /** A queue of JSON, and a handle that puts any bytes into it. */
  async function pair() {
    const queue = await bench.create(json<{ id: number }>())
    return { queue, bytes: await bench.open(queue.address, raw()) }
  }

  test('a message that cannot be decoded has left the queue, and its bytes and facts are on the error', async () => {
    const { queue, bytes } = await pair()
    const label = subject.labelled[0] ?? { put: {}, facts: {} }
    const { type, priority } = label.facts as { type?: number; priority?: number }
    const facts = { ...(type !== undefined && { type }), ...(priority !== undefined && { priority }) }
    const attempts = [
      () => queue.get(),
      () => queue.receive(),
      () => queue.get({ timeoutMs: 1000 }),
      () => queue.values().next(),
      async () => queue.tryGet(),
      async () => queue.getSync(),
    ]
    for (const attempt of attempts) {
      await bytes.put(bad, label.put)
      await bytes.put(good)
      const error = await failureOf(attempt())
      expect(error).toBeInstanceOf(DecodeError)
      expect(error).toMatchObject({
        name: 'DecodeError',
        code: 'ERR_IPC_DECODE',
        resource: queue.address,
        cause: expect.any(SyntaxError),
        message: expect.stringContaining('json'),
        ...facts,
      })
      expect(Buffer.from((error as DecodeError).bytes)).toEqual(bad)
      expect(queue.stat().depth).toBe(1)
      expect(await queue.get()).toEqual({ id: 1 })
    }
  })

  test('a get that waited rejects alike, and those behind it are served', async () => {
    const { queue, bytes } = await pair()
    const calls = Promise.allSettled([queue.get(), queue.get(), queue.receive()])
    await isPending(calls)
    for (const message of [bad, good, bad]) await bytes.put(message)
    const [first, second, third] = await calls
    expect(first).toMatchObject({
      status: 'rejected',
      reason: { code: 'ERR_IPC_DECODE', resource: queue.address },
    })
    expect(second).toEqual({ status: 'fulfilled', value: { id: 1 } })
    expect(third).toMatchObject({ status: 'rejected', reason: { code: 'ERR_IPC_DECODE' } })
  })

  test('the bytes on the error stay as they were while other messages come', async () => {
    const { queue, bytes } = await pair()
    await bytes.put(bad)
    const error = (await failureOf(queue.get())) as DecodeError
    for (let round = 0; round < 5; round++) {
      await bytes.put(Buffer.from(`{"id":${round}}`))
      await queue.get()
    }
    expect(Buffer.from(error.bytes)).toEqual(bad)
    expect(error.bytes.buffer.byteLength).toBe(bad.length)
  })

  test('an empty message that cannot be decoded is an error with no bytes', async () => {
    const { queue, bytes } = await pair()
    await bytes.put(Buffer.alloc(0))
    expect(await failureOf(queue.get())).toMatchObject({ code: 'ERR_IPC_DECODE', bytes: new Uint8Array(0) })
  })

  test('a codec at the other end that does not match is an error, not a wrong value', async () => {
    const point = struct({ x: i32, y: i32 })
    const queue = await bench.create(point)
    const other = await bench.open(queue.address, json<unknown>())
    await other.put({ x: 1, y: 2 })
    expect(await failureOf(queue.get())).toMatchObject({
      code: 'ERR_IPC_DECODE',
      bytes: bytesOf('{"x":1,"y":2}'),
    })
    await queue.put({ x: 1, y: 2 })
    expect(await failureOf(other.get())).toMatchObject({ code: 'ERR_IPC_DECODE' })
  })

  test('getMany with messages that cannot be decoded has all values and all errors', async () => {
    const { queue, bytes } = await pair()
    const messages = [good, bad, Buffer.from('{"id":2}'), Buffer.from('nope')]
    for (const message of messages) await bytes.put(message)
    const error = (await failureOf(queue.getMany(10))) as DecodeError
    expect(error).toMatchObject({ name: 'DecodeError', code: 'ERR_IPC_DECODE' })
    expect(Buffer.from(error.bytes)).toEqual(bad)
    expect(error.batch?.values).toEqual([{ id: 1 }, { id: 2 }])
    expect(error.batch?.failures[0]).toBe(error)
    expect(error.batch?.failures.map((each) => Buffer.from(each.bytes).toString())).toEqual([
      '{"id":',
      'nope',
    ])
    expect(queue.stat().depth).toBe(0)
  })

  test('getMany that waited has all values and all errors', async () => {
    const { queue, bytes } = await pair()
    const got = queue.getMany(4)
    const failure = failureOf(got)
    await isPending(got)
    bytes.tryPut(good)
    bytes.tryPut(bad)
    expect((await failure) as DecodeError).toMatchObject({
      batch: { values: [{ id: 1 }], failures: [{ code: 'ERR_IPC_DECODE' }] },
    })
  })

  test('peek shows a message that cannot be decoded as an error, and leaves it', async () => {
    const { queue, bytes } = await pair()
    if (!queue.capabilities.peek) return
    await bytes.put(bad)
    expect(() => queue.peek()).toThrow(
      expect.objectContaining({ code: 'ERR_IPC_DECODE', bytes: new Uint8Array(bad) }),
    )
    expect(queue.stat().depth).toBe(1)
  })

  test('a value that cannot be encoded is an error with its cause, and nothing is put', async () => {
    const queue = await bench.create(json<unknown>())
    const self: Record<string, unknown> = {}
    self.self = self
    for (const value of [5n, undefined, () => 5, self]) {
      const refusal = expect.objectContaining({
        code: 'ERR_IPC_ENCODE',
        resource: queue.address,
        cause: expect.any(TypeError),
        message: expect.stringContaining('json'),
      })
      await expect(queue.put(value)).rejects.toEqual(refusal)
      await expect(queue.putMany([1, value])).rejects.toEqual(refusal)
      expect(() => queue.tryPut(value)).toThrow(refusal)
      expect(() => queue.putSync(value)).toThrow(refusal)
    }
    expect(queue.stat().depth).toBe(0)
    await queue.put({ id: 1 })
    expect(await queue.get()).toEqual({ id: 1 })
  })

  test.each([undefined, null, 'a sentence', 7])(
    'a codec that throws %o is an error all the same',
    async (thrown) => {
      const codec: Codec<string> = {
        name: 'moody',
        encode: (value, target, offset) => {
          if (value === 'bad') throw thrown
          target[offset] = 1
          return 1
        },
        decode: () => {
          throw thrown
        },
      }
      const queue = await bench.create(codec)
      await expect(queue.put('bad')).rejects.toMatchObject({ code: 'ERR_IPC_ENCODE' })
      await queue.put('good')
      await expect(queue.get()).rejects.toMatchObject({ code: 'ERR_IPC_DECODE', bytes: Uint8Array.of(1) })
    },
  )

  test.each([Number.NaN, 1.5, undefined, 'many', 2 ** 16])(
    'a codec that claims to have written %o bytes is refused',
    async (claimed) => {
      const codec = { name: 'liar', encode: () => claimed as number, decode: () => '' }
      const queue = await bench.create(codec)
      await expect(queue.put('')).rejects.toMatchObject({
        code: expect.stringMatching(/^(ERR_IPC_ENCODE|EMSGSIZE)$/),
      })
      await expect(queue.putMany([''])).rejects.toMatchObject({
        code: expect.stringMatching(/^(ERR_IPC_ENCODE|EMSGSIZE)$/),
      })
      expect(queue.stat().depth).toBe(0)
    },
  )

  test.each([
    ['does not give bytes', () => 'text', 'the codec odd has a bytesOf that does not give a Uint8Array'],
    [
      'throws',
      () => {
        throw new Error('not mine')
      },
      'not mine',
    ],
  ])('a codec whose bytesOf %s is an error, and nothing is put', async (_, bytesOf, says) => {
    const odd = { ...raw(), name: 'odd', bytesOf: bytesOf as never }
    const queue = await bench.create(odd, {})
    const failure = { code: 'ERR_IPC_ENCODE', message: expect.stringContaining(says) }
    await expect(queue.put(good)).rejects.toMatchObject(failure)
    await expect(queue.putMany([good])).rejects.toMatchObject(failure)
    expect(() => queue.tryPut(good)).toThrow(expect.objectContaining(failure))
    expect(queue.stat().depth).toBe(0)
  })

  test('the stack of an error shows who called, whether it came at once or later', async () => {
    const queue = await bench.create(json<unknown>())
    const full = await bench.create()
    fill(full)
    const controller = new AbortController()
    async function callerOfGet() {
      return queue.get({ timeoutMs: 5 })
    }
    async function callerOfPut() {
      return full.put(unit(1), { timeoutMs: 5 })
    }
    async function callerOfPutMany() {
      return full.putMany([unit(1)], { timeoutMs: 5 })
    }
    async function callerOfGetMany() {
      return queue.getMany(5, { timeoutMs: 5 })
    }
    async function callerOfBadPut() {
      return queue.put(5n)
    }
    async function callerOfClosedGet() {
      return queue.get({ signal: controller.signal })
    }
    async function callerOfClosedPut() {
      return full.put(unit(1))
    }
    for (const caller of [callerOfGet, callerOfPut, callerOfPutMany, callerOfGetMany, callerOfBadPut]) {
      const { stack, message } = await failureOf(caller())
      expect(stack).toContain(caller.name)
      expect(stack).toContain(message)
    }
    const closed = [failureOf(callerOfClosedGet()), failureOf(callerOfClosedPut())]
    await queue.close()
    await full.close()
    const [get, put] = await Promise.all(closed)
    expect(get?.stack).toContain('callerOfClosedGet')
    expect(put?.stack).toContain('callerOfClosedPut')
    expect(get?.stack).toMatch(/^ClosedError: /)
  })

  test('the stack of a decode error shows who called, also when he waited', async () => {
    const { queue, bytes } = await pair()
    async function callerThatWaited() {
      return queue.get()
    }
    const failure = failureOf(callerThatWaited())
    await bytes.put(bad)
    const { stack, cause } = await failure
    expect(stack).toContain('callerThatWaited')
    expect(cause).toBeInstanceOf(SyntaxError)
  })

  test('the stack of a removed queue shows who called', async () => {
    const queue = await bench.create()
    async function callerThatWaited() {
      return queue.get()
    }
    const failure = failureOf(callerThatWaited())
    await isPending(failure)
    await (await bench.open(queue.address)).unlink()
    expect((await failure).stack).toContain('callerThatWaited')
  })

  test('a queue works on after many failures of every kind', async () => {
    const { queue, bytes } = await pair()
    for (let round = 0; round < 50; round++) {
      await bytes.put(bad)
      await expect(queue.get()).rejects.toMatchObject({ code: 'ERR_IPC_DECODE' })
      await expect(queue.put(5n as never)).rejects.toMatchObject({ code: 'ERR_IPC_ENCODE' })
      await expect(queue.get({ timeoutMs: 0 })).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
    }
    for (let id = 0; id < room; id++) await queue.put({ id })
    for (let id = 0; id < room; id++) expect(await queue.get()).toEqual({ id })
  })
}
