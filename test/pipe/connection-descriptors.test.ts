/** Descriptors over connections: whose they are, how many, and that none is ever left open by accident. */
import { closeSync, fstatSync, openSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Connection } from 'ipckit/pipe'
import { describe, expect, onTestFinished, test } from 'vitest'
import { descriptors, settledCounts } from '../helpers/counts.ts'
import { pattern } from '../helpers/pattern.ts'
import { python } from '../interop/peers.ts'
import { header, isCloseOnExec, newBytePair, newFolder, Peer, targetOf, well, writeRaw } from './support.ts'

/** A file that is open until the end of the test. */
function openFile(text = 'in the file'): number {
  const path = join(newFolder(), 'file')
  writeFileSync(path, text)
  const fd = openSync(path, 'r')
  onTestFinished(() => closeSync(fd))
  return fd
}

function readAll(fd: number): string {
  const bytes = Buffer.alloc(100)
  return bytes.toString('utf8', 0, readSync(fd, bytes, 0, 100, 0))
}

describe('a descriptor', () => {
  test('arrives as another one on the same open file, close-on-exec, and is the receiver’s', async () => {
    const [first, second] = newBytePair()
    const file = openFile()
    await first.sendFd(file)
    const { fd, bytes } = await second.recvFd()
    expect(fd).not.toBe(file)
    expect(bytes).toEqual(Buffer.of(1))
    expect(isCloseOnExec(fd)).toBe(true)
    expect(fstatSync(fd).ino).toBe(fstatSync(file).ino)
    expect(readAll(fd)).toBe('in the file')
    await first.close()
    await second.close()
    expect(readAll(fd)).toBe('in the file')
    closeSync(fd)
  })

  test('may be closed by the sender as soon as it is sent', async () => {
    const [first, second] = newBytePair()
    const path = join(newFolder(), 'file')
    writeFileSync(path, 'still here')
    const file = openSync(path, 'r')
    await first.sendFd(file)
    closeSync(file)
    const { fd } = await second.recvFd()
    expect(readAll(fd)).toBe('still here')
    closeSync(fd)
  })

  test.each([1, 2, 100, 2048])('brings the %i bytes that went with it, and no byte more', async (length) => {
    const [first, second] = newBytePair()
    await first.sendFd(openFile(), pattern(length))
    await first.sendBytes(Buffer.from('a message behind it'))
    const { fd, bytes } = await second.recvFd()
    closeSync(fd)
    expect(bytes).toEqual(pattern(length))
    expect(await second.recvBytes()).toEqual(Buffer.from('a message behind it'))
  })

  test('keeps its place among messages', async () => {
    const [first, second] = newBytePair()
    const file = openFile()
    await first.sendBytes(Buffer.from('one'))
    await first.sendFd(file, Buffer.from('two'))
    await first.sendFd(file, Buffer.from('three'))
    await first.sendBytes(Buffer.from('four'))
    expect(await second.recvBytes()).toEqual(Buffer.from('one'))
    for (const text of ['two', 'three']) {
      const { fd, bytes } = await second.recvFd()
      closeSync(fd)
      expect(bytes.toString()).toBe(text)
    }
    expect(await second.recvBytes()).toEqual(Buffer.from('four'))
  })

  test('waits behind a message for which there is no room', async () => {
    const [first, second] = newBytePair()
    const message = pattern(4 * 1024 * 1024)
    const sent = [first.sendBytes(message), first.sendFd(openFile()), first.sendBytes(Buffer.of(2))]
    expect((await second.recvBytes()).equals(message)).toBe(true)
    closeSync((await second.recvFd()).fd)
    expect(await second.recvBytes()).toEqual(Buffer.of(2))
    await Promise.all(sent)
  })

  test('that waits to be sent is taken back when its time is up', async () => {
    const [first, second] = newBytePair()
    const message = pattern(4 * 1024 * 1024)
    const sent = first.sendBytes(message)
    await expect(first.sendFd(openFile(), undefined, { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'ERR_IPC_TIMEOUT',
    })
    await second.recvBytes()
    await sent
    expect(await second.poll(20)).toBe(false)
  })

  test('that is waited for arrives', async () => {
    const [first, second] = newBytePair()
    const waiting = second.recvFd()
    await first.sendFd(openFile())
    closeSync((await waiting).fd)
  })

  test('that is not open is refused with EBADF, and the connection goes on', async () => {
    const [first, second] = newBytePair()
    await expect(first.sendFd(1_000_000)).rejects.toMatchObject({
      code: 'EBADF',
      message: expect.stringContaining('send a descriptor to'),
    })
    await first.sendBytes(Buffer.of(1))
    expect(await second.recvBytes()).toEqual(Buffer.of(1))
  })

  test('may be an end of a connection, which goes on in who received it', async () => {
    const [first, second] = newBytePair()
    const [third, fourth] = newBytePair()
    await first.sendFd(fourth.fd)
    await fourth.close()
    const moved = Connection.fromFd<string>((await second.recvFd()).fd)
    await third.sendBytes(Buffer.from('"moved"'))
    expect(await moved.recv()).toBe('moved')
    await moved.close()
    await expect(third.recv()).rejects.toMatchObject({ code: 'ERR_IPC_EOF' })
  })

  test('where a message comes is not taken for one, and the message stays', async () => {
    const [first, second] = newBytePair()
    await first.sendBytes(Buffer.from('a message'))
    await first.sendFd(openFile())
    const refused = { code: 'EBADMSG', message: expect.stringContaining('a message comes next') }
    await expect(second.recvFd()).rejects.toMatchObject(refused)
    expect(await second.recvBytes()).toEqual(Buffer.from('a message'))
    closeSync((await second.recvFd()).fd)
    writeRaw(first, header(2).subarray(0, 2))
    expect(second.tryRecvBytes()).toBeUndefined()
    await expect(second.recvFd()).rejects.toMatchObject(refused)
  })
})

describe('descriptors that nobody wants', () => {
  test('are closed by the kernel when a message was expected, and the connection says so', async () => {
    const [first, second] = newBytePair()
    await first.sendFds([openFile(), openFile()])
    const before = descriptors()
    const refused = { code: 'EPROTO', message: expect.stringContaining('a descriptor came where a message') }
    await expect(second.recv()).rejects.toMatchObject(refused)
    await expect(second.recvBytes()).rejects.toMatchObject(refused)
    expect(descriptors()).toBe(before)
  })

  test('amid a message are closed by the kernel, and the message arrives', async () => {
    const [ours, theirs] = newBytePair()
    const program = `
import socket, struct
s = socket.socket(fileno=3)
s.sendall(struct.pack("!i", 6) + b"ab")
socket.send_fds(s, [b"cd"], [0, 1, 2])
s.sendall(b"ef")
`
    const before = descriptors()
    const peer = new Peer(python, ['-c', program], theirs.fd)
    expect(await ours.recvBytes()).toEqual(Buffer.from('abcdef'))
    expect(await peer.ended).toEqual(well)
    expect(descriptors()).toBe(before)
  })

  test('more than were asked for are closed, and the receiver is told', async () => {
    const [first, second] = newBytePair()
    const files = Array.from({ length: 5 }, () => openFile())
    const before = descriptors()
    for (const max of [1, 2, 3, 4]) {
      await first.sendFds(files)
      const { fds, truncated } = await second.recvFds({ max })
      expect({ count: fds.length, truncated }).toEqual({ count: max, truncated: true })
      expect(descriptors()).toBe(before + max)
      expect(fds.map((fd) => fstatSync(fd).ino)).toEqual(files.slice(0, max).map((fd) => fstatSync(fd).ino))
      for (const fd of fds) closeSync(fd)
    }
    await first.sendFds(files)
    const { fd } = await second.recvFd()
    expect(descriptors()).toBe(before + 1)
    closeSync(fd)
  })

  test('on their way are closed with the connection', async () => {
    const before = descriptors()
    const [first, second] = newBytePair()
    const [third, fourth] = newBytePair()
    await first.sendFd(fourth.fd)
    await fourth.close()
    expect(await third.poll(10)).toBe(false)
    await second.close()
    await first.close()
    // The last copy of the other end was in the queue.
    await expect(third.recv()).rejects.toMatchObject({ code: 'ERR_IPC_EOF' })
    await third.close()
    expect(descriptors()).toBe(before)
  })
})

describe('the limits', () => {
  test('253 descriptors go at once, in order', async () => {
    const [first, second] = newBytePair()
    const files = [openFile(), openFile(), openFile()]
    const sent = Array.from({ length: 253 }, (_, at) => files[at % 3] as number)
    await first.sendFds(sent)
    const { fds, bytes, truncated } = await second.recvFds()
    expect({ bytes, truncated }).toEqual({ bytes: Buffer.of(253), truncated: false })
    expect(fds.map((fd) => fstatSync(fd).ino)).toEqual(sent.map((fd) => fstatSync(fd).ino))
    expect(fds.every(isCloseOnExec)).toBe(true)
    for (const fd of fds) closeSync(fd)
  })

  /** Uses up all descriptors but `spare` of a child, in which the limit is low. */
  const starving = (spare: number) => `
import { closeSync, openSync } from 'node:fs'
import { Connection } from 'ipckit/pipe'
const connection = Connection.fromFd(3)
await connection.recv({ timeoutMs: 1 }).catch(() => {}) // The thread that waits has its descriptors.
const taken = []
try { for (;;) taken.push(openSync('/dev/null')) } catch {}
for (let at = 0; at < ${spare}; at++) closeSync(taken.pop())
await connection.send('full').catch(() => {})
`

  test('without room for it a descriptor is refused with EMFILE, stays, and is received later', async () => {
    const [ours, theirs] = newBytePair()
    const program = `${starving(0)}
const error = await connection.recvFd().catch((error) => error)
closeSync(taken.pop())
const { fd } = await connection.recvFd()
await connection.send([error.code, /still there/.test(error.message), fd > 2])
`
    const peer = new Peer(
      'prlimit',
      ['--nofile=64', process.execPath, '--input-type=module', '-e', program],
      theirs.fd,
    )
    await theirs.close()
    expect((await ours.recvBytes()).toString()).toBe('"full"')
    await ours.sendFd(openFile())
    expect(JSON.parse((await ours.recvBytes()).toString())).toEqual(['EMFILE', true, true])
    expect(await peer.ended).toEqual(well)
  })

  test('with room for some of several the others are closed, and the receiver is told', async () => {
    const [ours, theirs] = newBytePair()
    const program = `${starving(3)}
const { fds, truncated } = await connection.recvFds()
for (const fd of fds) closeSync(fd)
await connection.send([fds.length, truncated])
`
    const peer = new Peer(
      'prlimit',
      ['--nofile=64', process.execPath, '--input-type=module', '-e', program],
      theirs.fd,
    )
    await theirs.close()
    expect((await ours.recvBytes()).toString()).toBe('"full"')
    await ours.sendFds(Array(10).fill(openFile()))
    expect(JSON.parse((await ours.recvBytes()).toString())).toEqual([3, true])
    expect(await peer.ended).toEqual(well)
  })
})

test('a thousand descriptors through one connection leave none behind', async () => {
  const [first, second] = newBytePair()
  const file = openFile()
  const before = await settledCounts()
  for (let round = 0; round < 1000; round++) {
    await first.sendFd(file)
    const { fd } = await second.recvFd()
    if (round === 0) expect(targetOf(fd)).toBe(targetOf(file))
    closeSync(fd)
  }
  expect(await settledCounts()).toEqual(before)
})
