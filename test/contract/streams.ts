/** What readable streams hold: unless they were told to read ahead, nothing that could be lost. */
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { isPending, until } from '../helpers/waiting.ts'
import { drain, fill, room, type Subject, unit, units, Workbench } from './subject.ts'

/** Long enough for whatever would read ahead. */
const aWhile = () => isPending(new Promise(() => {}))

export function streams(subject: Subject): void {
  const bench = new Workbench(subject)

  test('a readable stream that nobody reads takes nothing', async () => {
    const queue = await bench.create()
    fill(queue)
    const stream = queue.readable()
    expect(stream.readableHighWaterMark).toBe(0)
    await aWhile()
    expect(queue.stat().depth).toBe(room)
    stream.destroy()
  })

  test('breaking out of the loop of a readable stream loses nothing', async () => {
    const queue = await bench.create()
    fill(queue)
    for (let number = 0; number < room; number += 2) {
      for await (const value of queue.readable()) {
        await aWhile()
        if (value === unit(number + 1)) break
      }
      await aWhile()
      expect(queue.stat().depth).toBe(room - number - 2)
    }
  })

  test('a loop over a readable stream that throws loses nothing', async () => {
    const queue = await bench.create()
    fill(queue)
    const loop = async () => {
      for await (const value of queue.readable()) throw new Error(value)
    }
    await expect(loop()).rejects.toThrow(unit(0))
    await aWhile()
    expect(drain(queue)).toEqual(units(1, room - 1))
  })

  test('a readable stream that its listener destroys, or pauses, takes nothing more', async () => {
    const queue = await bench.create()
    fill(queue)
    const paused = queue.readable()
    paused.on('data', () => paused.pause())
    await until(() => paused.isPaused())
    await aWhile()
    expect(queue.stat().depth).toBe(room - 1)
    const destroyed = queue.readable()
    destroyed.on('data', () => destroyed.destroy())
    await until(() => destroyed.destroyed)
    paused.destroy()
    await aWhile()
    expect(drain(queue)).toEqual(units(2, room - 2))
  })

  test('destroying readable streams while values flow loses none', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const total = 2000
    const seen: string[] = []
    const putting = (async () => {
      for (const value of units(0, total)) await other.put(value)
    })()
    for (let round = 0; seen.length < total; round++) {
      const stream = queue.readable()
      stream.on('data', (value) => seen.push(value))
      if (round % 2 === 0) await sleep(1)
      else await nextTurn()
      stream.destroy()
    }
    await putting
    expect(seen).toEqual(units(0, total))
  })

  test('destroying a readable stream as soon as something was put loses nothing', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    for (let number = 0; number < 50; number++) {
      const seen: string[] = []
      const stream = queue.readable()
      stream.on('data', (value) => seen.push(value))
      await aWhile()
      await other.put(unit(number))
      for (let turns = 0; turns < number % 3; turns++) await nextTurn()
      stream.destroy()
      expect([...seen, ...drain(queue)]).toEqual([unit(number)])
    }
  })

  test('a pipeline whose destination fails at once loses nothing', async () => {
    const queue = await bench.create()
    fill(queue)
    const written: string[] = []
    const destination = new Writable({
      objectMode: true,
      write(value: string, _encoding, callback) {
        callback(written.push(value) === 2 ? new Error('no more') : null)
      },
    })
    await expect(pipeline(queue.readable(), destination)).rejects.toThrow('no more')
    await aWhile()
    expect(written).toEqual(units(0, 2))
    expect(drain(queue)).toEqual(units(2, room - 2))
  })

  test('a pipeline whose destination fails later loses nothing but what the destination held', async () => {
    const queue = await bench.create()
    fill(queue)
    const written: string[] = []
    const destination = new Writable({
      objectMode: true,
      highWaterMark: 1,
      write(value: string, _encoding, callback) {
        written.push(value)
        setTimeout(callback, 5, written.length === 2 ? new Error('no more') : null)
      },
    })
    await expect(pipeline(queue.readable(), destination)).rejects.toThrow('no more')
    await aWhile()
    expect(written).toEqual(units(0, 2))
    expect(drain(queue)).toEqual(units(2, room - 2))
  })

  test('a busy readable stream lets timers be heard', async () => {
    const queue = await bench.create()
    let heard = 0
    const timer = setInterval(() => heard++, 1)
    const stream = queue.readable()
    stream.on('data', (value) => queue.tryPut(value))
    await queue.put(unit(0))
    await until(() => heard > 5)
    clearInterval(timer)
    stream.destroy()
    expect(queue.stat().depth).toBe(1)
  })

  test('options of streams that are none are refused at once', async () => {
    const queue = await bench.create()
    const refused = 'Expected an integer from 0 to 1048576 for `highWaterMark`, received'
    expect(() => queue.readable({ highWaterMark: -1 })).toThrow(new RangeError(`${refused} -1`))
    expect(() => queue.readable({ highWaterMark: '1' as never })).toThrow(new TypeError(`${refused} '1'`))
    for (const bad of [null, 5, { timeout: 5 }]) {
      expect(() => queue.readable(bad as never)).toThrow(TypeError)
      expect(() => queue.writable(bad as never)).toThrow(TypeError)
    }
  })
}
