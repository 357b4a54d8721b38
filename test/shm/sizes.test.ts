/** Messages of every size, whole: in the cell of a message, in one block, in many, and copied outside of the locks. */
import { Queue, raw } from 'ipckit'
import { describe, expect, test } from 'vitest'
import { create, createOf, keep } from './support.ts'

/** Bytes that tell their place, the length and a number. */
function pattern(length: number, number = 0): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at++) bytes[at] = (at * 131 + (at >> 8) + length + number) & 0xff
  return bytes
}
const same = (bytes: Uint8Array | undefined, wanted: Buffer) => bytes !== undefined && wanted.equals(bytes)

describe.each([1, 79, 80, 81, 256, 257, 4096, 4097, 8192, 65_537, 1 << 20])(
  'a queue of messages up to %i bytes',
  (largest) => {
    test('carries those of 0, 1, half and all bytes, in every way', async () => {
      const queue = await createOf(raw(), { capacity: 4, maxMessageBytes: largest, deadLetters: 1 })
      expect(queue.maxMessageBytes).toBe(largest)
      for (const length of new Set([0, 1, largest >> 1, largest - 1, largest])) {
        const message = pattern(length)
        await queue.putMany([message, message, message, message])
        expect(same(queue.peek(), message)).toBe(true)
        expect(same(await queue.get(), message)).toBe(true)
        const lease = await queue.lease({ leaseMs: 60_000 })
        expect(same(lease.value, message)).toBe(true)
        lease.nack()
        for (const again of await queue.leaseMany(1)) {
          expect([same(again.value, message), again.deliveryCount]).toEqual([true, 2])
          again.reject()
        }
        for (const [at, value] of (await queue.getMany(4)).entries()) {
          expect([at, same(value, message)]).toEqual([at, true])
        }
        while (queue.stat().depth > 0) expect(same(queue.getSync(), message)).toBe(true)
        expect(same(queue.tryGetDeadLetter(), message)).toBe(true)
      }
    })

    test('refuses one more byte in every way, and takes the next message', async () => {
      const queue = await createOf(raw(), { capacity: 4, maxMessageBytes: largest })
      const tooLarge = { code: 'EMSGSIZE', message: expect.stringContaining(`takes at most ${largest}`) }
      const message = pattern(largest + 1)
      await expect(queue.put(message)).rejects.toMatchObject(tooLarge)
      await expect(queue.putMany([pattern(1), message])).rejects.toMatchObject(tooLarge)
      expect(() => queue.tryPut(message)).toThrow(expect.objectContaining(tooLarge))
      expect(() => queue.putSync(message)).toThrow(expect.objectContaining(tooLarge))
      const { depth } = queue.stat()
      for (let count = 0; count < depth; count++) await queue.get()
      await queue.put(pattern(largest))
      expect(same(await queue.get(), pattern(largest))).toBe(true)
    })
  },
)

test('a message of 64 MiB crosses, between handles, and its room is given back', async () => {
  const size = 64 << 20
  const queue = await createOf(raw(), { capacity: 2, maxMessageBytes: size })
  const other = keep(await Queue.open(queue.address as 'shm:/x', { codec: raw() }))
  const { freeBytes } = queue.stat()
  const message = Buffer.alloc(size, 'all work and no play ')
  message.writeUInt32LE(7, size - 4)
  await queue.put(message)
  expect(same(await other.get(), message)).toBe(true)
  queue.putSync(message)
  const lease = other.leaseSync()
  expect(same(lease.value, message)).toBe(true)
  expect(queue.tryPut(message)).toBe(false)
  const waiting = queue.put(message)
  lease.ack()
  await waiting
  expect(same(other.tryGet(), message)).toBe(true)
  expect(queue.stat().freeBytes).toBe(freeBytes)
})

test('small and large messages keep their order', async () => {
  const queue = await createOf(raw(), { capacity: 400, maxMessageBytes: 100_000 })
  const lengths = Array.from({ length: 300 }, (_, at) => (at * at * 37) % (at % 7 === 0 ? 100_000 : 200))
  for (const [at, length] of lengths.entries()) await queue.put(pattern(length, at))
  for (const [at, length] of lengths.entries()) {
    expect([at, same(queue.tryGet(), pattern(length, at))]).toEqual([at, true])
  }
})

test('what a full queue cannot take is not half in it', async () => {
  const queue = await create({ capacity: 3 })
  expect(await queue.putMany(['a', 'b', 'c', 'd', 'e'], { timeoutMs: 20 })).toBe(3)
  expect(queue.stat()).toMatchObject({ depth: 3, totals: { put: 3 } })
})
