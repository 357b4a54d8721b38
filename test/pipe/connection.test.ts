/**
 * Connections as CPython tests them: `_TestConnection`, `_TestListener`, `_TestListenerClient`, `_TestPoll`,
 * `_TestPollEintr` and `TestIgnoreEINTR` of its _test_multiprocessing.py, each under its name.
 *
 * What does not apply:
 *   - test_sendbytes, offsets and sizes: a part of a Uint8Array is its `subarray`, which checks nothing because it
 *     cannot reach outside.
 *   - recv_bytes_into and BufferTooShort: a message comes as a Buffer of its own length.
 *   - test_listener_client with families other than AF_UNIX, and _TestPicklingConnections: connections are Unix sockets,
 *     and what is sent to another process is the descriptor (connection-descriptors.test.ts).
 */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { json, raw, struct, u32 } from 'ipckit'
import { Connection, EOFError, Listener, socketPair } from 'ipckit/pipe'
import { describe, expect, onTestFinished, test } from 'vitest'
import { pattern } from '../helpers/pattern.ts'
import { isPending } from '../helpers/waiting.ts'
import { newBytePair, newFolder, newPair, Peer, targetOf, well, writeRaw } from './support.ts'

describe('_TestConnection', () => {
  test('test_connection: values and bytes go to another process and back, whole', async () => {
    const [ours, theirs] = newPair<unknown>()
    const peer = await Peer.start(theirs, { step: 'echo', end: 'whenServed' })
    expect(await peer.says()).toBe('there')
    const sequence = [1, 2.25, null]
    await ours.send(sequence)
    expect(await ours.recv()).toEqual(sequence)
    await ours.sendBytes(Buffer.from('hello world'))
    expect(await ours.recvBytes()).toEqual(Buffer.from('hello world'))

    expect(await ours.poll()).toBe(false)
    expect(await ours.poll(0)).toBe(false)
    const before = performance.now()
    expect(await ours.poll(80)).toBe(false)
    expect(performance.now() - before).toBeGreaterThanOrEqual(79)
    await ours.send(null)
    expect(await ours.poll(30_000)).toBe(true)
    expect(await ours.recv()).toBe(null)

    const message = pattern(16 * 1024 * 1024)
    const [, echoed] = await Promise.all([ours.sendBytes(message), ours.recvBytes()])
    expect(echoed.equals(message)).toBe(true)
    peer.kill('SIGTERM')
    await peer.ended
    expect({ readable: ours.readable, writable: ours.writable }).toEqual({ readable: true, writable: true })
    await expect(ours.recv()).rejects.toThrow(EOFError)
    await expect(ours.recvBytes()).rejects.toMatchObject({ code: 'ERR_IPC_EOF', name: 'EOFError' })
    expect(() => ours.tryRecv()).toThrow(EOFError)
    expect(() => ours.recvSync()).toThrow(EOFError)
    expect(await ours.poll()).toBe(true)
  })

  test('test_connection: poll of a negative time is refused, which Python takes for 0', async () => {
    const [ours] = newPair()
    await expect(ours.poll(-1)).rejects.toThrow(RangeError)
  })

  test('test_duplex_false: the first end receives only, the second sends only', async () => {
    const [reader, writer] = newPair<number>({ duplex: false })
    await writer.send(1)
    expect(await reader.recv()).toBe(1)
    expect([reader.readable, reader.writable]).toEqual([true, false])
    expect([writer.readable, writer.writable]).toEqual([false, true])
    const unsupported = { code: 'ERR_IPC_UNSUPPORTED' }
    await expect(reader.send(2)).rejects.toMatchObject(unsupported)
    await expect(writer.recv()).rejects.toMatchObject(unsupported)
    await expect(writer.poll()).rejects.toMatchObject(unsupported)
    await expect(reader.sendFd(0)).rejects.toMatchObject(unsupported)
    await expect(writer.recvFd()).rejects.toMatchObject(unsupported)
    expect(() => reader.trySend(2)).toThrow(expect.objectContaining(unsupported))
    expect(() => writer.tryRecv()).toThrow(expect.objectContaining(unsupported))
    expect(() => writer[Symbol.asyncIterator]()).toThrow(expect.objectContaining(unsupported))
    // Whoever inherits the ends is held to it by the kernel.
    expect(() => writeRaw(reader as never, Buffer.of(1))).toThrow('EPIPE')
    await writer.close()
    await expect(reader.recv()).rejects.toThrow(EOFError)
  })

  test('test_spawn_close: the end of the child may be closed as soon as the child is started', async () => {
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step: 'echo', end: 'whenServed' })
    expect(theirs.closed).toBe(true)
    await ours.sendBytes(Buffer.from('hello'))
    expect(await ours.recvBytes()).toEqual(Buffer.from('hello'))
    await ours.close()
    expect(await peer.ended).toEqual(well)
  })

  test('test_sendbytes: parts of a message, down to none of it, arrive as they were', async () => {
    const [first, second] = newBytePair()
    const letters = Buffer.from('abcdefghijklmnopqrstuvwxyz')
    for (const [from, to] of [
      [0, 26],
      [5, 26],
      [7, 15],
      [26, 26],
    ]) {
      await first.sendBytes(letters.subarray(from, to))
      expect(await second.recvBytes()).toEqual(letters.subarray(from, to))
    }
  })

  test('test_fd_transfer: a child writes to a file that it was sent', async () => {
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step: 'writeToFd', end: 'whenServed' })
    const file = join(newFolder(), 'file')
    writeFileSync(file, '')
    const fd = openSync(file, 'w')
    await ours.sendFd(fd)
    closeSync(fd)
    expect(await ours.recvBytes()).toEqual(Buffer.from('written'))
    expect(readFileSync(file, 'utf8')).toBe('01 from the child')
    await ours.close()
    expect(await peer.ended).toEqual(well)
  })

  test('test_large_fd_transfer: a descriptor whose number is over 256 is sent and received', async () => {
    const [ours, theirs] = newBytePair()
    const file = join(newFolder(), 'file')
    writeFileSync(file, 'far up')
    const opened: number[] = []
    onTestFinished(() => opened.forEach(closeSync))
    while ((opened.at(-1) ?? 0) <= 256) opened.push(openSync(file, 'r'))
    await ours.sendFd(opened.at(-1) as number)
    const { fd } = await theirs.recvFd()
    opened.push(fd)
    expect(fd).toBeGreaterThan(256)
    expect(readFileSync(fd, 'utf8')).toBe('far up')
  })

  test('test_missing_fd_transfer: a byte without a descriptor is refused, and stays', async () => {
    const [ours, theirs] = newBytePair()
    writeRaw(theirs, Buffer.of(0))
    await expect(ours.recvFd()).rejects.toMatchObject({ code: 'EBADMSG' })
    writeRaw(theirs, Buffer.of(0, 0, 1, 42))
    expect(await ours.recvBytes()).toEqual(Buffer.of(42))
  })

  test('test_context: await using closes both ends', async () => {
    let ends: Connection[]
    {
      await using first = socketPair<number>()[0]
      const [second, third] = socketPair<number>()
      await using _second = second
      using _third = third
      await second.send(1729)
      expect(await third.recv()).toBe(1729)
      ends = [first, second, third]
      expect(ends.map(({ closed }) => closed)).toEqual([false, false, false])
    }
    expect(ends.map(({ closed }) => closed)).toEqual([true, true, true])
    for (const end of ends) await expect(end.recv()).rejects.toMatchObject({ code: 'ERR_IPC_CLOSED' })
  })
})

