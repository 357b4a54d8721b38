/** Value, RawValue, Array and RawArray: typed memory that processes share. */
import { truncateSync } from 'node:fs'
import {
  array,
  bool,
  bytes,
  ClosedError,
  chars,
  type FieldType,
  f32,
  f64,
  i8,
  i16,
  i32,
  i64,
  struct,
  u8,
  u16,
  u32,
  u64,
} from 'ipckit'
import { RawArray, RawValue, Array as SharedArray, Value } from 'ipckit/sync'
import { describe, expect, test } from 'vitest'
import { endAgents } from '../helpers/agent.ts'
import { codeOf, fileOf, keep, name, Remote } from './support.ts'

endAgents()

const point = struct({ id: i32, at: f64, label: chars(8) })

describe('Value', () => {
  test.each([
    ['i8', i8, -128, 127],
    ['u16', u16, 0, 65535],
    ['i32', i32, -1, 2 ** 31 - 1],
    ['u64', u64, 0n, 2n ** 64n - 1n],
    ['f64', f64, 0.1, Number.NaN],
    ['bool', bool, true, false],
    ['chars', chars(5), 'grün', ''],
    ['bytes', bytes(3), Buffer.from([1, 2, 3]), Buffer.from([0, 0, 255])],
    ['array', array(i16, 3), [1, -2, 3], [4, 5, 6]],
    ['struct', point, { id: 1, at: 0.5, label: 'a' }, { id: -7, at: -0.25, label: 'beta' }],
  ] as const)('%s: what one handle writes another reads', (_, type, first, second) => {
    const fresh = name()
    const value = keep(Value.create(fresh, type as FieldType<unknown>, first))
    const other = keep(RawValue.open(fresh, type as FieldType<unknown>))
    expect(other.value).toEqual(first)
    other.value = second
    expect(value.value).toEqual(second)
    expect(value.stat()).toMatchObject({ kind: 'Value', type: type.name, bytes: type.size })
  })

  test('without an initial value it begins with zeros; openOrCreate leaves what is there', () => {
    const fresh = name()
    expect(keep(Value.openOrCreate(fresh, i32)).value).toBe(0)
    expect(keep(Value.openOrCreate(fresh, i32, 5)).value).toBe(0)
    expect(keep(Value.create(name(), chars(4))).value).toBe('')
  })

  test.each([
    ['i8', i8, 127, 1, -128],
    ['u8', u8, 250, 10, 4],
    ['i16', i16, -32768, -1, 32767],
    ['u16', u16, 65535, 1, 0],
    ['i32', i32, 2 ** 31 - 1, 1, -(2 ** 31)],
    ['u32', u32, 5, 2, 7],
    ['f32', f32, 0.5, 0.25, 0.75],
    ['f64', f64, 0.1, 0.2, 0.1 + 0.2],
    ['i64', i64, 2n ** 63n - 1n, 1n, -(2n ** 63n)],
    ['u64', u64, 1n, 2n, 3n],
  ] as const)('%s: add and compareExchange', (_, type, start, amount, sum) => {
    const value = keep(Value.create(name(), type as unknown as FieldType<number | bigint>, start))
    expect([value.add(amount), value.value]).toEqual([start, sum])
    expect([value.compareExchange(start, amount), value.value]).toEqual([sum, sum])
    expect([value.compareExchange(sum, amount), value.value]).toEqual([sum, amount])
  })

  test('add loses nothing between processes, also of neighbours in one word', async () => {
    const fresh = name()
    const cells = keep(SharedArray.create(fresh, u16, 4))
    const remotes = await Promise.all([0, 1].map(() => Remote.open('AnyArray', fresh)))
    const rounds = 2000
    await Promise.all([
      ...remotes.map((remote) => remote.call('addOften', rounds)),
      (async () => {
        for (let round = 0; round < rounds; round++) {
          for (let at = 0; at < 4; at++) cells.add(at, 1)
          if (round % 100 === 0) await new Promise(setImmediate)
        }
      })(),
    ])
    expect(cells.slice()).toEqual(Array(4).fill(3 * rounds))
  })

  test('the lock beside it is for all processes, and reentrant here', async () => {
    const fresh = name()
    const value = keep(Value.create(fresh, i32, 0))
    const lock = value.getLock()
    expect(value.getLock()).toBe(lock)
    const remote = await Remote.open('AnyValue', fresh)
    const guard = await lock.acquire()
    expect(lock.acquireSync().released).toBe(false)
    expect(await remote.call('tryAcquire')).toBeUndefined()
    lock.release()
    guard.release()
    expect(await remote.call('tryAcquire')).toBeTypeOf('number')
  })

  test('what does not fit is refused, and nothing is written', async () => {
    const value = keep(Value.create(name(), u8, 7))
    expect(() => {
      value.value = 256
    }).toThrow(RangeError)
    expect(() => value.add(1.5)).toThrow(RangeError)
    expect(() => value.compareExchange('7' as never, 1)).toThrow(TypeError)
    expect(value.value).toBe(7)
    const text = keep(Value.create(name(), chars(4), 'abc'))
    expect(() => text.add('d')).toThrow(TypeError)
    expect(await codeOf(() => Value.create(name(), u8, 256))).toBe('RangeError')
    expect(await codeOf(() => Value.create(name(), 'i32' as never))).toBe('TypeError')
  })

  test('another type or size under the same name is refused, with both named', async () => {
    const fresh = name()
    keep(Value.create(fresh, f64, 1))
    for (const open of [
      (): unknown => Value.open(fresh, i64),
      (): unknown => RawValue.openOrCreate(fresh, f32),
      (): unknown => SharedArray.open(fresh, f64),
    ]) {
      const error: unknown = await Promise.resolve()
        .then(open)
        .catch((reason) => reason)
      expect(error).toMatchObject({ code: 'ERR_IPC_TYPE' })
      expect((error as Error).message).toMatch(/f64.*(i64|f32|f64\[\])/)
    }
  })

  test('closed, it throws; truncated by another program, it fails and nothing crashes', async () => {
    const fresh = name()
    const value = Value.create(fresh, f64, 1)
    truncateSync(fileOf(fresh), 0)
    expect(await codeOf(() => value.value)).toBe('ERR_IPC_TRUNCATED')
    expect(await codeOf(() => value.getLock().acquire())).toBe('ERR_IPC_CORRUPT')
    await value.close()
    expect(() => value.value).toThrow(ClosedError)
    expect(() => value.add(1)).toThrow(ClosedError)
    expect(() => value.getLock()).toThrow(ClosedError)
  })
})

