/** Boundaries of messages, and what other ends may do to them: sizes, cut messages, hostile lengths. */
import { json, raw, text } from 'ipckit'
import { describe, expect, test } from 'vitest'
import { pattern } from '../helpers/pattern.ts'
import { header, large, newBytePair, newPair, Peer, writeRaw } from './support.ts'

const MiB = 1024 * 1024

describe('a message', () => {
  test.each([0, 1, 3, 4, 5, 65_535, 65_536, 262_143, 262_144, 262_145, MiB, 16 * MiB, 64 * MiB])(
    'of %i bytes arrives whole, between two others',
    async (length) => {
      const [first, second] = newBytePair()
      const message = pattern(length)
      const before = pattern(7, 1)
      const after = pattern(9, 2)
      const sent = [before, message, after].map((bytes) => first.sendBytes(bytes))
      expect(await second.recvBytes()).toEqual(before)
      const received = await second.recvBytes()
      expect(received.length).toBe(length)
      expect(received.equals(message)).toBe(true)
      expect(await second.recvBytes()).toEqual(after)
      await Promise.all(sent)
      expect(await second.poll()).toBe(false)
    },
  )

  test.each([0, 1, 65_536, 16 * MiB])('of %i bytes goes through both ends that block', async (length) => {
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step: 'echo', end: 'whenServed' })
    expect(await peer.says()).toBe('there')
    const message = pattern(length)
    ours.sendBytesSync(message)
    expect(ours.recvBytesSync().equals(message)).toBe(true)
  })

  test.each([
    [64 * MiB + 1, {}],
    [11, { maxMessageBytes: 10 }],
  ])('of %i bytes is over the limit, and is refused with nothing sent', async (length, options) => {
    const [first, second] = newBytePair(options)
    const message = Buffer.alloc(length)
    const tooLarge = {
      code: 'EMSGSIZE',
      message: expect.stringContaining(
        `the message has ${length} bytes, and this connection takes at most ${length - 1}`,
      ),
    }
    await expect(first.sendBytes(message)).rejects.toMatchObject(tooLarge)
    await expect(first.send(message)).rejects.toMatchObject(tooLarge)
    expect(() => first.trySendBytes(message)).toThrow(expect.objectContaining(tooLarge))
    expect(() => first.sendBytesSync(message)).toThrow(expect.objectContaining(tooLarge))
    expect(await second.poll()).toBe(false)
    const [, received] = await Promise.all([first.sendBytes(message.subarray(1)), second.recvBytes()])
    expect(received.length).toBe(length - 1)
  })

  test('as large as the limit fits exactly, in every codec', async () => {
    const [first, second] = newPair<string>({ codec: text(), maxMessageBytes: 3 })
    await first.send('abc')
    expect(await second.recv()).toBe('abc')
    await expect(first.send('abcd')).rejects.toMatchObject({ code: 'EMSGSIZE' })
    const [third, fourth] = newPair<string>({ codec: json(), maxMessageBytes: 5 })
    await third.send('abc')
    expect(await fourth.recv()).toBe('abc')
    await expect(third.send('abcd')).rejects.toMatchObject({ code: 'EMSGSIZE' })
  })

  test('is sent as it was when send was called, whatever becomes of its memory', async () => {
    const [first, second] = newBytePair()
    const message = pattern(large)
    const sent = first.sendBytes(message)
    const small = Buffer.from('small')
    const sentSmall = first.sendBytes(small)
    message.fill(0)
    small.fill(0)
    expect((await second.recvBytes()).equals(pattern(large))).toBe(true)
    expect(await second.recvBytes()).toEqual(Buffer.from('small'))
    await Promise.all([sent, sentSmall])
  })

  test('is received in memory of its own', async () => {
    const [first, second] = newBytePair()
    for (const length of [10, 5000, large]) {
      const sent = Promise.all([first.sendBytes(pattern(length)), first.sendBytes(pattern(length, 9))])
      const one = await second.recvBytes()
      const two = await second.recvBytes()
      expect(one.equals(pattern(length))).toBe(true)
      expect(two.equals(pattern(length, 9))).toBe(true)
      await sent
    }
  })

  test('whose header is the long one, as Python writes it from 2^31 on, is understood', async () => {
    const [first, second] = newBytePair()
    const long = header(2n ** 31n)
    long.writeBigUInt64BE(3n, 4)
    writeRaw(first, long)
    writeRaw(first, Buffer.from('abc'))
    expect(await second.recvBytes()).toEqual(Buffer.from('abc'))
  })

  test('that comes byte by byte is received when its last byte is there', async () => {
    const [first, second] = newBytePair()
    const bytes = Buffer.concat([header(3), Buffer.from('abc')])
    for (const byte of bytes) {
      expect(second.tryRecvBytes()).toBeUndefined()
      writeRaw(first, Buffer.of(byte))
      expect(await second.poll()).toBe(true)
    }
    expect(second.tryRecvBytes()).toEqual(Buffer.from('abc'))
    expect(await second.poll()).toBe(false)
  })
})

