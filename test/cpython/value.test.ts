/**
 * What CPython's own tests ask of values: the behaviours of `_TestValue`, see lock.test.ts. Which lock is used is not
 * chosen with an option here: a Value has its own, and a RawValue none.
 */
import { f64, i16, i32, i64, u8 } from 'ipckit'
import { RawValue, Value } from 'ipckit/sync'
import { expect, test } from 'vitest'
import { SyncPeer } from '../interop/sync-peers.ts'
import { keep, name } from '../sync/support.ts'

test.each([
  ['test_value', Value],
  ['test_rawvalue', RawValue],
] as const)('%s: values of each type, written through another handle', (_, kind) => {
  const change = <T>(type: Parameters<typeof Value.create<T, T>>[1], first: T, second: T) => {
    const value = keep(kind.create(name(), type, first))
    const other = keep(kind.open(value.name, type))
    expect(other.value).toBe(first)
    other.value = second
    expect(value.value).toBe(second)
  }
  change(i32, 4343, 24234)
  change(f64, 3.625, -4.25)
  change(i16, -232, 234)
  change(i64, 2n ** 33n, 2n ** 34n)
  change(u8, 120, 121)
})

test('test_value: written by another process', async () => {
  const value = keep(Value.create(name(), i32, 4343))
  const child = await SyncPeer.start('Node', 'open', 'value', value.name)
  expect(await child.ask('get', 0)).toEqual({ ok: 4343 })
  await child.ask('put', 0, 24234)
  expect(value.value).toBe(24234)
})

test('test_getobj_getlock: a value has a lock for all processes, a raw one has none', async () => {
  const value = keep(Value.create(name(), i32, 5))
  const child = await SyncPeer.start('Node', 'open', 'value', value.name)
  await value.getLock().run(async () => {
    expect(await child.ask('acquire', 0)).toEqual({ error: 'TIMEOUT' })
    expect(value.value).toBe(5)
  })
  expect(await child.ask('acquire', 0)).toMatchObject({ ok: 1 })
  expect('getLock' in keep(RawValue.create(name(), i32, 5))).toBe(false)
})