describe('_TestListener', () => {
  test('test_multiple_bind: a name can be listened at once', async () => {
    const path = join(newFolder(), 'socket')
    await using listener = Listener.listen(path)
    expect(() => Listener.listen(path)).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE', message: expect.stringContaining('somebody listens') }),
    )
    expect(listener.closed).toBe(false)
  })

  test('test_context: await using closes the listener, and connections stay', async () => {
    const path = join(newFolder(), 'socket')
    let listener: Listener<number>
    let ends: Connection<number>[]
    {
      await using here = Listener.listen<number>(path)
      listener = here
      ends = await Promise.all([Connection.connect<number>(path), here.accept()])
    }
    expect(listener.closed).toBe(true)
    await expect(listener.accept()).rejects.toMatchObject({ code: 'ERR_IPC_CLOSED' })
    const [client, server] = ends as [Connection<number>, Connection<number>]
    await client.send(1729)
    expect(await server.recv()).toBe(1729)
    for (const end of ends) await end.close()
  })

  test('test_abstract_socket: a name behind a NUL needs no file', async () => {
    const name = `\0ipckit-test-${process.pid}-${Math.random()}`
    await using listener = Listener.listen<number>(name)
    expect(listener.address).toBe(`unix:@${name.slice(1)}`)
    const [client, server] = await Promise.all([Connection.connect<number>(name), listener.accept()])
    await client.send(1729)
    expect(await server.recv()).toBe(1729)
    expect(() => Listener.listen(name)).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    for (const end of [client, server]) await end.close()
    await listener.close()
    await expect(Connection.connect(name)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

describe('_TestListenerClient', () => {
  test('test_listener_client: a client that ends after its message is heard', async () => {
    const path = join(newFolder(), 'socket')
    await using listener = Listener.listen<string>(path)
    const client = await Connection.connect<string>(path)
    await client.send('hello')
    await client.close()
    const server = await listener.accept()
    onTestFinished(() => server.close())
    expect(await server.recv()).toBe('hello')
    await expect(server.recv()).rejects.toThrow(EOFError)
  })

  test('test_issue14725: who connected and left before accept is accepted, with what it sent', async () => {
    const path = join(newFolder(), 'socket')
    await using listener = Listener.listen<string>(path)
    const client = await Connection.connect<string>(path)
    await client.send('hello')
    await client.close()
    await sleep(50)
    const server = await listener.accept()
    onTestFinished(() => server.close())
    expect(await server.recv()).toBe('hello')
  })

  test('test_issue16955: poll of an accepted connection sees what came before it was accepted', async () => {
    const path = join(newFolder(), 'socket')
    await using listener = Listener.listen<string>(path)
    const client = await Connection.connect<string>(path)
    await client.send('hello')
    const server = await listener.accept()
    expect(await server.poll(1000)).toBe(true)
    expect(await server.poll()).toBe(true)
    for (const end of [client, server]) await end.close()
  })
})

describe('_TestPoll', () => {
  test('test_empty_string: an empty message is something to receive', async () => {
    const [first, second] = newBytePair()
    expect(await first.poll()).toBe(false)
    await second.sendBytes(Buffer.alloc(0))
    expect(await first.poll()).toBe(true)
    expect(await first.poll()).toBe(true)
    expect(await first.recvBytes()).toEqual(Buffer.alloc(0))
    expect(await first.poll()).toBe(false)
  })

  test('test_strings: each poll that says yes is followed by its message', async () => {
    const [first, second] = newBytePair()
    const strings = ['hello', '', 'a', 'b', '', 'bye', '', 'lop']
    const sending = (async () => {
      for (const text of strings) {
        await second.sendBytes(Buffer.from(text))
        await sleep(5)
      }
    })()
    for (const text of strings) {
      expect(await first.poll(30_000)).toBe(true)
      expect(await first.recvBytes()).toEqual(Buffer.from(text))
    }
    await sending
  })

  test('test_boundaries: two messages that came together are received one by one', async () => {
    const [first, second] = newBytePair()
    await second.sendBytes(Buffer.from('first'))
    await second.sendBytes(Buffer.from('second'))
    expect(await first.poll(1000)).toBe(true)
    expect(await first.recvBytes()).toEqual(Buffer.from('first'))
    expect(await first.poll()).toBe(true)
    expect(await first.recvBytes()).toEqual(Buffer.from('second'))
    expect(await first.poll()).toBe(false)
  })

  test('test_dont_merge: messages that come one by one are not merged', async () => {
    const [first, second] = newBytePair()
    expect(await first.poll()).toBe(false)
    for (const text of ['a', 'b', 'cd']) await second.sendBytes(Buffer.from(text))
    for (const text of ['a', 'b', 'cd']) {
      expect(await first.poll()).toBe(true)
      expect(await first.recvBytes()).toEqual(Buffer.from(text))
    }
    expect(await first.poll(20)).toBe(false)
  })
})

describe('_TestPollEintr and TestIgnoreEINTR', () => {
  /** Sends signals that somebody handles, as fast as timers go, until the end of the test. */
  function storm(): { count: number } {
    const seen = { count: 0 }
    const onSignal = () => {
      seen.count++
    }
    process.on('SIGUSR2', onSignal)
    const timer = setInterval(() => process.kill(process.pid, 'SIGUSR2'), 1)
    onTestFinished(() => {
      clearInterval(timer)
      process.off('SIGUSR2', onSignal)
    })
    return seen
  }

  test('test_poll_eintr: poll goes on after a signal', async () => {
    const seen = storm()
    const [first, second] = newPair()
    const polled = first.poll(30_000)
    while (seen.count < 20) await sleep(1)
    expect(await isPending(polled)).toBe(true)
    await second.send(0)
    expect(await polled).toBe(true)
  })

  test('test_ignore: a large message comes whole, both ways, while signals rain on both ends', async () => {
    const seen = storm()
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step: 'echo', end: 'whenServed' })
    expect(await peer.says()).toBe('there')
    // Node ignores the signal that asks for its debugger in such a fixture; SIGCONT does nothing but interrupt.
    const rain = setInterval(() => peer.kill('SIGCONT'), 1)
    onTestFinished(() => clearInterval(rain))
    const message = pattern(16 * 1024 * 1024)
    for (let round = 0; round < 4 || seen.count < 20; round++) {
      const [, echoed] = await Promise.all([ours.sendBytes(message), ours.recvBytes()])
      expect(echoed.equals(message)).toBe(true)
    }
  })

  test('test_ignore_listener: accept goes on after a signal', async () => {
    const seen = storm()
    const path = join(newFolder(), 'socket')
    await using listener = Listener.listen(path)
    const accepted = listener.accept()
    while (seen.count < 20) await sleep(1)
    expect(await isPending(accepted)).toBe(true)
    const client = await Connection.connect(path)
    await (await accepted).close()
    await client.close()
  })

  test('Ctrl-C ends a blocked recvSync, and is heard then', async () => {
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step: 'recvSync and signals', end: 'whenServed' })
    expect(await peer.says()).toBe('there')
    await sleep(100)
    peer.kill('SIGINT')
    expect([await peer.says(), await peer.says()]).toEqual(['recvSync EINTR', 'heard SIGINT'])
    expect(await peer.ended).toEqual(well)
    expect(ours.closed).toBe(false)
  })
})

