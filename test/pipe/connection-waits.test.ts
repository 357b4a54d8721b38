/** Waits of connections: order, time, cancelling in the middle of a message, closing. */
import { setTimeout as sleep } from 'node:timers/promises'
import { EOFError } from 'ipckit/pipe'
import { describe, expect, test } from 'vitest'
import { pattern } from '../helpers/pattern.ts'
import { isPending, until } from '../helpers/waiting.ts'
import { type Bytes, header, large, newBytePair, newPair, Peer, writeRaw } from './support.ts'

/** Every call that waits for something to come in. */
const receiving: Record<string, (end: Bytes, options?: object) => Promise<unknown>> = {
  recv: (end, options) => end.recv(options),
  recvBytes: (end, options) => end.recvBytes(options),
  recvFd: (end, options) => end.recvFd(options),
  recvFds: (end, options) => end.recvFds(options),
}

/** Sends small messages until there is no room: how many. */
function fill(end: Bytes): number {
  let count = 0
  while (end.trySendBytes(pattern(1024, count))) count++
  return count
}

async function drain(end: Bytes, count: number): Promise<void> {
  for (let at = 0; at < count; at++) expect(await end.recvBytes()).toEqual(pattern(1024, at))
}

describe('receiving', () => {
  test('two readers get the messages in the order in which they asked', async () => {
    const [first, second] = newPair<number>()
    const reads = [second.recv(), second.recv(), second.recv()]
    for (const number of [1, 2, 3]) await first.send(number)
    expect(await Promise.all(reads)).toEqual([1, 2, 3])
  })

  test('a newcomer does not overtake those who wait', async () => {
    const [first, second] = newPair<number>()
    const waiting = second.recv()
    first.sendSync(1)
    expect(second.tryRecv()).toBeUndefined()
    expect(await waiting).toBe(1)
    first.sendSync(2)
    const older = second.recv()
    first.sendSync(3)
    expect(second.recvSync()).toBe(3)
    expect(await older).toBe(2)
  })

  test('recvSync serves those who wait first', async () => {
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step: 'echo', end: 'whenServed' })
    expect(await peer.says()).toBe('there')
    const older = ours.recvBytes()
    ours.sendBytesSync(Buffer.of(1))
    ours.sendBytesSync(Buffer.of(2))
    expect(ours.recvBytesSync()).toEqual(Buffer.of(2))
    expect(await older).toEqual(Buffer.of(1))
  })

  test('a poll in the line tells, and takes nothing from the one behind it', async () => {
    const [first, second] = newPair<number>()
    const polled = second.poll(30_000)
    const received = second.recv()
    expect(await isPending(polled)).toBe(true)
    await first.send(1)
    expect(await polled).toBe(true)
    expect(await received).toBe(1)
  })

  test.each(Object.keys(receiving))('%s ends at its time, and takes nothing', async (name) => {
    const [first, second] = newBytePair()
    const before = performance.now()
    await expect(receiving[name]?.(second, { timeoutMs: 40 })).rejects.toMatchObject({
      code: 'ERR_IPC_TIMEOUT',
      name: 'TimeoutError',
    })
    expect(performance.now() - before).toBeGreaterThanOrEqual(40)
    await expect(receiving[name]?.(second, { timeoutMs: 0 })).rejects.toMatchObject({
      code: 'ERR_IPC_TIMEOUT',
    })
    await first.sendBytes(Buffer.from('kept'))
    expect(await second.recvBytes()).toEqual(Buffer.from('kept'))
  })

  test.each(Object.keys(receiving))('%s ends when its signal is aborted, with its reason', async (name) => {
    const [first, second] = newBytePair()
    const controller = new AbortController()
    const waiting = receiving[name]?.(second, { signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(receiving[name]?.(second, { signal: controller.signal })).rejects.toBe(reason)
    await first.sendBytes(Buffer.from('kept'))
    expect(await second.recvBytes()).toEqual(Buffer.from('kept'))
  })

  test('poll ends when its signal is aborted, with its reason', async () => {
    const [, second] = newBytePair()
    const controller = new AbortController()
    const waiting = second.poll(Number.POSITIVE_INFINITY, { signal: controller.signal })
    expect(await isPending(waiting)).toBe(true)
    controller.abort('enough')
    await expect(waiting).rejects.toBe('enough')
    await expect(second.poll(0, { signal: controller.signal })).rejects.toBe('enough')
  })

  test('a wait that is ended amid a message leaves what came to the next', async () => {
    const [first, second] = newBytePair()
    writeRaw(first, header(6))
    writeRaw(first, Buffer.from('abc'))
    await expect(second.recvBytes({ timeoutMs: 20 })).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
    expect(() => second.recvBytesSync({ timeoutMs: 20 })).toThrow(
      expect.objectContaining({ code: 'ERR_IPC_TIMEOUT' }),
    )
    const next = second.recvBytes()
    writeRaw(first, Buffer.from('def'))
    expect(await next).toEqual(Buffer.from('abcdef'))
  })

  test('ends for all who wait when the other end is closed', async () => {
    const [first, second] = newBytePair()
    const waits = [second.recv(), second.recvBytes(), second.recvFd(), second.poll(30_000), second.recv()]
    const outcomes = Promise.allSettled(waits)
    expect(await isPending(outcomes)).toBe(true)
    await first.close()
    const ended = (await outcomes).map((each) =>
      each.status === 'fulfilled' ? each.value : [each.reason.code, each.reason instanceof EOFError],
    )
    const end = ['ERR_IPC_EOF', true]
    expect(ended).toEqual([end, end, end, true, end])
  })

  test('tells that the other end left messages unread', async () => {
    const [first, second] = newBytePair()
    await first.sendBytes(Buffer.from('never read'))
    await second.sendBytes(Buffer.from('the last word'))
    await second.close()
    expect(await first.recvBytes()).toEqual(Buffer.from('the last word'))
    await expect(first.recvBytes()).rejects.toMatchObject({
      code: 'ERR_IPC_EOF',
      message: expect.stringContaining('had not received all that this end has sent'),
    })
    await expect(first.sendBytes(Buffer.of(1))).rejects.toMatchObject({ code: 'EPIPE' })
  })
})