describe('a hostile other end', () => {
  /** What memory of this process is in use outside of V8's heap, bytes. */
  const outside = () => {
    const { external, arrayBuffers } = process.memoryUsage()
    return external + arrayBuffers
  }

  test.each([
    ['64 MiB + 1', BigInt(64 * MiB + 1)],
    ['2^31 - 1', 2n ** 31n - 1n],
    ['2^31', 2n ** 31n],
    ['2^53', 2n ** 53n],
    ['2^63 - 1', 2n ** 63n - 1n],
  ])('that announces %s bytes is refused, and no memory is made for it', async (_, length) => {
    const [first, second] = newBytePair()
    await first.sendBytes(Buffer.from('before'))
    expect(await second.recvBytes()).toEqual(Buffer.from('before'))
    const before = outside()
    writeRaw(first, header(length))
    const refused = {
      code: 'EMSGSIZE',
      message: expect.stringMatching(/announced a message of .* bytes, and this end takes at most 67108864/),
    }
    await expect(second.recvBytes()).rejects.toMatchObject(refused)
    expect(outside() - before).toBeLessThan(MiB)
    // What follows cannot be told from the rest of that message.
    writeRaw(first, Buffer.concat([header(1), Buffer.of(1)]))
    await expect(second.recvBytes()).rejects.toMatchObject(refused)
    expect(() => second.tryRecv()).toThrow(expect.objectContaining(refused))
    expect(await second.poll()).toBe(true)
    // The other direction goes on.
    await second.sendBytes(Buffer.from('goodbye'))
    expect(await first.recvBytes()).toEqual(Buffer.from('goodbye'))
  })

  test.each([
    ['-2', Buffer.from('fffffffe', 'hex')],
    ['-2^31', Buffer.from('80000000', 'hex')],
    ['-1 and 2^63', Buffer.from('ffffffff8000000000000000', 'hex')],
    ['-1 and 2^64 - 1', Buffer.from('ffffffffffffffffffffffff', 'hex')],
  ])('that announces %s does not speak the protocol', async (_, bytes) => {
    const [first, second] = newBytePair()
    writeRaw(first, bytes)
    const refused = { code: 'EBADMSG', message: expect.stringContaining('does not speak this protocol') }
    await expect(second.recv()).rejects.toMatchObject(refused)
    await expect(second.recv()).rejects.toMatchObject(refused)
  })

  test.each([
    [0, 4],
    [1, 4],
    [3, 4],
  ])('that ends after %i of the %i bytes of a length is a good end only at none', async (count) => {
    const [first, second] = newBytePair()
    writeRaw(first, header(5).subarray(0, count))
    await first.close()
    const end = second.recv()
    if (count === 0) await expect(end).rejects.toMatchObject({ code: 'ERR_IPC_EOF' })
    else {
      await expect(end).rejects.toMatchObject({
        code: 'ERR_IPC_TRUNCATED',
        message: expect.stringContaining(`after ${count} bytes of a message's length`),
      })
    }
  })

  test.each([
    [5, 0],
    [5, 4],
    [large, 100_000],
  ])(
    'that ends amid a message of %i bytes, after %i, is told of with both numbers',
    async (length, count) => {
      const [first, second] = newBytePair()
      const waiting = second.recv()
      writeRaw(first, header(length))
      writeRaw(first, Buffer.alloc(count))
      await first.close()
      await expect(waiting).rejects.toMatchObject({
        code: 'ERR_IPC_TRUNCATED',
        message: expect.stringContaining(`after ${count} of the ${length} bytes of a message`),
      })
      await expect(second.recv()).rejects.toMatchObject({ code: 'ERR_IPC_TRUNCATED' })
    },
  )

  test('that announces a message within the limit gets no more memory than it announces', async () => {
    const [first, second] = newBytePair({ maxMessageBytes: 2 * MiB })
    const before = outside()
    writeRaw(first, header(2 * MiB))
    expect(second.tryRecv()).toBeUndefined()
    expect(outside() - before).toBeLessThan(5 * MiB)
    writeRaw(first, pattern(MiB / 16))
    expect(second.tryRecv()).toBeUndefined()
    await second.close()
  })
})

test('each of many connections keeps its own messages', async () => {
  const pairs = Array.from({ length: 20 }, () => newBytePair({ codec: raw() }))
  const lengths = [0, 5, 300, 70_000, 600_000]
  await Promise.all(
    pairs.map(async ([first, second], at) => {
      const sent = Promise.all(lengths.map((length) => first.sendBytes(pattern(length, at))))
      for (const length of lengths) {
        expect((await second.recvBytes()).equals(pattern(length, at))).toBe(true)
      }
      await sent
    }),
  )
})
