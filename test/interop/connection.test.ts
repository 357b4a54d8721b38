/**
 * Connections with Python's multiprocessing.connection and with C (interop/c/connection_peer.c): messages both ways over
 * an inherited descriptor and over a path, and descriptors both ways.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Connection, Listener } from 'ipckit/pipe'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { pattern } from '../helpers/pattern.ts'
import { type Bytes, newBytePair, newFolder, Peer, well } from '../pipe/support.ts'
import { buildPeers, python } from './peers.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const MiB = 1024 * 1024
const sizes = [0, 1, 4, 16_384, 16_385, 65_536, MiB, 16 * MiB, 64 * MiB]

type Language = 'C' | 'Python'
const languages: Language[] = ['C', 'Python']

function startPeer(language: Language, name: string, args: string[], fd?: number): Peer {
  if (language === 'C') return new Peer(join(root, 'build-interop/connection-peer'), [name, ...args], fd)
  return new Peer(python, ['-B', join(root, 'interop/python/connection_peer.py'), name, ...args], fd)
}

/** Our end of a connection whose other end a peer inherits as descriptor 3. */
async function inherit(language: Language, ...args: string[]): Promise<{ end: Bytes; peer: Peer }> {
  const [end, theirs] = newBytePair()
  const peer = startPeer(language, '3', args, theirs.fd)
  await theirs.close()
  return { end, peer }
}

beforeAll(buildPeers)

describe.each(languages)('%s', (language) => {
  test.each(sizes)(
    'gets a message of %i bytes over an inherited descriptor, and sends it back',
    async (size) => {
      const { end, peer } = await inherit(language, 'echo')
      const message = pattern(size)
      const [, echoed] = await Promise.all([end.sendBytes(message), end.recvBytes()])
      expect(echoed.equals(message)).toBe(true)
      await end.close()
      expect(await peer.ended).toEqual(well)
    },
  )

  test('and Node block in turn', async () => {
    const { end, peer } = await inherit(language, 'echo')
    for (let round = 0; round < 200; round++) {
      end.sendBytesSync(pattern(round * 7))
      expect(end.recvBytesSync()).toEqual(pattern(round * 7))
    }
    await end.close()
    expect(await peer.ended).toEqual(well)
  })

  test('gets a thousand messages that are sent without waiting, in order', async () => {
    const { end, peer } = await inherit(language, 'echo')
    const sent = Promise.all(Array.from({ length: 1000 }, (_, at) => end.sendBytes(pattern(at, at))))
    for (let at = 0; at < 1000; at++) expect((await end.recvBytes()).equals(pattern(at, at))).toBe(true)
    await sent
    await end.close()
    expect(await peer.ended).toEqual(well)
  })

  test('writes to a file whose descriptor it was sent', async () => {
    const { end, peer } = await inherit(language, 'receive-fd')
    const path = join(newFolder(), 'file')
    const fd = openSync(path, 'w')
    await end.sendFd(fd)
    closeSync(fd)
    expect((await end.recvBytes()).toString()).toBe('written')
    expect(readFileSync(path, 'utf8')).toBe(`from ${language}`)
    expect(await peer.ended).toEqual(well)
  })

  test('sends the descriptor of a file', async () => {
    const path = join(newFolder(), 'file')
    writeFileSync(path, 'what is in it')
    const { end, peer } = await inherit(language, 'send-fd', path)
    const { fd, bytes } = await end.recvFd()
    onTestFinished(() => closeSync(fd))
    expect(bytes).toEqual(Buffer.of(1))
    const text = Buffer.alloc(20)
    expect(text.toString('utf8', 0, readSync(fd, text, 0, 20, 0))).toBe('what is in it')
    await expect(end.recv()).rejects.toMatchObject({ code: 'ERR_IPC_EOF' })
    expect(await peer.ended).toEqual(well)
  })

  test('that was killed is the end', async () => {
    const { end, peer } = await inherit(language, 'echo')
    await end.sendBytes(Buffer.of(1))
    expect(await end.recvBytes()).toEqual(Buffer.of(1))
    const waiting = end.recv()
    peer.kill('SIGKILL')
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_IPC_EOF' })
  })
})

describe('Python', () => {
  test('sends messages of all sizes, and Node has the same bytes', async () => {
    const { end, peer } = await inherit('Python', 'send', ...sizes.map(String))
    for (const size of sizes) {
      const message = await end.recvBytes()
      expect(message.length).toBe(size)
      await end.sendBytes(Buffer.from(createHash('sha256').update(message).digest('hex')))
    }
    expect(await peer.ended).toEqual(well)
  })

  test('gets a descriptor and the bytes beside it with socket.recv_fds', async () => {
    const { end, peer } = await inherit('Python', 'recv-fds')
    const path = join(newFolder(), 'file')
    const fd = openSync(path, 'w')
    await end.sendFd(fd, Buffer.from('the log'))
    closeSync(fd)
    expect((await end.recvBytes()).toString()).toBe('the log')
    expect(readFileSync(path, 'utf8')).toBe('from Python')
    expect(await peer.ended).toEqual(well)
  })

  test('sends a descriptor and bytes beside it with socket.send_fds', async () => {
    const path = join(newFolder(), 'file')
    writeFileSync(path, '')
    const { end, peer } = await inherit('Python', 'send-fds', path, 'the log')
    const { fd, bytes } = await end.recvFd()
    closeSync(fd)
    expect(bytes.toString()).toBe('the log')
    expect(await peer.ended).toEqual(well)
  })

  test('listens with multiprocessing.connection.Listener, and Node connects', async () => {
    const path = join(newFolder(), 'socket')
    const peer = startPeer('Python', path, ['listen'])
    expect(await peer.says()).toBe('listening')
    const end = await Connection.connect(path)
    await end.send({ over: 'a path' })
    expect(await end.recv()).toEqual({ over: 'a path' })
    expect(end.peerCredentials().pid).toBe(peer.pid)
    await end.close()
    expect(await peer.ended).toEqual(well)
  })

  test('connects with multiprocessing.connection.Client to a Listener of ours', async () => {
    const path = join(newFolder(), 'socket')
    await using listener = Listener.listen(path)
    const peer = startPeer('Python', path, ['connect', 'ping'])
    const end = await listener.accept()
    expect((await end.recvBytes()).toString()).toBe('ping')
    expect(end.peerCredentials().pid).toBe(peer.pid)
    await end.sendBytes(Buffer.from('pong'))
    expect(await peer.says()).toBe('pong')
    expect(await peer.ended).toEqual(well)
    await end.close()
  })
})

test('C connects to a Listener by path and is handed a descriptor, as an unrelated process', async () => {
  const path = join(newFolder(), 'socket')
  await using listener = Listener.listen(path)
  const peer = startPeer('C', path, ['receive-fd'])
  const end = await listener.accept()
  const file = join(newFolder(), 'file')
  const fd = openSync(file, 'w')
  await end.sendFd(fd)
  closeSync(fd)
  expect((await end.recvBytes()).toString()).toBe('written')
  expect(readFileSync(file, 'utf8')).toBe('from C')
  expect(await peer.ended).toEqual(well)
  await end.close()
})

test('C refuses the message that is larger than it takes, and Node sees its end', async () => {
  const [end, theirs] = newBytePair({ maxMessageBytes: 128 * MiB })
  const peer = startPeer('C', '3', ['echo'], theirs.fd)
  await theirs.close()
  await expect(end.sendBytes(Buffer.alloc(65 * MiB))).rejects.toMatchObject({
    code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/),
  })
  expect(await peer.ended).toMatchObject({ code: 1, errors: expect.stringContaining('Message too long') })
})