describe('sending', () => {
  test('waits while the other end does not receive, and goes on in order', async () => {
    const [first, second] = newBytePair()
    const count = fill(first)
    expect(count).toBeGreaterThan(10)
    const later = [1, 2, 3].map((at) => first.sendBytes(Buffer.of(at)))
    expect(await isPending(later[0] as Promise<void>)).toBe(true)
    expect(first.trySendBytes(Buffer.of(9))).toBe(false)
    await drain(second, count)
    for (const at of [1, 2, 3]) expect(await second.recvBytes()).toEqual(Buffer.of(at))
    await Promise.all(later)
  })

  test('that is ended before its first byte takes the message back', async () => {
    const [first, second] = newBytePair()
    const count = fill(first)
    // What trySend had begun stands in front.
    const controller = new AbortController()
    const late = first.sendBytes(Buffer.from('late'), { timeoutMs: 30 })
    const aborted = first.sendBytes(Buffer.from('aborted'), { signal: controller.signal })
    const kept = first.sendBytes(Buffer.from('kept'))
    await expect(late).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
    controller.abort('enough')
    await expect(aborted).rejects.toBe('enough')
    expect(() => first.sendBytesSync(Buffer.from('late'), { timeoutMs: 30 })).toThrow(
      expect.objectContaining({ code: 'ERR_IPC_TIMEOUT' }),
    )
    await drain(second, count)
    expect(await second.recvBytes()).toEqual(Buffer.from('kept'))
    await kept
    expect(await second.poll(20)).toBe(false)
  })

  test.each(['timeout', 'abort', 'sendSync'])(
    'that is ended amid its message by %s leaves the rest to follow, and framing is kept',
    async (how) => {
      const [first, second] = newBytePair()
      const message = pattern(large)
      const controller = new AbortController()
      if (how === 'timeout') {
        await expect(first.sendBytes(message, { timeoutMs: 20 })).rejects.toMatchObject({
          code: 'ERR_IPC_TIMEOUT',
          message: expect.stringMatching(
            /within 20 ms: \d+ of 4194308 bytes are with the kernel, and the rest/,
          ),
        })
      } else if (how === 'abort') {
        const sending = first.sendBytes(message, { signal: controller.signal })
        controller.abort('enough')
        await expect(sending).rejects.toBe('enough')
      } else {
        expect(() => first.sendBytesSync(message, { timeoutMs: 20 })).toThrow(
          expect.objectContaining({ code: 'ERR_IPC_TIMEOUT' }),
        )
      }
      const left = first.unsentBytes
      expect(left).toBeGreaterThan(0)
      expect(left).toBeLessThan(large)
      expect(first.trySendBytes(Buffer.of(1))).toBe(false)
      const next = first.sendBytes(Buffer.from('next'))
      expect((await second.recvBytes()).equals(message)).toBe(true)
      expect(await second.recvBytes()).toEqual(Buffer.from('next'))
      await next
      expect(first.unsentBytes).toBe(0)
    },
  )

  test('by trySend lets what there is no room for follow by itself', async () => {
    const [first, second] = newBytePair()
    expect(first.trySendBytes(pattern(large))).toBe(true)
    expect(first.unsentBytes).toBeGreaterThan(0)
    expect((await second.recvBytes()).equals(pattern(large))).toBe(true)
    await until(() => first.unsentBytes === 0)
  })

  test('a thousand aborts amid large messages never confuse the other end', async () => {
    const [first, second] = newBytePair()
    const length = 300_000
    let received = 0
    const expected: number[] = []
    const reading = (async () => {
      for await (const message of second) {
        const number = message.readUInt32LE(0)
        expect(message.length).toBe(length)
        expect(message.subarray(4).equals(pattern(length - 4, number))).toBe(true)
        expected.push(number)
        received++
      }
    })()
    let begun = 0
    for (let number = 0; number < 150; number++) {
      const message = Buffer.concat([Buffer.alloc(4), pattern(length - 4, number)])
      message.writeUInt32LE(number)
      const controller = new AbortController()
      const sending = first.sendBytes(message, { signal: controller.signal })
      if (number % 3 === 0) setImmediate(() => controller.abort())
      if (number % 3 === 1) controller.abort()
      await sending.then(
        () => begun++,
        () => {},
      )
    }
    await until(() => first.unsentBytes === 0)
    await first.close()
    await reading
    expect(received).toBeGreaterThanOrEqual(begun)
    expect(expected).toEqual([...expected].sort((one, other) => one - other))
    expect(new Set(expected).size).toBe(expected.length)
  })

  test('fails for all who wait when the other end is closed', async () => {
    const [first, second] = newBytePair()
    const waits = [
      first.sendBytes(pattern(large)),
      first.sendBytes(Buffer.of(1)),
      first.sendBytes(Buffer.of(2)),
    ]
    const outcomes = Promise.allSettled(waits)
    await second.close()
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/) },
      })
    }
    expect(first.unsentBytes).toBe(0)
    await expect(first.sendBytes(Buffer.of(3))).rejects.toMatchObject({
      code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/),
    })
    expect(() => first.trySendBytes(Buffer.of(3))).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/) }),
    )
  })

  test('and receiving go on at once on one end', async () => {
    const [first, second] = newBytePair()
    const message = pattern(large)
    const sent = [first.sendBytes(message), second.sendBytes(message)]
    const [one, other] = await Promise.all([second.recvBytes(), first.recvBytes()])
    await Promise.all(sent)
    expect([one?.equals(message), other?.equals(message)]).toEqual([true, true])
  })
})

