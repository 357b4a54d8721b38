/** What only queues in memory have: no limits but those that they are made with, and those take no memory. */
import { Queue, raw } from 'ipckit'
import { expect, test } from 'vitest'
import { newName } from '../helpers/names.ts'

test('the largest limits take no memory until a message needs it', async () => {
  const limits = { capacity: 2 ** 31 - 1, maxMessageBytes: 2 ** 31 - 1 }
  const queue = await Queue.create(`memory:${newName()}`, { codec: raw(), ...limits })
  const before = process.memoryUsage().arrayBuffers
  await queue.put(Buffer.from('small'))
  expect(await queue.getMany(256)).toEqual([Buffer.from('small')])
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24)
  expect(queue.stat()).toMatchObject(limits)
  await queue.unlink()
})

test('messages of many sizes cross in one getMany, as many as there is memory for at once', async () => {
  const queue = await Queue.create(`memory:${newName()}`, { codec: raw(), maxMessageBytes: 2 ** 22 })
  const sizes = [5, 2 ** 20, 0, 2 ** 22, 3, 2 ** 21, 1, 1]
  const values = sizes.map((size, at) => Buffer.alloc(size, at))
  expect(await queue.putMany(values)).toBe(sizes.length)
  const seen: Buffer[] = []
  while (seen.length < sizes.length) seen.push(...(await queue.getMany(256)))
  expect(seen.map(({ length }) => length)).toEqual(sizes)
  expect(seen.every((value, at) => value.equals(values[at] as Buffer))).toBe(true)
  await queue.unlink()
})
