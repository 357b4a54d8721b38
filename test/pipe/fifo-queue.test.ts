/**
 * What only queues over FIFOs have; what all queues have is in test/contract. The records of other programs are in
 * test/interop/fifo.test.ts.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { DecodeError, Queue, raw, text } from 'ipckit'
import type { FifoQueueStat } from 'ipckit/pipe'
import { describe, expect, onTestFinished, test } from 'vitest'
import { descriptors, settledCounts, threads } from '../helpers/counts.ts'
import { Program } from '../helpers/program.ts'
import { Thread } from '../helpers/thread.ts'
import { withUmask } from '../helpers/umask.ts'
import { isPending, until } from '../helpers/waiting.ts'
import { buildPeers, python } from '../interop/peers.ts'
import { isRoot, newPath, pattern, stranger } from './fifos.ts'

type FifoQueue = Queue<Buffer, 'fifo'>

async function make(options: object = {}, path = newPath()): Promise<{ path: string; queue: FifoQueue }> {
  const queue = (await Queue.create(`fifo:${path}`, { codec: raw(), ...options })) as FifoQueue
  onTestFinished(() => queue.close())
  return { path, queue }
}

async function open(path: string): Promise<FifoQueue> {
  const queue = (await Queue.open(`fifo:${path}`, { codec: raw() })) as FifoQueue
  onTestFinished(() => queue.close())
  return queue
}

function noneInTime(error: unknown): Buffer[] {
  expect(error).toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
  return []
}

const statOf = (queue: FifoQueue) => queue.stat() as FifoQueueStat

/** Writes into the FIFO what is no record, or half of one, as no program of ours does. */
function spoil(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  writeSync(fd, bytes)
  closeSync(fd)
}

/** A record as docs/layout.md has it. */
function record(message: Uint8Array): Buffer {
  const bytes = Buffer.alloc((message.length + 12 + 7) & ~7)
  const check = Math.imul(message.length ^ 0x4b435049, 0x9e3779b1) >>> 0
  bytes.writeUInt32LE(message.length, 0)
  bytes.writeUInt32LE(check, 4)
  bytes.set(message, 8)
  bytes.writeUInt32LE(~check >>> 0, 8 + message.length)
  return bytes
}