describe('values', () => {
  test('go through the codec that was given', async () => {
    const tick = struct({ id: u32 })
    const [first, second] = newPair({ codec: tick })
    await first.send({ id: 7 })
    expect(await second.recv()).toEqual({ id: 7 })
    first.sendSync({ id: 8 })
    expect(second.tryRecv()).toEqual({ id: 8 })
    expect(first.trySend({ id: 9 })).toBe(true)
    expect(second.recvSync()).toEqual({ id: 9 })
  })

  test('that cannot be encoded leave the connection as it was', async () => {
    const [first, second] = newPair<unknown>()
    await expect(first.send(1n)).rejects.toMatchObject({ code: 'ERR_IPC_ENCODE' })
    await first.send('next')
    expect(await second.recv()).toBe('next')
  })

  test('that cannot be decoded are on the error as bytes, and the next one is received', async () => {
    const [first, second] = newPair<unknown>()
    await first.sendBytes(Buffer.from('{'))
    await first.send('next')
    await expect(second.recv()).rejects.toMatchObject({
      code: 'ERR_IPC_DECODE',
      bytes: new Uint8Array(Buffer.from('{')),
    })
    expect(await second.recv()).toBe('next')
  })

  test('are iterated until the other end is closed', async () => {
    const [first, second] = newPair<number>()
    for (const number of [1, 2, 3]) await first.send(number)
    await first.close()
    const seen: number[] = []
    for await (const number of second) seen.push(number)
    expect(seen).toEqual([1, 2, 3])
  })

  test('stay when a loop is left, and a wait of the loop takes none', async () => {
    const [first, second] = newPair<number>()
    await first.send(1)
    await first.send(2)
    for await (const number of second) {
      expect(number).toBe(1)
      break
    }
    const iterator = second[Symbol.asyncIterator]()
    expect(await iterator.next()).toEqual({ value: 2, done: false })
    const waiting = iterator.next()
    await iterator.return?.()
    expect(await waiting).toEqual({ value: undefined, done: true })
    await first.send(3)
    expect(await second.recv()).toBe(3)
  })

  test('may be sent and received from within a codec', async () => {
    const [first, second] = newPair<unknown>()
    const [third, fourth] = newPair<unknown>()
    const nested = {
      toJSON() {
        third.sendSync('inner')
        return 'outer'
      },
    }
    await first.send(nested)
    expect([await second.recv(), await fourth.recv()]).toEqual(['outer', 'inner'])

    const greedy = {
      ...json(),
      name: 'greedy',
      decode: (bytes: Uint8Array, offset: number, length: number) => {
        const inner = fourth.recvSync()
        return [json().decode(bytes, offset, length), inner]
      },
    }
    const [fifth, sixth] = newPair<unknown>({ codec: greedy })
    await fifth.send('outer again')
    await third.send('inner again')
    expect(await sixth.recv()).toEqual(['outer again', 'inner again'])
  })
})

