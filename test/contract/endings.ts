/** The contract of closing a handle and removing a queue. */
import { ClosedError, RemovedError } from 'ipckit'
import { expect, test } from 'vitest'
import { isPending } from '../helpers/waiting.ts'
import { drain, fill, room, type Subject, unit, units, Workbench } from './subject.ts'

export function endings(subject: Subject): void {
  const bench = new Workbench(subject)

  test('close ends waiting gets with ClosedError, and they have taken nothing', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const calls = [queue.get(), queue.getMany(3), queue.receive(), queue.get({ timeoutMs: 20_000 })]
    const outcome = Promise.allSettled(calls)
    await isPending(outcome)
    await queue.close()
    for (const each of await outcome) {
      expect(each).toMatchObject({
        status: 'rejected',
        reason: { name: 'ClosedError', code: 'ERR_IPC_CLOSED' },
      })
    }
    await other.put(unit(1))
    expect(await other.get()).toBe(unit(1))
  })

  test('close ends waiting puts with ClosedError, and they have put nothing', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    fill(queue)
    const calls = [
      queue.put(unit(97)),
      queue.putMany(units(98, 2)),
      queue.put(unit(99), { timeoutMs: 20_000 }),
    ]
    const outcome = Promise.allSettled(calls)
    await isPending(outcome)
    await queue.close()
    for (const each of await outcome) {
      expect(each).toMatchObject({
        status: 'rejected',
        reason: { name: 'ClosedError', code: 'ERR_IPC_CLOSED' },
      })
    }
    expect(drain(other)).toEqual(units(0, room))
    await isPending(outcome)
    expect(drain(other)).toEqual([])
  })

  test('everyone whom a close ends gets an error of his own', async () => {
    const queue = await bench.create()
    const outcome = Promise.allSettled([queue.get(), queue.get()])
    await queue.close()
    const [one, two] = (await outcome) as PromiseRejectedResult[]
    expect(one?.reason).toBeInstanceOf(ClosedError)
    expect(one?.reason).not.toBe(two?.reason)
  })

  test('a put that is closed in the moment in which room comes is in the queue exactly when it says so', async () => {
    const sent: string[] = []
    const seen: string[] = []
    const queue = await bench.create()
    for (let round = 0; round < 30; round++) {
      const closing = await bench.open(queue.address)
      fill(queue, 1000 + round * room)
      sent.push(...units(1000 + round * room, room))
      const put = closing.put(unit(round))
      if (round % 3 === 0) await isPending(put)
      seen.push(...drain(queue))
      const closed = closing.close()
      const [outcome] = await Promise.allSettled([put])
      await closed
      if (outcome.status === 'fulfilled') sent.push(unit(round))
      else expect(outcome.reason).toMatchObject({ code: 'ERR_IPC_CLOSED' })
      seen.push(...drain(queue))
    }
    expect(seen.sort()).toEqual(sent.sort())
  })

  test('close may be called again, one after the other and at once', async () => {
    const queue = await bench.create()
    await Promise.all([queue.close(), queue.close()])
    await queue.close()
    await queue[Symbol.asyncDispose]()
    expect(queue.closed).toBe(true)
  })

  test('every close resolves only when the last wait has ended', async () => {
    const queue = await bench.create()
    fill(queue)
    let ended = 0
    const note = () => {
      ended++
    }
    const puts = [queue.put(unit(8)).catch(note), queue.put(unit(9)).catch(note)]
    await isPending(Promise.all(puts))
    const first = queue.close()
    const second = queue.close()
    await second
    for (let microtasks = 0; microtasks < 10; microtasks++) await undefined
    expect(ended).toBe(2)
    await first
    await Promise.all(puts)
  })

  test('disposing of a handle closes it', async () => {
    const queue = await bench.create()
    const got = queue.get()
    const outcome = Promise.allSettled([got])
    await queue[Symbol.asyncDispose]()
    expect(queue.closed).toBe(true)
    expect(await outcome).toMatchObject([{ reason: { code: 'ERR_IPC_CLOSED' } }])
  })

  test('the error of a closed handle says which queue, and what to do', async () => {
    const queue = await bench.create()
    await queue.close()
    await expect(queue.get()).rejects.toMatchObject({
      name: 'ClosedError',
      resource: queue.address,
      message: expect.stringMatching(/closed: open it again/),
    })
  })

  test('closing one handle leaves others as they were', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const got = other.get()
    await isPending(got)
    await queue.close()
    const third = await bench.open(queue.address)
    await third.put(unit(1))
    expect(await got).toBe(unit(1))
  })

  test('removing a queue wakes those who wait for values with RemovedError, an error for each', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const calls = [queue.get(), queue.getMany(2), queue.receive(), queue.values().next(), other.get()]
    const outcome = Promise.allSettled(calls)
    await isPending(outcome)
    await other.unlink()
    const errors = ((await outcome) as PromiseRejectedResult[]).map(({ reason }) => reason as RemovedError)
    for (const error of errors) {
      expect(error).toBeInstanceOf(RemovedError)
      expect(error).toMatchObject({
        code: 'EIDRM',
        resource: queue.address,
        message: expect.stringContaining('removed'),
      })
    }
    expect(new Set(errors).size).toBe(5)
  })

  test('removing a full queue wakes those who wait for room with RemovedError', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    fill(queue)
    const calls = [
      queue.put(unit(room)),
      queue.put(unit(room + 1)),
      queue.putMany(units(room + 2, 2)),
      other.put(unit(9)),
    ]
    const outcome = Promise.allSettled(calls)
    await isPending(outcome)
    await other.unlink()
    for (const each of (await outcome) as PromiseRejectedResult[]) {
      expect(each).toMatchObject({ status: 'rejected', reason: { name: 'RemovedError', code: 'EIDRM' } })
    }
  })

  test('removing a queue through the handle that waits ends its waits too', async () => {
    const queue = await bench.create()
    const outcome = Promise.allSettled([queue.get(), queue.receive()])
    await isPending(outcome)
    await queue.unlink()
    const removed = { status: 'rejected', reason: { name: 'RemovedError', code: 'EIDRM' } }
    expect(await outcome).toMatchObject([removed, removed])
  })

  test('waits on a queue that was removed before end with RemovedError', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    await other.unlink()
    const removed = { name: 'RemovedError', code: 'EIDRM' }
    await expect(queue.get()).rejects.toMatchObject(removed)
    await expect(queue.getMany(3)).rejects.toMatchObject(removed)
    await expect(queue.values().next()).rejects.toMatchObject(removed)
    // Where the kernel lets those who have it open go on, some puts may still succeed; the last has to wait.
    const put = async () => {
      for (let at = 0; at <= room; at++) await queue.put(unit(at))
    }
    await expect(put()).rejects.toMatchObject(removed)
  })

  test('blocking calls on a queue that was removed before end with RemovedError', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    await other.unlink()
    const removed = expect.objectContaining({ name: 'RemovedError', code: 'EIDRM' })
    expect(() => queue.getSync({ timeoutMs: 20_000 })).toThrow(removed)
    const put = () => {
      for (let at = 0; at <= room; at++) queue.putSync(unit(at), { timeoutMs: 20_000 })
    }
    expect(put).toThrow(removed)
  })

  test('who tries again and again on a queue that was removed hears of it', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    await other.unlink()
    const untilRefused = async (attempt: () => unknown) => {
      for (;;) {
        try {
          attempt()
        } catch (error) {
          return error
        }
        await isPending(Promise.resolve())
      }
    }
    const removed = { name: 'RemovedError', code: 'EIDRM' }
    expect(await untilRefused(() => queue.tryPut(unit(1)))).toMatchObject(removed)
    expect(await untilRefused(() => queue.tryGet())).toMatchObject(removed)
  })

  test('a loop over a queue that is removed fails, and does not end as if it had been closed', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const loop = (async () => {
      for await (const value of queue) void value
    })()
    const outcome = Promise.allSettled([loop])
    await isPending(loop)
    await other.unlink()
    expect(await outcome).toMatchObject([{ status: 'rejected', reason: { code: 'EIDRM' } }])
  })

  test('a handle on a removed queue can still be closed', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    await other.unlink()
    await queue.close()
    await expect(queue.get()).rejects.toMatchObject({ code: 'ERR_IPC_CLOSED' })
  })

  test('a queue can be removed once', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    await queue.unlink()
    await expect(other.unlink()).rejects.toMatchObject({ code: 'EIDRM' })
  })

  test('a handle on a queue that was removed leaves alone what others made under its name', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    await other.unlink()
    await other.close()
    const theirs = await bench.make('create', queue.address, undefined, subject.sized(room))
    await theirs.put(unit(1))
    await expect(queue.unlink()).rejects.toMatchObject({
      name: 'RemovedError',
      code: 'EIDRM',
      resource: queue.address,
      message: expect.stringContaining('removed'),
    })
    const again = await bench.open(theirs.address)
    expect(await again.get()).toBe(unit(1))
  })

  test('a queue is removed while messages are in it, and its name is free', async () => {
    const queue = await bench.create()
    fill(queue)
    await queue.unlink()
    await queue.close()
    const fresh = await bench.make('create', queue.address, undefined, subject.sized(room))
    expect(fresh.stat().depth).toBe(0)
  })
}