describe('messages and handles', () => {
  test('a message can be put before anybody reads, and stays while somebody has the queue open', async () => {
    const { path, queue } = await make()
    await queue.put(Buffer.from('first'))
    expect(statOf(queue).shared).toBe(false)
    const other = await open(path)
    expect(statOf(queue).shared).toBe(true)
    await queue.close()
    expect(statOf(other).shared).toBe(false)
    expect(await other.get()).toEqual(Buffer.from('first'))
  })

  test('messages go with the last handle, and so does the size', async () => {
    const { path, queue } = await make({ maxBytes: 2 ** 18 })
    await queue.put(Buffer.from('gone'))
    await queue.close()
    const again = await open(path)
    expect(again.tryGet()).toBeUndefined()
    expect(statOf(again)).toMatchObject({ depth: 0, maxBytes: 65_536 })
    await again.close()
    const sized = await Queue.openOrCreate(`fifo:${path}`, { codec: raw(), maxBytes: 2 ** 18 })
    expect(sized.stat().maxBytes).toBe(2 ** 18)
    await sized.close()
  })

  test('maxMessageBytes makes room for such a message, and what fits is read back', async () => {
    const { queue } = await make({ maxMessageBytes: 100_000 })
    expect(statOf(queue).maxBytes).toBe(131_072)
    expect(queue.maxMessageBytes).toBe(131_072 - 12)
    const large = pattern(queue.maxMessageBytes)
    await queue.put(large)
    expect((await queue.get()).equals(large)).toBe(true)
  })

  test('a size over pipe-max-size is refused with the limit, and nothing is left', async () => {
    const path = newPath()
    const refused = await Queue.create(`fifo:${path}`, { codec: raw(), maxBytes: 2 ** 30 }).catch(
      (error: unknown) => error,
    )
    if (refused instanceof Queue) {
      // CAP_SYS_RESOURCE knows no limit.
      await refused.close()
      return
    }
    expect(refused).toMatchObject({ code: 'EPERM', message: expect.stringContaining('fs.pipe-max-size') })
    expect(() => statSync(path)).toThrow(/ENOENT/)
  })

  test('the mode is exact, whatever the umask', async () => {
    const path = newPath()
    let making: Promise<unknown> | undefined
    withUmask(0o077, () => {
      making = make({ mode: 0o660 }, path)
    })
    await making
    expect(statSync(path).mode & 0o777).toBe(0o660)
  })

  test('what is no FIFO, a link to one, and one of somebody else are refused', async () => {
    const codec = text()
    const file = newPath()
    writeFileSync(file, 'mine')
    await expect(Queue.open(`fifo:${file}`, { codec })).rejects.toMatchObject({ code: 'ENOTSUP' })
    await expect(Queue.openOrCreate(`fifo:${file}`, { codec })).rejects.toMatchObject({ code: 'ENOTSUP' })
    const folder = newPath()
    mkdirSync(folder)
    await expect(Queue.open(`fifo:${folder}`, { codec })).rejects.toMatchObject({ code: 'ENOTSUP' })
    const { path } = await make()
    const link = newPath()
    symlinkSync(path, link)
    await expect(Queue.open(`fifo:${link}`, { codec })).rejects.toMatchObject({ code: 'ELOOP' })
    if (!isRoot) return
    chownSync(path, stranger, stranger)
    await expect(Queue.open(`fifo:${path}`, { codec })).rejects.toMatchObject({ code: 'EPERM' })
    const trusted = await Queue.open(`fifo:${path}`, { codec, owner: stranger })
    await trusted.close()
  })

  test('addresses and options that are none are refused', async () => {
    const codec = raw()
    for (const bad of [
      'fifo:',
      'fifo:name',
      'fifo:/',
      'fifo:/a/',
      'fifo:/a\0b',
      `fifo:/${'x'.repeat(4095)}`,
    ]) {
      await expect(Queue.open(bad, { codec })).rejects.toThrow(RangeError)
    }
    const address = `fifo:${newPath()}` as const
    for (const bad of [
      { maxMessageBytes: 0 },
      { maxMessageBytes: 2 ** 31 },
      { maxBytes: 2 ** 31 },
      { owner: -1 },
    ]) {
      await expect(Queue.create(address, { codec, ...bad })).rejects.toThrow(RangeError)
    }
    await expect(Queue.create(address, { codec, capacity: 5 } as never)).rejects.toThrow(/capacity/)
    await expect(Queue.open(address, { codec, mode: 0o600 } as never)).rejects.toThrow(/mode/)
    await expect(Queue.open(address, { codec })).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('torn records', () => {
  test('what is no record is one error with its bytes, between messages that arrive', async () => {
    const { path, queue } = await make()
    await queue.put(Buffer.from('before'))
    spoil(path, Buffer.from('this is no record at all'))
    await queue.put(Buffer.from('behind'))
    expect(await queue.get()).toEqual(Buffer.from('before'))
    const error = await queue.get().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(DecodeError)
    expect(Buffer.from((error as DecodeError).bytes).toString()).toBe('this is no record at all')
    expect(await queue.get()).toEqual(Buffer.from('behind'))
  })

  test('half a record at the end is an error at once, and what comes later arrives', async () => {
    const { path, queue } = await make()
    spoil(path, record(pattern(500)).subarray(0, 300))
    await expect(queue.get()).rejects.toBeInstanceOf(DecodeError)
    const next = queue.get()
    await queue.put(Buffer.from('next'))
    expect(await next).toEqual(Buffer.from('next'))
  })

  test('half a record whose other half is made up by messages behind it takes none of them along', async () => {
    const { path, queue } = await make()
    spoil(path, record(pattern(150)).subarray(0, 80))
    for (let at = 0; at < 10; at++) await queue.put(pattern(60, at))
    await expect(queue.get()).rejects.toBeInstanceOf(DecodeError)
    for (let at = 0; at < 10; at++) expect(await queue.get()).toEqual(pattern(60, at))
  })

  test('a record that begins in the middle, as its reader was killed, is skipped', async () => {
    const { path, queue } = await make()
    spoil(path, record(pattern(1000)).subarray(333))
    await queue.put(Buffer.from('next'))
    await expect(queue.getMany(5)).rejects.toMatchObject({ code: 'ERR_IPC_DECODE', batch: { values: [] } })
    expect(await queue.getMany(5)).toEqual([Buffer.from('next')])
  })

  test('of many who wait, one gets the error', async () => {
    const { path, queue } = await make()
    const gets = [queue.get(), queue.get(), queue.get()]
    const outcome = Promise.allSettled(gets)
    await isPending(outcome)
    spoil(path, Buffer.from('no record'))
    await expect(gets[0]).rejects.toBeInstanceOf(DecodeError)
    await queue.putMany([Buffer.from('a'), Buffer.from('b')])
    expect((await outcome).slice(1)).toEqual([
      { status: 'fulfilled', value: Buffer.from('a') },
      { status: 'fulfilled', value: Buffer.from('b') },
    ])
  })

  test('random bytes of a hostile writer are errors, never wrong messages, and never stop the queue', async () => {
    const { path, queue } = await make()
    for (let round = 0; round < 50; round++) {
      const bytes = Buffer.from(
        Uint8Array.from({ length: 1 + round * 37 }, (_, at) => (at * round * 7919) >> 3),
      )
      // Lengths that are far too large, with a check that is right, as well.
      if (round % 3 === 0 && bytes.length >= 8) record(Buffer.alloc(0)).copy(bytes, 0, 0, 8)
      if (round % 3 === 1 && bytes.length >= 8) {
        bytes.writeUInt32LE(0xfffffff0, 0)
        bytes.writeUInt32LE(Math.imul(0xfffffff0 ^ 0x4b435049, 0x9e3779b1) >>> 0, 4)
      }
      spoil(path, bytes)
      await queue.put(Buffer.from(`message ${round}`))
      for (;;) {
        const outcome = await queue.get().catch((error: unknown) => error)
        if (!(outcome instanceof DecodeError)) {
          expect(String(outcome)).toBe(`message ${round}`)
          break
        }
      }
    }
  })
})

describe('many processes', () => {
  test('50 writers of large messages never mix, and every byte is compared', async () => {
    buildPeers()
    const { path, queue } = await make()
    const writers = Array.from({ length: 50 }, (_, sender) =>
      spawn('build-interop/fifo-peer', ['send', path, String(sender), '6', '9000'], { stdio: 'inherit' }),
    )
    const next = new Map<number, number>()
    for (let count = 0; count < 50 * 6; count++) {
      const message = await queue.get()
      const [sender, number] = [message.readUInt32LE(0), message.readUInt32LE(4)]
      expect(number).toBe(next.get(sender) ?? 0)
      next.set(sender, number + 1)
      const expected = pattern(9000, sender * 31 + number * 7)
      expect(message.subarray(8).equals(expected.subarray(8))).toBe(true)
    }
    for (const writer of writers) if (writer.exitCode === null) await once(writer, 'exit')
    expect(queue.stat().depth).toBe(0)
  })

  test('writers and readers that are killed at any time tear no record', async () => {
    buildPeers()
    const { path, queue } = await make()
    const children = new Set<ReturnType<typeof spawn>>()
    const start = (...args: string[]) => {
      const child = spawn('build-interop/fifo-peer', args, { stdio: 'ignore' })
      children.add(child)
      child.once('exit', () => children.delete(child))
      setTimeout(() => child.kill('SIGKILL'), 3 + ((children.size * 7) % 25))
      return once(child, 'exit')
    }
    let received = 0
    for (let round = 0; round < 40; round++) {
      const ends = [
        start('send', path, '1', '1000000', round % 2 === 0 ? '9000' : '100'),
        start('send', path, '2', '1000000', '5000'),
        start('recv', path, '1000000'),
      ]
      const end = Promise.all(ends)
      while (children.size > 0) {
        for (const message of await queue.getMany(64, { timeoutMs: 5 }).catch(noneInTime)) {
          const seed = message.readUInt32LE(0) * 31 + message.readUInt32LE(4) * 7
          expect(message.subarray(8).equals(pattern(message.length, seed).subarray(8))).toBe(true)
          received++
        }
      }
      await end
    }
    expect(received).toBeGreaterThan(100)
    while (queue.tryGet() !== undefined) received++
    await queue.put(Buffer.from('still works'))
    expect(await queue.get()).toEqual(Buffer.from('still works'))
  })

  test('a reader that holds the lock and does nothing makes others wait, and its death lets them go on', async () => {
    const { path, queue } = await make()
    const program = [
      'import fcntl, os, struct, sys, time',
      'fd = os.open(sys.argv[1], os.O_RDWR)',
      'fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, int(sys.argv[2]), 1, 0))',
      'print("held", flush=True)',
      'time.sleep(1000)',
    ].join('\n')
    for (const byte of ['0', '1']) {
      const holder = spawn(python, ['-c', program, path, byte], { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(holder.stdout, 'data')
      const put = queue.put(Buffer.from('x'))
      const wait = put.then(() => queue.get())
      expect(queue.tryGet()).toBeUndefined()
      expect(await isPending(wait)).toBe(true)
      await expect(queue.get({ timeoutMs: 20 })).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
      holder.kill('SIGKILL')
      expect(await wait).toEqual(Buffer.from('x'))
    }
  })

  test('a record that its writer, who holds the lock, writes in pieces is waited for', async () => {
    const { path, queue } = await make()
    const program = [
      'import fcntl, os, struct, sys',
      'fd = os.open(sys.argv[1], os.O_RDWR)',
      'fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 1, 1, 0))',
      'record = bytes.fromhex(sys.argv[2])',
      'os.write(fd, record[:20])',
      'print("half", flush=True)',
      'sys.stdin.read(1)',
      'os.write(fd, record[20:])',
    ].join('\n')
    const writer = spawn(python, ['-c', program, path, record(pattern(100)).toString('hex')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await once(writer.stdout, 'data')
    const get = queue.get()
    expect(await isPending(get)).toBe(true)
    writer.stdin.end('x')
    expect(await get).toEqual(pattern(100))
  })
})

describe('large messages', () => {
  test('wait for room for all of them, while small ones still fit', async () => {
    const { queue } = await make()
    const large = pattern(60_000)
    await queue.put(large)
    const put = queue.put(large)
    expect(await isPending(put)).toBe(true)
    expect(() => queue.putSync(large, { timeoutMs: 5 })).toThrow(
      expect.objectContaining({ code: 'ERR_IPC_TIMEOUT' }),
    )
    expect((await queue.get()).equals(large)).toBe(true)
    await put
    expect((await queue.get()).equals(large)).toBe(true)
  })

  test('of many sizes cross in order, with others in between', async () => {
    const { path, queue } = await make({ maxBytes: 2 ** 18 })
    const other = await open(path)
    const sizes = Array.from({ length: 200 }, (_, at) => (at * 7919) % (at % 5 === 0 ? 150_000 : 3000))
    const put = queue.putMany(sizes.map((size, at) => pattern(size, at)))
    for (const [at, size] of sizes.entries()) {
      expect((await other.get()).equals(pattern(size, at)), `message ${at}`).toBe(true)
    }
    expect(await put).toBe(sizes.length)
  })
})

test('signals that rain on the process are no errors, of a queue or of a pipe', async () => {
  const { queue } = await make()
  const { reader, writer } = (await import('ipckit/pipe')).pipe()
  let rained = 0
  const heard = () => rained++
  process.on('SIGUSR2', heard)
  const rain = setInterval(() => process.kill(process.pid, 'SIGUSR2'), 1)
  try {
    const bytes = pattern(2_000_000)
    const written = writer.write(bytes)
    let at = 0
    while (at < bytes.length || rained < 20) {
      if (at < bytes.length) {
        const chunk = (await reader.read()) as Buffer
        expect(chunk.equals(bytes.subarray(at, at + chunk.length))).toBe(true)
        at += chunk.length
      }
      const put = queue.put(pattern(30_000))
      expect((await queue.get()).equals(pattern(30_000))).toBe(true)
      await put
      await expect(queue.get({ timeoutMs: 1 })).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
    }
    expect(await written).toBe(bytes.length)
  } finally {
    clearInterval(rain)
    process.off('SIGUSR2', heard)
    await reader.close()
    await writer.close()
  }
})

test('stat, peek and getMany see every message, also where small writes leave pages half empty', async () => {
  const { queue } = await make({ maxBytes: 2 ** 20 })
  // Two do not fit into a page, so each has one of its own: more pages than a pipe of 64 KiB has.
  const messages = Array.from({ length: 24 }, (_, at) => Buffer.alloc(2500, at))
  for (const message of messages) expect(queue.tryPut(message)).toBe(true)
  expect(queue.stat()).toMatchObject({ depth: 24, bytes: 24 * 2500 })
  expect(queue.peek(23)).toEqual(messages[23])
  const seen: Uint8Array[] = []
  while (seen.length < 24) seen.push(...(await queue.getMany(256)))
  expect(seen).toEqual(messages)
})

describe('ends', () => {
  const waits = [
    'pipe read',
    'pipe write',
    'fifo read',
    'wait for a reader',
    'wait for a writer',
    'queue get',
    'queue put',
    'queue put of a large message',
  ]

  test.each(waits)(
    '%s: a process exits while it waits, is let go after unref, and is killed',
    async (wait) => {
      const { path } = await make()
      await (await open(path)).close()
      const here = { onTestFinished }
      const alone = newPath()
      const target = wait.startsWith('queue') ? path : alone
      if (target === alone) (await import('ipckit/pipe')).Fifo.create(alone, { access: 'write' })
      const exits = new Program(here, 'pipe-step.mjs', { wait, path: target, end: 'exit' })
      expect(await exits.ended).toMatchObject({ code: 7, signal: null, rest: ['waiting'], errors: '' })
      const queue = await open(path)
      while (queue.tryGet() !== undefined) {}
      const goes = new Program(here, 'pipe-step.mjs', { wait, path: target, end: 'unref' })
      expect(await goes.ended).toMatchObject({ code: 0, signal: null, rest: ['waiting'], errors: '' })
      while (queue.tryGet() !== undefined) {}
      const stays = new Program(here, 'pipe-step.mjs', { wait, path: target, end: 'never' })
      expect(await stays.says()).toBe('waiting')
      stays.kill('SIGKILL')
      expect(await stays.ended).toMatchObject({ signal: 'SIGKILL', errors: '' })
    },
  )

  test('worker threads are terminated while they wait, and threads and descriptors come back', async () => {
    const { path, queue } = await make()
    const alone = newPath()
    const fifo = (await import('ipckit/pipe')).Fifo.create(alone, { access: 'write' })
    const before = await settledCounts()
    const here = { onTestFinished }
    for (const wait of waits) {
      while (queue.tryGet() !== undefined) {}
      const target = wait.startsWith('queue') ? path : alone
      const thread = new Thread(here, 'pipe-step.mjs', { wait, path: target, end: 'never' })
      expect(await thread.says()).toBe('waiting')
      thread.terminate()
      expect(await thread.ended).toMatchObject({ code: 1, error: undefined })
    }
    // Fewer, when something of an earlier test went meanwhile.
    await until(() => threads() <= before.threads && descriptors() <= before.descriptors)
    await fifo.close()
  })
})