describe('closing', () => {
  test('ends all waits with ClosedError, and says of a message that was begun how much had gone', async () => {
    const [first, second] = newBytePair()
    const waits = [
      first.recv(),
      first.recvFd(),
      first.poll(Number.POSITIVE_INFINITY),
      first.sendBytes(pattern(large)),
      first.sendBytes(Buffer.of(1)),
    ]
    const outcomes = Promise.allSettled(waits)
    await first.close()
    const errors = (await outcomes).map((each) => (each as PromiseRejectedResult).reason)
    for (const error of errors) expect(error).toMatchObject({ code: 'ERR_IPC_CLOSED', name: 'ClosedError' })
    expect(errors[3].message).toMatch(/was closed when \d+ of 4194308 bytes of a message had been sent/)
    expect(errors[4].message).not.toMatch(/bytes/)
    await expect(second.recv()).rejects.toMatchObject({ code: 'ERR_IPC_TRUNCATED' })
  })

  const calls: Record<string, (end: Bytes) => unknown> = {
    send: (end) => end.send(Buffer.of(1)),
    sendBytes: (end) => end.sendBytes(Buffer.of(1)),
    recv: (end) => end.recv(),
    recvBytes: (end) => end.recvBytes(),
    poll: (end) => end.poll(),
    sendFd: (end) => end.sendFd(0),
    sendFds: (end) => end.sendFds([0]),
    recvFd: (end) => end.recvFd(),
    recvFds: (end) => end.recvFds(),
    trySend: async (end) => end.trySend(Buffer.of(1)),
    trySendBytes: async (end) => end.trySendBytes(Buffer.of(1)),
    sendSync: async (end) => end.sendSync(Buffer.of(1)),
    sendBytesSync: async (end) => end.sendBytesSync(Buffer.of(1)),
    tryRecv: async (end) => end.tryRecv(),
    tryRecvBytes: async (end) => end.tryRecvBytes(),
    recvSync: async (end) => end.recvSync(),
    recvBytesSync: async (end) => end.recvBytesSync(),
    peerCredentials: async (end) => end.peerCredentials(),
    fd: async (end) => end.fd,
    iterate: async (end) => end[Symbol.asyncIterator](),
  }
  test.each(Object.keys(calls))('%s of a closed end is refused', async (name) => {
    const [first] = newBytePair()
    await first.close()
    await first.close()
    await expect(calls[name]?.(first)).rejects.toMatchObject({
      code: 'ERR_IPC_CLOSED',
      message: expect.stringContaining('is closed'),
    })
  })

  test('ends a loop', async () => {
    const [, second] = newBytePair()
    setTimeout(() => second.close(), 20)
    for await (const _ of second) expect.unreachable()
    expect(second.closed).toBe(true)
  })
})

test('a wait keeps no processor busy', async () => {
  const [first, second] = newBytePair()
  const waiting = second.recv()
  const sending = first.sendBytes(pattern(large)).catch(() => {})
  // Not received: the sender waits for room, the receiver of the other direction for a message.
  const other = first.recv()
  await waiting
  await sending
  await sleep(50)
  const before = process.cpuUsage()
  await sleep(500)
  const { user, system } = process.cpuUsage(before)
  expect(user + system).toBeLessThan(250_000)
  await second.sendBytes(Buffer.of(1))
  await other
})