describe('Array', () => {
  test('of a length or of values, and opened by the type of its elements', () => {
    const fresh = name()
    const cells = keep(SharedArray.create(fresh, f64, [1, 2, 3]))
    const other = keep(RawArray.open(fresh, f64))
    expect([other.length, [...other], other.stat().type]).toEqual([3, [1, 2, 3], 'f64[3]'])
    other.set(1, 9)
    expect([cells.at(1), cells.at(-1), cells.at(3), cells.at(-4)]).toEqual([9, 3, undefined, undefined])
    expect([cells.slice(1), cells.slice(0, -1), cells.slice(-2, -1), cells.slice(2, 1)]).toEqual([
      [9, 3],
      [1, 9],
      [9],
      [],
    ])
    cells.fill(4).fill(0, 1, 2)
    expect(other.slice()).toEqual([4, 0, 4])
    expect(
      keep(SharedArray.create(name(), i32, 1000))
        .slice()
        .every((each) => each === 0),
    ).toBe(true)
  })

  test('typed arrays and views lie over the memory itself', () => {
    const numbers = keep(SharedArray.create(name(), f32, 4))
    const typed = numbers.typedArray as Float32Array
    typed[2] = 0.5
    expect([typed.length, numbers.at(2)]).toEqual([4, 0.5])
    const points = keep(SharedArray.create(name(), point, 2))
    points.view.get(1).at = 2.5
    expect(points.at(1)).toMatchObject({ id: 0, at: 2.5, label: '' })
    points.set(0, { id: 3, at: 1, label: 'x' })
    expect(points.view.get(0).label).toBe('x')
    expect(() => points.typedArray).toThrow(TypeError)
  })

  test('an index or a length that is none is refused', async () => {
    const fresh = name()
    const cells = keep(SharedArray.create(fresh, i32, 2))
    expect(() => cells.set(2, 1)).toThrow(RangeError)
    expect(() => cells.set(-1, 1)).toThrow(RangeError)
    expect(() => cells.add(0.5, 1)).toThrow(RangeError)
    for (const length of [0, -1, 1.5, 2 ** 31]) {
      expect(await codeOf(() => SharedArray.create(name(), i32, length))).toBe('RangeError')
    }
    expect(await codeOf(() => SharedArray.create(name(), i32, 'two' as never))).toBe('TypeError')
    expect(await codeOf(() => SharedArray.openOrCreate(fresh, i32, 3))).toBe('ERR_IPC_TYPE')
    expect(await codeOf(() => SharedArray.open(fresh, u32))).toBe('ERR_IPC_TYPE')
  })

  test('after close its views show zeros, and its calls throw', async () => {
    const cells = SharedArray.create(name(), u8, [1, 2])
    const { typedArray } = cells
    await cells.close()
    expect(Array.from(typedArray as Uint8Array)).toEqual([0, 0])
    for (const call of [
      () => cells.at(0),
      () => cells.set(0, 1),
      () => cells.typedArray,
      () => cells.getLock(),
    ]) {
      expect(call).toThrow(ClosedError)
    }
  })
})
