/** Listening and connecting by name: files, links, owners, what is left of the dead, and who is at the other end. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection, Listener, type ListenOptions } from 'ipckit/pipe'
import { describe, expect, onTestFinished, test } from 'vitest'
import { mayChangeUser, stranger } from '../helpers/agent.ts'
import { Program } from '../helpers/program.ts'
import { withUmask } from '../helpers/umask.ts'
import { isPending } from '../helpers/waiting.ts'
import { python } from '../interop/peers.ts'
import { newFolder, Peer, well } from './support.ts'

function listen<T>(path: string, options?: ListenOptions<T>): Listener<T> {
  const listener = Listener.listen<T>(path, options)
  onTestFinished(() => listener.close())
  return listener
}

async function connect<T>(path: string, options?: object): Promise<Connection<T>> {
  const connection = await Connection.connect<T>(path, options)
  onTestFinished(() => connection.close())
  return connection
}

/** A socket file that nobody listens at, as a killed process leaves it. */
function plantStale(path: string): void {
  execFileSync(python, ['-c', `import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])`, path])
}

describe('the file', () => {
  test.each([0o600, 0o660, 0o666, 0o777, 0])('has mode %o exactly, whatever the umask', (mode) => {
    const path = join(newFolder(), 'socket')
    withUmask(0o077, () => void listen(path, { mode }))
    expect(statSync(path).mode & 0o7777).toBe(mode)
    expect(statSync(path).isSocket()).toBe(true)
  })

  test('has mode 0600 by default', () => {
    const path = join(newFolder(), 'socket')
    withUmask(0, () => void listen(path))
    expect(statSync(path).mode & 0o7777).toBe(0o600)
  })

  test('goes when the listener is closed, also from another working directory', async () => {
    const folder = newFolder()
    const before = process.cwd()
    process.chdir(folder)
    onTestFinished(() => process.chdir(before))
    const listener = listen('socket')
    process.chdir(before)
    expect(existsSync(join(folder, 'socket'))).toBe(true)
    await listener.close()
    expect(existsSync(join(folder, 'socket'))).toBe(false)
  })

  test('of somebody else at the same path stays when the listener is closed', async () => {
    const path = join(newFolder(), 'socket')
    const first = listen(path)
    unlinkSync(path)
    const second = listen(path)
    await first.close()
    expect(existsSync(path)).toBe(true)
    const [client, server] = await Promise.all([connect<number>(path), second.accept()])
    await client.send(7)
    expect(await server.recv()).toBe(7)
    await server.close()
  })

  test('of 107 bytes is the longest', async () => {
    const folder = newFolder()
    const path = join(folder, 'x'.repeat(107 - folder.length - 1))
    expect(Buffer.byteLength(path)).toBe(107)
    const listener = listen(path)
    const client = await connect(path)
    await (await listener.accept()).close()
    await client.close()
    expect(() => Listener.listen(`${path}x`)).toThrow(RangeError)
  })

  test.each([
    ['a folder that is not there', 'none/socket', 'ENOENT', 'there is no such folder'],
    ['a folder that is a file', 'file/socket', 'ENOTDIR', ''],
  ])('in %s is refused', (_, name, code, why) => {
    const folder = newFolder()
    writeFileSync(join(folder, 'file'), '')
    expect(() => Listener.listen(join(folder, name))).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(why) }),
    )
  })
})

