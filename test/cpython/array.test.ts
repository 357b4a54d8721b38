/** What CPython's own tests ask of arrays: the behaviours of `_TestArray`, see lock.test.ts and value.test.ts. */
import { i32 } from 'ipckit'
import { Array as LockedArray, RawArray } from 'ipckit/sync'
import { expect, test } from 'vitest'
import { SyncPeer } from '../interop/sync-peers.ts'
import { keep, name } from '../sync/support.ts'

test.each([
  ['test_array', LockedArray],
  ['test_rawarray', RawArray],
] as const)('%s: elements, slices, and another process that adds them up', async (_, kind) => {
  const numbers = [680, 626, 934, 821, 150, 233, 548, 982, 714, 831]
  const shared = keep(kind.create(name(), i32, numbers))
  expect(shared.length).toBe(numbers.length)
  expect(shared.at(3)).toBe(numbers[3])
  expect(shared.slice(2, 7)).toEqual(numbers.slice(2, 7))
  for (const [at, number] of [1, 2, 3, 4].entries()) {
    numbers[4 + at] = number
    shared.set(4 + at, number)
  }
  expect([...shared]).toEqual(numbers)
  const child = await SyncPeer.start('Node', 'open', 'array', shared.name, numbers.length)
  for (let at = 1; at < numbers.length; at++) {
    numbers[at] = (numbers[at] as number) + (numbers[at - 1] as number)
    const before = (await child.ask('get', at)).ok as number
    await child.ask('put', at, before + ((await child.ask('get', at - 1)).ok as number))
  }
  expect([...shared]).toEqual(numbers)
})

test('test_array_from_size: zeros, whatever there was before', async () => {
  for (let turn = 0; turn < 3; turn++) {
    const shared = LockedArray.create(name(), i32, 10)
    expect([...shared]).toEqual(Array(10).fill(0))
    for (let at = 0; at < 10; at++) shared.set(at, at)
    expect([...shared]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    shared.unlink()
    await shared.close()
  }
})

test('test_getobj_getlock_obj: an array has a lock for all processes, a raw one has none', async () => {
  const shared = keep(LockedArray.create(name(), i32, [0, 1, 2]))
  const child = await SyncPeer.start('Node', 'open', 'array', shared.name, 3)
  await shared.getLock().run(async () => {
    expect(await child.ask('acquire', 0)).toEqual({ error: 'TIMEOUT' })
  })
  expect(await child.ask('acquire', 0)).toMatchObject({ ok: 1 })
  expect('getLock' in keep(RawArray.create(name(), i32, 3))).toBe(false)
})
