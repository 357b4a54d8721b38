/** The contract of loops and streams. */
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { json, text } from 'ipckit'
import { expect, test } from 'vitest'
import { isPending, until } from '../helpers/waiting.ts'
import { bytesOf, drain, fill, room, type Subject, unit, units, Workbench } from './subject.ts'

/** The error with which a stream ends. */
function errorOf(stream: Readable | Writable): Promise<unknown> {
  return new Promise((resolve) => {
    stream.on('error', resolve)
  })
}

export function iteration(subject: Subject): void {
  const bench = new Workbench(subject)

  test('a loop gives every value in order, and ends when the handle is closed', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const seen: string[] = []
    const loop = (async () => {
      for await (const value of queue) seen.push(value)
    })()
    for (const value of units(0, 30)) await other.put(value)
    await until(() => seen.length === 30)
    await queue.close()
    await loop
    expect(seen).toEqual(units(0, 30))
  })

  test('a loop that is closed from inside ends, and takes nothing more', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    fill(queue)
    const seen: string[] = []
    for await (const value of queue) {
      seen.push(value)
      await queue.close()
    }
    expect(seen).toEqual([unit(0)])
    expect(other.stat().depth).toBe(room - 1)
  })

  test('breaking out of a loop closes nothing and takes nothing more', async () => {
    const queue = await bench.create()
    fill(queue)
    for await (const value of queue) {
      expect(value).toBe(unit(0))
      break
    }
    expect(queue.closed).toBe(false)
    expect(queue.stat().depth).toBe(room - 1)
    const seen: string[] = []
    for await (const value of queue) if (seen.push(value) === room - 1) break
    expect(seen).toEqual(units(1, room - 1))
  })

  test('an iterator that was ended, and one of a closed handle, give nothing', async () => {
    const queue = await bench.create()
    await queue.put(unit(1))
    const ended = queue.values()
    expect(await ended.return?.()).toEqual({ value: undefined, done: true })
    expect(await ended.next()).toEqual({ value: undefined, done: true })
    expect(queue.stat().depth).toBe(1)
    const iterator = queue.values()
    expect(iterator[Symbol.asyncIterator]()).toBe(iterator)
    await queue.close()
    expect(await iterator.next()).toEqual({ value: undefined, done: true })
    expect(await queue[Symbol.asyncIterator]().next()).toEqual({ value: undefined, done: true })
  })

  test('ending an iterator ends its waits, which take nothing', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const iterator = queue.values()
    const waiting = [iterator.next(), iterator.next()]
    const alsoWaiting = other.values({ timeoutMs: 20_000 })
    const third = alsoWaiting.next()
    await isPending(Promise.all(waiting))
    const end = { value: undefined, done: true }
    expect(await iterator.return?.()).toEqual(end)
    expect(await alsoWaiting.return?.()).toEqual(end)
    expect(await Promise.all([...waiting, third])).toEqual([end, end, end])
    await other.put(unit(1))
    expect(await isPending(Promise.resolve())).toBe(false)
    expect(queue.stat().depth).toBe(1)
    expect(await queue.get()).toBe(unit(1))
  })

  test('a stream that is made of a loop takes nothing after it was destroyed', async () => {
    const queue = await bench.create()
    const stream = Readable.from(queue)
    stream.on('data', () => {})
    await isPending(new Promise(() => {}))
    const closed = new Promise((resolve) => stream.on('close', resolve))
    stream.destroy()
    await closed
    await queue.put(unit(1))
    await isPending(new Promise(() => {}))
    expect(queue.stat().depth).toBe(1)
  })

  test('calls of next that nobody awaited yet are served in order', async () => {
    const queue = await bench.create()
    const iterator = queue.values()
    const results = Array.from({ length: room }, () => iterator.next())
    fill(queue)
    expect((await Promise.all(results)).map(({ value }) => value)).toEqual(units(0, room))
    const waiting = [iterator.next(), iterator.next()]
    await isPending(Promise.all(waiting))
    await queue.close()
    expect(await Promise.all(waiting)).toEqual(Array(2).fill({ value: undefined, done: true }))
  })

  test('a loop with a timeout rejects when no value came in time', async () => {
    const queue = await bench.create()
    await queue.put(unit(1))
    const seen: string[] = []
    const loop = (async () => {
      for await (const value of queue.values({ timeoutMs: 20 })) seen.push(value)
    })()
    await expect(loop).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
    expect(seen).toEqual([unit(1)])
  })

  test('a loop with a signal ends with its reason, though more values are there', async () => {
    const queue = await bench.create()
    fill(queue)
    const controller = new AbortController()
    const seen: string[] = []
    const loop = (async () => {
      for await (const value of queue.values({ signal: controller.signal })) {
        seen.push(value)
        if (seen.length === 2) controller.abort('enough')
      }
    })()
    await expect(loop).rejects.toBe('enough')
    expect(seen).toEqual(units(0, 2))
    expect(queue.stat().depth).toBe(room - 2)
  })

  test('a loop rejects at a value that cannot be decoded, and the next loop goes on behind it', async () => {
    const writer = await bench.create()
    const queue = await bench.open(writer.address, json<number>())
    for (const value of ['1', '{', '3']) await writer.put(value)
    const seen: number[] = []
    const loop = async () => {
      for await (const value of queue) {
        seen.push(value)
        if (value === 3) break
      }
    }
    await expect(loop()).rejects.toMatchObject({ code: 'ERR_IPC_DECODE' })
    await loop()
    expect(seen).toEqual([1, 3])
  })

  test('two loops over one handle share its values', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const seen: string[] = []
    const loops = [1, 2].map(async () => {
      for await (const value of queue) seen.push(value)
    })
    for (const value of units(0, 40)) await other.put(value)
    await until(() => seen.length === 40)
    await queue.close()
    await Promise.all(loops)
    expect(seen.sort()).toEqual(units(0, 40).sort())
  })

  test('a readable stream gives every value in order, and ends when the handle is closed', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const seen: string[] = []
    const stream = queue.readable()
    stream.on('data', (value) => seen.push(value))
    const ended = new Promise((resolve) => stream.on('end', resolve))
    for (const value of units(0, 30)) await other.put(value)
    await until(() => seen.length === 30)
    await queue.close()
    await ended
    expect(seen).toEqual(units(0, 30))
  })

  test.each([1, 3])(
    'a readable stream that nobody reads takes at most highWaterMark %i values',
    async (highWaterMark) => {
      const queue = await bench.create()
      fill(queue)
      const stream = queue.readable({ highWaterMark })
      stream.read(0)
      await until(() => queue.stat().depth === room - highWaterMark)
      await isPending(new Promise(() => {}))
      expect(queue.stat().depth).toBe(room - highWaterMark)
      stream.destroy()
    },
  )

  test('destroying a readable stream ends its wait and closes nothing', async () => {
    const queue = await bench.create()
    const stream = queue.readable()
    stream.on('data', () => {})
    await isPending(new Promise(() => {}))
    const closed = new Promise((resolve) => stream.on('close', resolve))
    stream.destroy()
    await closed
    await queue.put(unit(1))
    expect(queue.closed).toBe(false)
    expect(await queue.get()).toBe(unit(1))
  })

  test('a readable stream refuses null, which would end it, and says what to do', async () => {
    const queue = await bench.create(json<unknown>())
    await queue.put(null)
    const stream = queue.readable()
    const failed = errorOf(stream)
    stream.resume()
    expect(await failed).toMatchObject({
      code: 'ERR_IPC_UNSUPPORTED',
      message: expect.stringContaining('for await'),
    })
  })

  test('a readable stream fails at a value that cannot be decoded, with its bytes', async () => {
    const writer = await bench.create()
    const queue = await bench.open(writer.address, json())
    await writer.put('{')
    const stream = queue.readable()
    const failed = errorOf(stream)
    stream.resume()
    expect(await failed).toMatchObject({ code: 'ERR_IPC_DECODE', bytes: bytesOf('{') })
  })

  test('a readable stream takes the options of get', async () => {
    const queue = await bench.create()
    const stream = queue.readable({ timeoutMs: 5 })
    const failed = errorOf(stream)
    stream.resume()
    expect(await failed).toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
    const controller = new AbortController()
    const aborted = queue.readable({ signal: controller.signal })
    const ended = errorOf(aborted)
    aborted.resume()
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await ended).toBe(reason)
  })

  test('a writable stream puts every value in order', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const stream = queue.writable()
    for (const value of units(0, 40)) stream.write(value)
    stream.end()
    const seen: string[] = []
    while (seen.length < 40) seen.push(await other.get())
    expect(seen).toEqual(units(0, 40))
    await until(() => stream.writableFinished)
    expect(queue.closed).toBe(false)
  })

  test('a writable stream of a full queue holds its writer back', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    fill(queue)
    const stream = queue.writable()
    const written: number[] = []
    let count = 0
    while (stream.write(unit(100 + count), () => written.push(written.length))) count++
    await isPending(new Promise(() => {}))
    expect(written).toEqual([])
    expect(stream.writableNeedDrain).toBe(true)
    let finished = false
    stream.end(() => {
      finished = true
    })
    const seen: string[] = []
    while (seen.length < room + count + 1) {
      expect(finished && seen.length < count + 1).toBe(false)
      seen.push(await other.get())
    }
    await until(() => finished)
    expect(seen).toEqual([...units(0, room), ...units(100, count + 1)])
  })

  test('destroying a writable stream that waits puts nothing and closes nothing', async () => {
    const queue = await bench.create()
    fill(queue)
    const stream = queue.writable()
    stream.write(unit(98))
    stream.write(unit(99))
    await isPending(new Promise(() => {}))
    const closed = new Promise((resolve) => stream.on('close', resolve))
    stream.destroy()
    await closed
    await until(() => queue.tryGet() === unit(room - 1))
    await queue.put(unit(1), { timeoutMs: 5000 })
    expect(drain(queue)).toEqual([unit(1)])
  })

  test('a writable stream fails when a value cannot be encoded, and when its handle is closed', async () => {
    const queue = await bench.create(json<unknown>())
    const bad = queue.writable()
    const failed = errorOf(bad)
    bad.write(5n)
    expect(await failed).toMatchObject({ code: 'ERR_IPC_ENCODE' })
    const stream = queue.writable()
    const closed = errorOf(stream)
    await queue.close()
    stream.write(1)
    expect(await closed).toMatchObject({ code: 'ERR_IPC_CLOSED' })
  })

  test('a writable stream takes the options of put', async () => {
    const queue = await bench.create()
    fill(queue)
    const stream = queue.writable({ timeoutMs: 5 })
    const failed = errorOf(stream)
    stream.write(unit(1))
    expect(await failed).toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
  })

  test('a pipeline through two queues loses nothing and keeps the order', async () => {
    const first = await bench.create()
    const second = await bench.create()
    const firstReader = await bench.open(first.address)
    const secondReader = await bench.open(second.address)
    const seen: string[] = []
    const collect = new Writable({
      objectMode: true,
      write(value: string, _encoding, callback) {
        if (seen.push(value) === 500) void Promise.all([firstReader.close(), secondReader.close()])
        callback()
      },
    })
    await Promise.all([
      pipeline(Readable.from(units(0, 500)), first.writable()),
      pipeline(firstReader.readable({ highWaterMark: 5 }), second.writable()),
      pipeline(secondReader.readable(), collect),
    ])
    expect(seen).toEqual(units(0, 500))
  })

  test('empty values cross loops and streams', async () => {
    const queue = await bench.create(text())
    const stream = queue.writable()
    stream.write('')
    stream.write('a')
    stream.end('')
    const seen: string[] = []
    for await (const value of queue) if (seen.push(value) === 3) break
    expect(seen).toEqual(['', 'a', ''])
  })
}