describe('a name that is taken', () => {
  const plants: [string, (path: string) => void, string][] = [
    ['a file', (path) => writeFileSync(path, 'mine'), 'there is another file'],
    ['a folder', (path) => mkdirSync(path), 'there is another file'],
    ['a link to nothing', (path) => symlinkSync(`${path}-target`, path), 'there is a symbolic link'],
    [
      'a link to a stale socket',
      (path) => {
        plantStale(`${path}-target`)
        symlinkSync(`${path}-target`, path)
      },
      'there is a symbolic link',
    ],
  ]
  test.each(
    plants.flatMap((plant) => [false, true].map((replaceStale) => [...plant, replaceStale] as const)),
  )('by %s is refused, and that stays (%#)', (_, plant, why, replaceStale) => {
    const path = join(newFolder(), 'socket')
    plant(path)
    const before = lstatSync(path)
    expect(() => Listener.listen(path, { replaceStale })).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE', message: expect.stringContaining(why) }),
    )
    expect(lstatSync(path).ino).toBe(before.ino)
    if (before.isSymbolicLink()) expect(readlinkSync(path)).toBe(`${path}-target`)
  })

  test('by a socket that nobody listens at is refused, and replaced where that was asked for', async () => {
    const path = join(newFolder(), 'socket')
    plantStale(path)
    expect(() => Listener.listen(path)).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE', message: expect.stringContaining('replaceStale: true') }),
    )
    await expect(Connection.connect(path)).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      message: expect.stringContaining('nobody listens there'),
    })
    const listener = listen(path, { replaceStale: true })
    const [client, server] = await Promise.all([connect<number>(path), listener.accept()])
    await client.send(7)
    expect(await server.recv()).toBe(7)
    await server.close()
  })

  test('by somebody who listens is never replaced', async () => {
    const path = join(newFolder(), 'socket')
    listen(path)
    expect(() => Listener.listen(path, { replaceStale: true })).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE', message: expect.stringContaining('somebody listens') }),
    )
  })

  test.runIf(mayChangeUser)('by a stale socket of another user is never replaced', () => {
    const path = join(newFolder(), 'socket')
    plantStale(path)
    chownSync(path, stranger, stranger)
    expect(() => Listener.listen(path, { replaceStale: true })).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE', message: expect.stringContaining('of another user') }),
    )
    expect(existsSync(path)).toBe(true)
  })

  test('in a folder that somebody else has locked is refused after a moment, when it was to be replaced', async () => {
    const folder = newFolder()
    const path = join(folder, 'socket')
    const program = `
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
`
    const peer = new Peer(python, ['-c', program, folder])
    expect(await peer.says()).toBe('locked')
    expect(() => Listener.listen(path, { replaceStale: true })).toThrow(
      expect.objectContaining({ code: 'EBUSY', message: expect.stringContaining('holds the lock') }),
    )
    listen(path)
  })

  test('after a listener was killed, one that replaces it may start at once', async (here) => {
    const path = join(newFolder(), 'socket')
    for (let round = 0; round < 3; round++) {
      const program = new Program(here, 'connection.mjs', { step: 'accept', end: 'killed', path })
      expect(await program.ended).toMatchObject({ signal: 'SIGKILL', errors: '' })
      expect(existsSync(path)).toBe(true)
      const listener = listen(path, { replaceStale: true })
      const [client, server] = await Promise.all([connect(path), listener.accept()])
      await client.close()
      await server.close()
      await listener.close()
      plantStale(path)
      unlinkSync(path)
    }
  })
})

