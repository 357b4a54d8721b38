/** The contract of waiting: order of callers, timeouts, abort signals, blocking calls. */
import { getEventListeners } from 'node:events'
import { IpcError, text } from 'ipckit'
import { expect, test } from 'vitest'
import { isPending } from '../helpers/waiting.ts'
import { type AnyQueue, drain, fill, room, type Subject, unit, units, Workbench } from './subject.ts'

/** The calls that wait for a message, and those that wait for room. */
const receives: Record<string, (queue: AnyQueue<string>, options?: object) => Promise<unknown>> = {
  get: (queue, options) => queue.get(options),
  getMany: (queue, options) => queue.getMany(3, options),
  receive: (queue, options) => queue.receive(options),
  next: (queue, options) => queue.values(options).next(),
}
const sends: Record<string, (queue: AnyQueue<string>, options?: object) => Promise<unknown>> = {
  put: (queue, options) => queue.put(unit(99), options),
  putMany: (queue, options) => queue.putMany([unit(99)], options),
}
const all = { ...receives, ...sends }
const names = Object.keys(all)

/** The timers of Node, which AbortSignal.timeout is made with, may ring up to a millisecond early. */
const early = 1

export function waits(subject: Subject): void {
  const bench = new Workbench(subject)

  /** A queue in which this call waits. */
  async function waitingFor(name: string): Promise<AnyQueue<string>> {
    const queue = await bench.create()
    if (name in sends) fill(queue)
    return queue
  }

  /** Asserts that the call which ended left the queue as it was. */
  function expectUntouched(queue: AnyQueue<string>, name: string): void {
    expect(queue.stat().depth).toBe(name in sends ? room : 0)
    if (name in sends) expect(drain(queue)).toEqual(units(0, room))
  }

  test('get waits for a value that the same handle puts later', async () => {
    const queue = await bench.create()
    const got = queue.get()
    expect(await isPending(got)).toBe(true)
    await queue.put(unit(1))
    expect(await got).toBe(unit(1))
  })

  test('get waits for a value that another handle puts later', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const got = queue.get()
    expect(await isPending(got)).toBe(true)
    await other.put(unit(1))
    expect(await got).toBe(unit(1))
    expect(queue.stat().depth).toBe(0)
  })

  test('put waits until there is room, and then the value is behind the others', async () => {
    const queue = await bench.create()
    fill(queue)
    const put = queue.put(unit(room))
    expect(await isPending(put)).toBe(true)
    expect(queue.stat().depth).toBe(room)
    expect(await queue.get()).toBe(unit(0))
    await put
    expect(drain(queue)).toEqual(units(1, room))
  })

  test('put waits until another handle makes room', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    fill(queue)
    const put = queue.put(unit(room))
    expect(await isPending(put)).toBe(true)
    expect(await other.get()).toBe(unit(0))
    await put
    expect(drain(other)).toEqual(units(1, room))
  })

  test('gets of one handle are served in the order in which they were made', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const order: number[] = []
    const gets = Array.from({ length: 20 }, () => queue.get())
    for (const [at, got] of gets.entries()) void got.then(() => order.push(at))
    for (const value of units(0, 20)) await other.put(value)
    expect(await Promise.all(gets)).toEqual(units(0, 20))
    expect(order).toEqual(Array.from({ length: 20 }, (_, at) => at))
  })

  test('puts of one handle are served in the order in which they were made', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const order: number[] = []
    const puts = Array.from({ length: 20 }, (_, at) => queue.put(unit(at)).then(() => order.push(at)))
    const seen: string[] = []
    while (seen.length < 20) seen.push(await other.get())
    await Promise.all(puts)
    expect(seen).toEqual(units(0, 20))
    expect(order).toEqual(Array.from({ length: 20 }, (_, at) => at))
  })

  test('calls that need not wait resolve in the order in which they were made, also while the loop is given way', async () => {
    const queue = await bench.create()
    for (let round = 0; round < 40; round++) {
      const order: string[] = []
      const note = (call: string) => () => order.push(call)
      const calls: Promise<unknown>[] = []
      const expected: string[] = []
      // One less: now and then a call is held back, and it should not always be the last.
      for (let at = 0; at < room - 1; at++) {
        calls.push(queue.put(unit(at)).then(note(`put ${at}`)), queue.get().then(note(`get ${at}`)))
        expected.push(`put ${at}`, `get ${at}`)
        const end = performance.now() + 0.3
        while (performance.now() < end);
      }
      await Promise.all(calls)
      expect(order).toEqual(expected)
    }
  })

  test('get, getMany, receive and a loop of one handle wait in one line', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const calls = [queue.get(), queue.getMany(1), queue.receive(), queue.values().next()]
    for (const value of units(0, 4)) await other.put(value)
    expect(await Promise.all(calls)).toEqual([
      unit(0),
      [unit(1)],
      { value: unit(2), ...subject.plainFacts },
      { value: unit(3), done: false },
    ])
  })

  test('tryGet does not overtake those who wait', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const got = queue.get()
    other.tryPut(unit(1))
    expect(queue.tryGet()).toBeUndefined()
    expect(await got).toBe(unit(1))
  })

  test('tryPut does not overtake those who wait', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    fill(queue)
    const puts = [queue.put(unit(room)), queue.put(unit(room + 1))]
    await isPending(puts[0] as Promise<void>)
    other.tryGet()
    expect(queue.tryPut(unit(99))).toBe(false)
    const seen = [await other.get(), await other.get()]
    await Promise.all(puts)
    expect([...seen, ...drain(other)]).toEqual(units(1, room + 1))
  })

  test('every value goes to exactly one of many handles that wait', async () => {
    const queue = await bench.create()
    const handles = await Promise.all(Array.from({ length: 5 }, () => bench.open(queue.address)))
    const seen: string[] = []
    const workers = handles.map(async (handle) => {
      for await (const value of handle) seen.push(value)
    })
    for (const value of units(0, 100)) await queue.put(value)
    while (seen.length < 100) await isPending(Promise.resolve())
    await Promise.all(handles.map((handle) => handle.close()))
    await Promise.all(workers)
    expect(seen.sort()).toEqual(units(0, 100).sort())
    expect(queue.stat().depth).toBe(0)
  })

  test('values cross both ways between two handles that wait for each other', async () => {
    const here = await bench.create()
    const there = await bench.create()
    const echo = await bench.open(here.address)
    const reply = await bench.open(there.address)
    const echoing = (async () => {
      for await (const value of echo) await reply.put(value)
    })()
    for (const value of units(0, 300)) {
      const answer = there.get()
      await here.put(value)
      expect(await answer).toBe(value)
    }
    await echo.close()
    await echoing
  })

  test.each(names)('%s with timeoutMs 0 tries once', async (name) => {
    const queue = await waitingFor(name)
    await expect(all[name]?.(queue, { timeoutMs: 0 })).rejects.toMatchObject({
      name: 'TimeoutError',
      code: 'ERR_IPC_TIMEOUT',
      resource: queue.address,
    })
    expectUntouched(queue, name)
    if (name in receives) await queue.put(unit(1))
    await expect(all[name]?.(queue, { timeoutMs: 0 })).resolves.not.toThrow()
  })

  test.each(names)('%s waits as long as timeoutMs says, and then nothing has happened', async (name) => {
    const queue = await waitingFor(name)
    const start = performance.now()
    await expect(all[name]?.(queue, { timeoutMs: 40 })).rejects.toMatchObject({
      name: 'TimeoutError',
      message: expect.stringContaining('40 ms'),
    })
    expect(performance.now() - start).toBeGreaterThanOrEqual(40)
    expectUntouched(queue, name)
  })

  test.each(names)('%s refuses timeouts that are none', async (name) => {
    const queue = await waitingFor(name)
    for (const bad of [-1, -0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 53]) {
      await expect(all[name]?.(queue, { timeoutMs: bad })).rejects.toThrow(RangeError)
    }
    for (const bad of ['5', null, 5n, new Date()]) {
      await expect(all[name]?.(queue, { timeoutMs: bad })).rejects.toThrow(TypeError)
    }
    for (const bad of [{}, null, 'abort', new EventTarget()]) {
      await expect(all[name]?.(queue, { signal: bad })).rejects.toThrow(TypeError)
    }
    expectUntouched(queue, name)
  })

  test.each(names)('%s refuses a bad timeout also when it need not wait', async (name) => {
    const queue = await bench.create()
    if (name in receives) await queue.put(unit(1))
    await expect(all[name]?.(queue, { timeoutMs: -1 })).rejects.toThrow(RangeError)
    expect(queue.stat().depth).toBe(name in receives ? 1 : 0)
  })

  test.each(names)('%s rejects with the very reason of a signal that is aborted already', async (name) => {
    const queue = await waitingFor(name)
    for (const reason of [new Error('enough'), 'enough', 0, null, Symbol('enough')]) {
      await expect(all[name]?.(queue, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    }
    await expect(all[name]?.(queue, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    })
    expectUntouched(queue, name)
  })

  test.each(names)('%s with an aborted signal does nothing though it could', async (name) => {
    const queue = await bench.create()
    if (name in receives) await queue.put(unit(1))
    const reason = new Error('enough')
    await expect(all[name]?.(queue, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(queue.stat().depth).toBe(name in receives ? 1 : 0)
  })

  test.each(names)(
    '%s that waits rejects with the reason of its signal, and nothing has happened',
    async (name) => {
      const queue = await waitingFor(name)
      const controller = new AbortController()
      const waiting = all[name]?.(queue, { signal: controller.signal }) as Promise<unknown>
      expect(await isPending(waiting)).toBe(true)
      const reason = new Error('enough')
      controller.abort(reason)
      await expect(waiting).rejects.toBe(reason)
      expectUntouched(queue, name)
      expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    },
  )

  test('who is aborted leaves the line, and the others keep their places', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const controllers = Array.from({ length: 10 }, () => new AbortController())
    const gets = controllers.map(({ signal }) => queue.get({ signal }))
    const outcome = Promise.allSettled(gets)
    for (let at = 0; at < 10; at += 2) controllers[at]?.abort(at)
    for (const value of units(0, 5)) await other.put(value)
    expect(await outcome).toEqual(
      controllers.map((_, at) =>
        at % 2 === 0
          ? { status: 'rejected', reason: at }
          : { status: 'fulfilled', value: unit((at - 1) / 2) },
      ),
    )
  })

  test('one signal ends many waits of both kinds on many queues', async () => {
    const empty = await bench.create()
    const full = await waitingFor('put')
    const controller = new AbortController()
    const { signal } = controller
    const calls = Array.from({ length: 15 }, (_, at) => [
      empty.get({ signal }),
      full.put(unit(at), { signal }),
    ]).flat()
    const outcome = Promise.allSettled(calls)
    controller.abort('enough')
    expect(await outcome).toEqual(calls.map(() => ({ status: 'rejected', reason: 'enough' })))
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expectUntouched(empty, 'get')
    expectUntouched(full, 'put')
  })

  test('a put that is aborted in the moment in which room comes is in the queue once or not at all', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const sent: string[] = []
    const seen: string[] = []
    for (let round = 0; round < 100; round++) {
      fill(queue, 1000 + round * room)
      sent.push(...units(1000 + round * room, room))
      const controller = new AbortController()
      const put = queue.put(unit(round), { signal: controller.signal })
      if (round % 3 === 0) await isPending(put)
      seen.push(...drain(other))
      if (round % 2 === 0) controller.abort('enough')
      else setImmediate(() => controller.abort('enough'))
      const [outcome] = await Promise.allSettled([put])
      if (outcome.status === 'fulfilled') sent.push(unit(round))
      else expect(outcome.reason).toBe('enough')
      seen.push(...drain(other))
    }
    expect(seen.sort()).toEqual(sent.sort())
  })

  test('a get that is aborted in the moment in which a value comes has it or leaves it', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const seen: string[] = []
    for (let round = 0; round < 100; round++) {
      const controller = new AbortController()
      const got = queue.get({ signal: controller.signal })
      if (round % 3 === 0) await isPending(got)
      other.tryPut(unit(round))
      if (round % 2 === 0) controller.abort('enough')
      else setImmediate(() => controller.abort('enough'))
      const [outcome] = await Promise.allSettled([got])
      seen.push(outcome.status === 'fulfilled' ? outcome.value : (other.tryGet() as string))
    }
    expect(seen).toEqual(units(0, 100))
  })

  test('a value that came is not taken again when the signal is aborted later', async () => {
    const queue = await bench.create()
    const controller = new AbortController()
    const got = queue.get({ signal: controller.signal })
    await queue.put(unit(1))
    expect(await got).toBe(unit(1))
    controller.abort()
    await queue.put(unit(2))
    expect(await queue.get()).toBe(unit(2))
  })

  test('a reason that is itself an error of ipckit is handed on untouched', async () => {
    const queue = await waitingFor('put')
    const empty = await bench.create()
    const reason = Object.freeze(new IpcError('mine', { code: 'ERR_IPC_CLOSED' }))
    const before = reason.stack
    const controller = new AbortController()
    const waiting = [
      queue.put(unit(9), { signal: controller.signal }),
      empty.get({ signal: controller.signal }),
    ]
    const outcome = Promise.allSettled(waiting)
    controller.abort(reason)
    for (const each of await outcome) {
      expect(each.status === 'rejected' && each.reason).toBe(reason)
    }
    expect(reason.stack).toBe(before)
  })

  test('AbortSignal.timeout ends a wait', async () => {
    const queue = await bench.create()
    const start = performance.now()
    await expect(queue.get({ signal: AbortSignal.timeout(30) })).rejects.toMatchObject({
      name: 'TimeoutError',
      code: 23,
    })
    expect(performance.now() - start).toBeGreaterThanOrEqual(30 - early)
  })

  test('a timeout and a signal may be given together; the first to come ends the wait', async () => {
    const queue = await bench.create()
    const controller = new AbortController()
    await expect(queue.get({ timeoutMs: 5, signal: controller.signal })).rejects.toMatchObject({
      code: 'ERR_IPC_TIMEOUT',
    })
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    const waiting = queue.get({ timeoutMs: 20_000, signal: controller.signal })
    controller.abort('enough')
    await expect(waiting).rejects.toBe('enough')
  })

  test('a wait that timed out leaves nothing behind: the next value goes to the next caller', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    for (let round = 0; round < 20; round++) {
      await expect(queue.get({ timeoutMs: round % 3 })).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
      const got = queue.get()
      await other.put(unit(round))
      expect(await got).toBe(unit(round))
    }
  })

  test('putSync and getSync give what there is without blocking', async () => {
    const queue = await bench.create()
    for (const value of units(0, room)) queue.putSync(value)
    for (const value of units(0, room)) expect(queue.getSync({ timeoutMs: 0 })).toBe(value)
  })

  test('blocking calls end with TimeoutError when their time is up, or are refused', async () => {
    const empty = await bench.create()
    const full = await waitingFor('put')
    if (!empty.capabilities.blocking) {
      const refusal = expect.objectContaining({ code: 'ERR_IPC_UNSUPPORTED' })
      expect(() => empty.getSync()).toThrow(refusal)
      expect(() => empty.getSync({ timeoutMs: 1000 })).toThrow(refusal)
      expect(() => full.putSync(unit(9))).toThrow(refusal)
    } else {
      const refusal = expect.objectContaining({ name: 'TimeoutError', code: 'ERR_IPC_TIMEOUT' })
      for (const timeoutMs of [0, 1, 60]) {
        const start = performance.now()
        expect(() => empty.getSync({ timeoutMs })).toThrow(refusal)
        expect(() => full.putSync(unit(9), { timeoutMs })).toThrow(refusal)
        expect(performance.now() - start).toBeGreaterThanOrEqual(2 * timeoutMs)
      }
    }
    for (const timeoutMs of [-1, Number.NaN, 2 ** 31]) {
      expect(() => empty.getSync({ timeoutMs })).toThrow(RangeError)
      expect(() => full.putSync(unit(9), { timeoutMs })).toThrow(RangeError)
    }
    expectUntouched(empty, 'get')
    expectUntouched(full, 'put')
    await empty.put(unit(1))
    expect(await empty.get()).toBe(unit(1))
  })

  test('blocking calls refuse a bad timeout also when they need not block', async () => {
    const queue = await bench.create()
    expect(() => queue.putSync(unit(1), { timeoutMs: -1 })).toThrow(RangeError)
    await queue.put(unit(1))
    expect(() => queue.getSync({ timeoutMs: '1' as never })).toThrow(TypeError)
    expect(queue.stat().depth).toBe(1)
  })

  test('a blocking get does not overtake those who wait already', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const got = queue.get()
    await isPending(got)
    other.tryPut(unit(1))
    other.tryPut(unit(2))
    expect(queue.getSync({ timeoutMs: 5000 })).toBe(unit(2))
    expect(await got).toBe(unit(1))
  })

  test('waits of several handles with different codecs do not disturb each other', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address, text())
    const far = await bench.create()
    const gets = [queue.get(), far.get(), other.get()]
    await far.put(unit(2))
    await queue.put(unit(1))
    await queue.put(unit(3))
    const [first, second, third] = await Promise.all(gets)
    expect(second).toBe(unit(2))
    expect([first, third].sort()).toEqual([unit(1), unit(3)])
  })
}