describe('arguments', () => {
  const wrong: [string, () => unknown, string | RegExp][] = [
    ['codec', () => socketPair({ codec: {} as never }), 'Expected a codec'],
    ['duplex', () => socketPair({ duplex: 1 as never }), 'Expected true or false for `duplex`, received 1'],
    [
      'maxMessageBytes 0',
      () => socketPair({ maxMessageBytes: 0 }),
      'Expected an integer from 1 to 2147483647',
    ],
    ['maxMessageBytes 2^31', () => socketPair({ maxMessageBytes: 2 ** 31 }), 'for `maxMessageBytes`'],
    ['an unknown option', () => socketPair({ size: 1 } as never), 'Expected only the options codec'],
    ['fd -1', () => Connection.fromFd(-1), 'Expected an integer from 0 to 2147483647 for `fd`, received -1'],
    ['fd text', () => Connection.fromFd('3' as never), "for `fd`, received '3'"],
    ['path', () => Listener.listen(7 as never), 'Expected a string for `path`, received 7'],
    ['an empty path', () => Listener.listen(''), 'Expected a path of 1 to 107 bytes'],
    [
      'a path of 108 bytes',
      () => Listener.listen(`/${'x'.repeat(107)}`),
      'Expected a path of 1 to 107 bytes',
    ],
    ['a path with a NUL', () => Listener.listen('/tmp/a\0b'), 'Expected a path of 1 to 107 bytes'],
    ['only a NUL', () => Listener.listen('\0'), 'Expected a path of 1 to 107 bytes'],
    ['mode', () => Listener.listen('/tmp/x', { mode: 0o1000 }), 'for `mode`'],
    ['backlog', () => Listener.listen('/tmp/x', { backlog: 0 }), 'for `backlog`'],
    ['replaceStale', () => Listener.listen('/tmp/x', { replaceStale: 1 as never }), 'for `replaceStale`'],
  ]
  test.each(wrong)('%s is refused before anything is made', (_, call, why) => {
    expect(call).toThrow(why)
  })

  const wrongCalls: [string, (end: Connection) => Promise<unknown>, string][] = [
    ['sendBytes of a string', (end) => end.sendBytes('x' as never), 'Expected a Uint8Array for `bytes`'],
    ['timeoutMs of NaN', (end) => end.recv({ timeoutMs: Number.NaN }), 'for `timeoutMs`'],
    ['a signal that is none', (end) => end.recv({ signal: {} as never }), 'Expected an AbortSignal'],
    ['an unknown option', (end) => end.recv({ timeout: 1 } as never), 'Expected only the options timeoutMs'],
    ['poll of text', (end) => end.poll('1' as never), 'for `timeoutMs`'],
    ['sendFd of -1', (end) => end.sendFd(-1), 'for `fd`'],
    ['sendFds of none', (end) => end.sendFds([]), 'Expected 1 to 253 descriptors for `fds`'],
    ['sendFds of 254', (end) => end.sendFds(Array(254).fill(0)), 'Expected 1 to 253 descriptors for `fds`'],
    ['sendFd with no bytes', (end) => end.sendFd(0, new Uint8Array(0)), 'Expected 1 to 2048 bytes'],
    ['sendFd with 2049 bytes', (end) => end.sendFd(0, new Uint8Array(2049)), 'Expected 1 to 2048 bytes'],
    ['recvFds of 0', (end) => end.recvFds({ max: 0 }), 'for `max`'],
    ['recvFds of 254', (end) => end.recvFds({ max: 254 }), 'for `max`'],
  ]
  test.each(wrongCalls)('%s is refused, and nothing is sent', async (_, call, why) => {
    const [first, second] = newPair()
    await expect(call(first)).rejects.toThrow(why)
    expect(await second.poll()).toBe(false)
  })
})