describe('connecting', () => {
  test.each([
    ['nothing', () => {}, 'ENOENT', 'start the program that listens there'],
    ['a file', (path: string) => writeFileSync(path, ''), 'ENOTSOCK', 'the file is no socket'],
    ['a folder', (path: string) => mkdirSync(path), 'ENOTSOCK', 'the file is no socket'],
  ])('to %s is refused', async (_, plant, code, why) => {
    const path = join(newFolder(), 'socket')
    plant(path)
    await expect(Connection.connect(path)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(why),
      resource: `unix:${path}`,
    })
  })

  test('through a symbolic link is refused, and the link of a folder is followed', async () => {
    const folder = newFolder()
    const listener = listen(join(folder, 'socket'))
    symlinkSync(join(folder, 'socket'), join(folder, 'link'))
    await expect(Connection.connect(join(folder, 'link'))).rejects.toMatchObject({
      code: 'ELOOP',
      message: expect.stringContaining('symbolic link'),
    })
    symlinkSync(folder, join(folder, 'folder'))
    const client = await connect(join(folder, 'folder/socket'))
    await (await listener.accept()).close()
    await client.close()
  })

  test('to a datagram socket is refused', async () => {
    const path = join(newFolder(), 'socket')
    const program = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
sys.stdin.read()
`
    const peer = new Peer(python, ['-c', program, path])
    expect(await peer.says()).toBe('bound')
    await expect(Connection.connect(path)).rejects.toMatchObject({ code: 'EPROTOTYPE' })
  })

  test.runIf(mayChangeUser)('without permission to write to the file is refused', async () => {
    const folder = newFolder()
    chmodSync(folder, 0o755)
    const path = join(folder, 'socket')
    listen(path, { mode: 0o600 })
    const asStranger = `
import os, socket, sys
os.setgroups([]); os.setgid(${stranger}); os.setuid(${stranger})
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except PermissionError:
    print("EACCES")
`
    const peer = new Peer(python, ['-c', asStranger, path])
    expect(await peer.says()).toBe('EACCES')
    expect(await peer.ended).toEqual(well)
  })

  test('waits while the backlog is full, for its time, until its signal, or until there is room', async () => {
    const path = join(newFolder(), 'socket')
    const listener = listen(path, { backlog: 1 })
    const inBacklog = [await connect(path), await connect(path)]
    const before = performance.now()
    await expect(Connection.connect(path, { timeoutMs: 60 })).rejects.toMatchObject({
      code: 'ERR_IPC_TIMEOUT',
      message: expect.stringContaining(`connect to unix:${path} within 60 ms`),
    })
    expect(performance.now() - before).toBeGreaterThanOrEqual(60)
    const controller = new AbortController()
    const aborted = Connection.connect(path, { signal: controller.signal })
    controller.abort('enough')
    await expect(aborted).rejects.toBe('enough')
    await expect(Connection.connect(path, { signal: controller.signal })).rejects.toBe('enough')
    const waiting = connect(path)
    expect(await isPending(waiting)).toBe(true)
    const accepted = [await listener.accept(), await listener.accept(), await listener.accept()]
    for (const end of [await waiting, ...inBacklog, ...accepted]) await end.close()
  })
})

describe('accepting', () => {
  test('waits in order, ends in time, by signal and by close', async () => {
    const path = join(newFolder(), 'socket')
    const listener = listen<number>(path)
    await expect(listener.accept({ timeoutMs: 20 })).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
    const controller = new AbortController()
    const aborted = listener.accept({ signal: controller.signal })
    controller.abort('enough')
    await expect(aborted).rejects.toBe('enough')
    expect(listener.tryAccept()).toBeUndefined()

    const accepts = [listener.accept(), listener.accept()]
    for (const number of [1, 2]) await (await connect<number>(path)).send(number)
    const numbers = accepts.map(async (accept) => (await accept).recv())
    expect(await Promise.all(numbers)).toEqual([1, 2])

    await connect(path)
    await sleep(10)
    const third = listener.tryAccept()
    expect(third).toBeInstanceOf(Connection)
    const waiting = Promise.allSettled([listener.accept(), listener.accept()])
    await listener.close()
    await listener.close()
    expect(await waiting).toMatchObject([
      { reason: { code: 'ERR_IPC_CLOSED' } },
      { reason: { code: 'ERR_IPC_CLOSED' } },
    ])
    await expect(listener.accept()).rejects.toMatchObject({ code: 'ERR_IPC_CLOSED' })
    expect(() => listener.tryAccept()).toThrow(expect.objectContaining({ code: 'ERR_IPC_CLOSED' }))
    for (const accept of accepts) await (await accept).close()
    await third?.close()
  })

  test('is iterated until the listener is closed', async () => {
    const path = join(newFolder(), 'socket')
    const listener = listen<number>(path)
    for (const number of [1, 2]) {
      const client = await connect<number>(path)
      await client.send(number)
    }
    const seen: number[] = []
    for await (const connection of listener) {
      seen.push(await connection.recv())
      await connection.close()
      if (seen.length === 2) setTimeout(() => listener.close(), 10)
    }
    expect(seen).toEqual([1, 2])
  })

  test('gives connections with the options of the listener', async () => {
    const path = join(newFolder(), 'socket')
    const listener = listen(path, { maxMessageBytes: 3 })
    const [client, server] = await Promise.all([connect(path), listener.accept()])
    await expect(server.sendBytes(Buffer.alloc(4))).rejects.toMatchObject({ code: 'EMSGSIZE' })
    await client.sendBytes(Buffer.alloc(4))
    await expect(server.recvBytes()).rejects.toMatchObject({ code: 'EMSGSIZE' })
    await server.close()
  })
})

describe('peerCredentials', () => {
  test('of a pair are those of who made it', async () => {
    const path = join(newFolder(), 'socket')
    const listener = listen(path)
    const [client, server] = await Promise.all([connect(path), listener.accept()])
    const us = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() }
    expect(client.peerCredentials()).toEqual(us)
    expect(server.peerCredentials()).toEqual(us)
    await server.close()
  })

  test('of an accepted connection tell which process connected, also after it has ended', async () => {
    const path = join(newFolder(), 'socket')
    const listener = listen(path)
    const program = `
import os, socket, sys
${mayChangeUser ? `os.setgroups([]); os.setgid(${stranger}); os.setuid(${stranger})` : ''}
socket.socket(socket.AF_UNIX).connect(sys.argv[1])
`
    chmodSync(path, 0o666)
    chmodSync(join(path, '..'), 0o755)
    const peer = new Peer(python, ['-c', program, path])
    const server = await listener.accept()
    expect(await peer.ended).toEqual(well)
    const id = mayChangeUser ? stranger : process.getuid?.()
    const group = mayChangeUser ? stranger : process.getgid?.()
    expect(server.peerCredentials()).toEqual({ pid: peer.pid, uid: id, gid: group })
    await server.close()
  })
})

test('node:net and a Connection share a socket file', async () => {
  const path = join(newFolder(), 'socket')
  const received: Buffer[] = []
  const server = createServer((socket) => {
    socket.on('data', (chunk) => received.push(chunk)).write(Buffer.of(0, 0, 0, 1, 33))
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  onTestFinished(() => void server.close())
  const client = await connect<never>(path)
  await client.sendBytes(Buffer.from('abc'))
  while (Buffer.concat(received).length < 7) await sleep(1)
  expect(Buffer.concat(received)).toEqual(Buffer.of(0, 0, 0, 3, 97, 98, 99))
  expect(await client.recvBytes()).toEqual(Buffer.of(33))
  await client.close()
})