describe('fromFd', () => {
  test('takes over the descriptor, and closes it with the connection', async () => {
    const [first, second] = newBytePair()
    await first.sendFd(second.fd)
    const { fd } = await second.recvFd().catch(() => ({ fd: -1 }))
    expect(fd).toBeGreaterThan(2)
    const twin = Connection.fromFd(fd, { codec: raw() })
    expect(targetOf(fd)).toBe(targetOf(second.fd))
    await first.sendBytes(Buffer.from('for either'))
    expect(await twin.recv()).toEqual(Buffer.from('for either'))
    await twin.close()
    expect(targetOf(fd)).not.toBe(targetOf(second.fd))
    await first.sendBytes(Buffer.from('still there'))
    expect(await second.recv()).toEqual(Buffer.from('still there'))
  })

  test('refuses the descriptor of a connection that is open, which goes on', async () => {
    const [first, second] = newBytePair()
    const { fd } = second
    expect(() => Connection.fromFd(fd)).toThrow(
      expect.objectContaining({ code: 'EBUSY', message: expect.stringContaining('has it already') }),
    )
    await first.sendBytes(Buffer.of(1))
    expect(await second.recvBytes()).toEqual(Buffer.of(1))
  })

  test.each([
    ['a descriptor that is not open', async () => 1_000_000, 'EBADF'],
    [
      'a file',
      async () => {
        const fd = openSync('/dev/null', 'r')
        onTestFinished(() => closeSync(fd))
        return fd
      },
      'ENOTSOCK',
    ],
  ])('refuses %s, which stays as it was', async (_, open, code) => {
    const fd = await open()
    const before = targetOf(fd)
    expect(() => Connection.fromFd(fd)).toThrow(
      expect.objectContaining({ code, resource: `descriptor ${fd}` }),
    )
    expect(targetOf(fd)).toBe(before)
  })

  test.each([
    ['a TCP socket', 'AF_INET, SOCK_STREAM', 'EAFNOSUPPORT'],
    ['a datagram socket', 'AF_UNIX, SOCK_DGRAM', 'EPROTOTYPE'],
    ['a socket that is connected to nobody', 'AF_UNIX, SOCK_STREAM', 'ENOTCONN'],
  ])('refuses %s', async (_, kind, code) => {
    const [ours, theirs] = newBytePair()
    const program = `
from socket import *
s = socket(${kind})
send_fds(socket(fileno=3), [b"1"], [s.fileno()])
`
    const peer = new Peer('python3', ['-c', program], theirs.fd)
    const { fd } = await ours.recvFd()
    expect(await peer.ended).toEqual(well)
    expect(() => Connection.fromFd(fd)).toThrow(expect.objectContaining({ code }))
    closeSync(fd)
  })
})
