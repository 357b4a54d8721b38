/**
 * Anonymous pipes. Where LTP has a test of the system call, ours has its name; not ported are those of the kernel alone:
 * pipe01 to pipe05 (that a pipe carries bytes is tested here throughout), pipe08 (SIGPIPE: see test/native), pipe14 (bad
 * addresses cannot be passed), pipe15 and fcntl35 (limits of other users).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ClosedError } from 'ipckit'
import { type Pipe, type PipeOptions, pipe } from 'ipckit/pipe'
import { describe, expect, onTestFinished, test } from 'vitest'
import { descriptors } from '../helpers/counts.ts'
import { isPending } from '../helpers/waiting.ts'
import { pattern } from './fifos.ts'

function open(options?: PipeOptions): Pipe {
  const ends = pipe(options)
  onTestFinished(async () => {
    await ends.reader.close()
    await ends.writer.close()
  })
  return ends
}

const pageBytes = 4096

describe('a pipe', () => {
  test('carries bytes from its writer to its reader, and ends when the writer closes', async () => {
    const { reader, writer } = open()
    expect(await writer.write(pattern(5))).toBe(5)
    expect(reader.unread).toBe(5)
    expect(await reader.read()).toEqual(pattern(5))
    const end = reader.read()
    expect(await isPending(end)).toBe(true)
    await writer.close()
    expect(await end).toBeNull()
    expect(await reader.read()).toBeNull()
    expect(reader.tryRead()).toBeNull()
  })

  test('gives at most as many bytes as asked', async () => {
    const { reader, writer } = open()
    await writer.write(pattern(10))
    expect(await reader.read(3)).toEqual(pattern(10).subarray(0, 3))
    expect(reader.tryRead(4)).toEqual(pattern(10).subarray(3, 7))
    const bytes = Buffer.alloc(9, 0xff)
    expect(await reader.readInto(bytes)).toBe(3)
    expect(bytes).toEqual(Buffer.concat([pattern(10).subarray(7), Buffer.alloc(6, 0xff)]))
    expect(reader.tryReadInto(bytes)).toBeUndefined()
  })

  test('holds its writer back while it is full, and loses nothing', async () => {
    const { reader, writer } = open()
    const bytes = pattern(1_000_000)
    const write = writer.write(bytes)
    expect(await isPending(write)).toBe(true)
    expect(reader.unread).toBe(writer.capacity)
    const chunks: Buffer[] = []
    for (let size = 0; size < bytes.length; ) {
      const chunk = (await reader.read()) as Buffer
      chunks.push(chunk)
      size += chunk.length
    }
    expect(await write).toBe(bytes.length)
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  })

  test('serves reads, and writes, in the order in which they were made', async () => {
    const { reader, writer } = open()
    const reads = [reader.read(1), reader.read(1), reader.read(1)]
    expect(reader.tryRead()).toBeUndefined()
    await writer.write(Buffer.from('abc'))
    expect(String(await Promise.all(reads))).toBe('a,b,c')
    const writes = [writer.write(Buffer.alloc(70_000, 1)), writer.write(Buffer.from('z'))]
    expect(writer.tryWrite(Buffer.from('y'))).toBe(0)
    let all = Buffer.alloc(0)
    while (all.length < 70_001) all = Buffer.concat([all, (await reader.read()) as Buffer])
    expect(await Promise.all(writes)).toEqual([70_000, 1])
    expect(all.at(-1)).toBe('z'.charCodeAt(0))
  })

  test('ends a write early with what it wrote, and rejects when that was nothing', async () => {
    const { writer } = open()
    const written = await writer.write(Buffer.alloc(100_000), { timeoutMs: 5 })
    expect(written).toBe(65_536)
    await expect(writer.write(Buffer.alloc(1), { timeoutMs: 5 })).rejects.toMatchObject({
      code: 'ERR_IPC_TIMEOUT',
    })
    const controller = new AbortController()
    const write = writer.write(Buffer.alloc(1), { signal: controller.signal })
    controller.abort('enough')
    await expect(write).rejects.toBe('enough')
    expect(writer.tryWrite(Buffer.alloc(1))).toBe(0)
  })

  test('EPIPE is an error of the write, and of every later one', async () => {
    const { reader, writer } = open()
    const write = writer.write(Buffer.alloc(100_000))
    await isPending(write)
    await reader.close()
    await expect(write).rejects.toMatchObject({ code: 'EPIPE', syscall: 'write' })
    expect(() => writer.tryWrite(Buffer.from('x'))).toThrow(expect.objectContaining({ code: 'EPIPE' }))
    await expect(writer.write(Buffer.from('x'))).rejects.toThrow(/for reading any more/)
  })

  test('ends waits with ClosedError when it is closed, and refuses every call after that', async () => {
    const { reader, writer } = open()
    const outcome = Promise.allSettled([reader.read(), reader.read()])
    await reader.close()
    await reader.close()
    for (const each of await outcome) expect(each).toMatchObject({ reason: { code: 'ERR_IPC_CLOSED' } })
    expect(reader.closed).toBe(true)
    await expect(reader.read()).rejects.toBeInstanceOf(ClosedError)
    await expect(reader.readInto(Buffer.alloc(1))).rejects.toBeInstanceOf(ClosedError)
    for (const call of [
      () => reader.tryRead(),
      () => reader.tryReadInto(Buffer.alloc(1)),
      () => reader.readable(),
      () => reader.fd,
      () => reader.capacity,
      () => reader.setCapacity(4096),
      () => reader.unread,
      () => reader.handOver(),
    ]) {
      expect(call).toThrow(ClosedError)
    }
    await writer[Symbol.asyncDispose]()
    await expect(writer.write(Buffer.alloc(1))).rejects.toBeInstanceOf(ClosedError)
    expect(() => writer.tryWrite(Buffer.alloc(1))).toThrow(ClosedError)
    expect(() => writer.writable()).toThrow(ClosedError)
    expect(() => reader.ref().unref()).not.toThrow()
  })

  test('refuses arguments that are none', async () => {
    const { reader, writer } = open()
    for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
      await expect(reader.read(bad)).rejects.toThrow(RangeError)
      expect(() => reader.tryRead(bad)).toThrow(RangeError)
      expect(() => writer.setCapacity(bad)).toThrow(RangeError)
      expect(() => pipe({ capacity: bad })).toThrow(RangeError)
    }
    await expect(reader.read('1' as never)).rejects.toThrow(TypeError)
    await expect(reader.readInto(Buffer.alloc(0))).rejects.toThrow(RangeError)
    await expect(reader.readInto('x' as never)).rejects.toThrow(TypeError)
    await expect(writer.write('text' as never)).rejects.toThrow(TypeError)
    await expect(writer.write(Buffer.alloc(1), { timeout: 1 } as never)).rejects.toThrow(TypeError)
    expect(() => pipe({ packet: true } as never)).toThrow(/packets/)
    expect(() => pipe({ packets: 1 } as never)).toThrow(TypeError)
    expect(() => reader.readable({ eof: 'never' } as never)).toThrow(TypeError)
    expect(() => reader.readable({ highWaterMark: 0 })).toThrow(RangeError)
    expect(await writer.write(Buffer.alloc(0))).toBe(0)
  })

  test('of packets gives every write as a piece of its own', async () => {
    const { reader, writer } = open({ packets: true })
    for (const size of [1, 100, pageBytes]) await writer.write(pattern(size))
    await writer.write(pattern(pageBytes + 10))
    const sizes = []
    for (let at = 0; at < 5; at++) sizes.push((await reader.read())?.length)
    expect(sizes).toEqual([1, 100, pageBytes, pageBytes, 10])
  })
})

describe('the size of a pipe', () => {
  test('fcntl30: is read, set and read again', () => {
    const { reader, writer } = open()
    expect(writer.capacity).toBe(65_536)
    expect(writer.setCapacity(2 ** 20)).toBe(2 ** 20)
    expect(reader.capacity).toBe(2 ** 20)
    expect(open({ capacity: 4 * pageBytes }).reader.capacity).toBe(4 * pageBytes)
  })

  test('fcntl37: one byte is a page, a page and a byte are two', () => {
    const { writer } = open()
    expect(writer.setCapacity(1)).toBe(pageBytes)
    expect(writer.setCapacity(pageBytes + 1)).toBe(2 * pageBytes)
  })

  test('fcntl37: EBUSY when what is in it would not fit', async () => {
    const { writer } = open()
    await writer.write(pattern(3 * pageBytes))
    expect(() => writer.setCapacity(pageBytes)).toThrow(
      expect.objectContaining({ code: 'EBUSY', message: expect.stringContaining('read it first') }),
    )
    expect(writer.capacity).toBe(65_536)
  })

  test('fcntl37: EPERM over pipe-max-size names the limit, and a pipe that was to have it is not made', () => {
    const limit = Number(readFileSync('/proc/sys/fs/pipe-max-size', 'utf8'))
    const { writer } = open()
    const before = descriptors()
    const refused = expect.objectContaining({
      code: 'EPERM',
      message: expect.stringContaining(`fs.pipe-max-size is ${limit} bytes`),
    })
    // With CAP_SYS_RESOURCE there is no limit.
    const capabilities = /CapEff:\s*(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    const isUnlimited = (BigInt(`0x${capabilities}`) & (1n << 24n)) !== 0n
    if (isUnlimited) expect(writer.setCapacity(limit * 2)).toBe(limit * 2)
    else {
      expect(() => writer.setCapacity(limit * 2)).toThrow(refused)
      expect(() => pipe({ capacity: limit * 2 })).toThrow(refused)
      expect(descriptors()).toBe(before)
    }
  })
})

describe('descriptors', () => {
  test('pipe2_02: are closed on exec, so that no child has them by accident', async () => {
    const { reader, writer } = open()
    const child = spawn('ls', ['/proc/self/fd'], { stdio: ['ignore', 'pipe', 'inherit'] })
    let listing = ''
    child.stdout.on('data', (chunk) => {
      listing += chunk
    })
    await once(child, 'close')
    expect(listing.split('\n')).not.toContain(String(reader.fd))
    expect(listing.split('\n')).not.toContain(String(writer.fd))
  })

  test('that are handed over are blocking, and belong to who took them', async () => {
    const { reader, writer } = open()
    const fd = writer.handOver()
    expect(writer.closed).toBe(true)
    const flags = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] as string
    expect(Number.parseInt(flags, 8) & 0o4000).toBe(0)
    const child = spawn('sh', ['-c', 'printf hello; printf " world"'], { stdio: ['ignore', fd, 'inherit'] })
    closeSync(fd)
    let text = ''
    for await (const chunk of reader) text += chunk
    expect(text).toBe('hello world')
    if (child.exitCode === null) await once(child, 'exit')
  })

  test('of both kinds connect two children, and this process sees the end of neither', async () => {
    const first = open()
    const second = open()
    const [input, output] = [first.reader.handOver(), second.writer.handOver()]
    const child = spawn('tr', ['a-z', 'A-Z'], { stdio: [input, output, 'inherit'] })
    closeSync(input)
    closeSync(output)
    await first.writer.write(Buffer.from('shout'))
    await first.writer.close()
    expect(String(await second.reader.read())).toBe('SHOUT')
    expect(await second.reader.read()).toBeNull()
    if (child.exitCode === null) await once(child, 'exit')
  })

  test('pipe06: EMFILE says what to raise, and all are given back', async () => {
    const program = `
      import { pipe } from 'ipckit/pipe'
      const made = []
      try { for (;;) made.push(pipe()) } catch ({ code, message }) { console.log(code, /ulimit -n/.test(message)) }
      for (const { reader, writer } of made) { await reader.close(); await writer.close() }
      const { reader, writer } = pipe()
      await writer.write(Buffer.from('again'))
      console.log(made.length > 5, String(await reader.read()))`
    const command = `ulimit -n 64; exec "$0" --input-type=module -e "$1"`
    const child = spawn('sh', ['-c', command, process.execPath, program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    await once(child, 'close')
    expect(output).toBe('EMFILE true\ntrue again\n')
  })

  test('are given back by close, a thousand times', async () => {
    const warm = pipe()
    void warm.reader.read().catch(() => {})
    await warm.reader.close()
    await warm.writer.close()
    const before = descriptors()
    for (let round = 0; round < 1000; round++) {
      const { reader, writer } = pipe()
      const read = reader.read()
      await writer.write(Buffer.from('x'))
      await read
      await reader.close()
      await writer.close()
    }
    expect(descriptors()).toBe(before)
  })
})

describe('streams', () => {
  test.each([false, true])(
    'carry everything with back-pressure (memory used again: %s)',
    async (reuseMemory) => {
      const { reader, writer } = open()
      const bytes = pattern(3_000_000)
      const write = pipeline(Readable.from([bytes.subarray(0, 999), bytes.subarray(999)]), writer.writable())
      let at = 0
      let same = true
      for await (const chunk of reader.readable({ reuseMemory })) {
        same &&= (chunk as Buffer).equals(bytes.subarray(at, at + chunk.length))
        at += chunk.length
      }
      await write
      expect([at, same]).toEqual([bytes.length, true])
      expect([reader.closed, writer.closed]).toEqual([true, true])
    },
  )

  test('that nobody reads hold their writer back', async () => {
    const { reader, writer } = open()
    const readable = reader.readable({ highWaterMark: 1000 })
    const writable = writer.writable({ highWaterMark: 1000 })
    while (writable.write(Buffer.alloc(10_000)) || !(await isPending(once(writable, 'drain')))) {}
    // Not every page is filled to its end.
    expect(reader.unread).toBeGreaterThan(60_000)
    readable.destroy()
    writable.on('error', () => {}).destroy()
  })

  test('leave the end open when they are told to', async () => {
    const { reader, writer } = open()
    const writable = writer.writable({ autoClose: false })
    writable.end('one')
    await once(writable, 'close')
    await writer.write(Buffer.from('two'))
    const readable = reader.readable({ autoClose: false })
    expect(String((await once(readable, 'data'))[0])).toBe('onetwo')
    readable.destroy()
    await once(readable, 'close')
    await writer.write(Buffer.from('three'))
    expect(String(await reader.read())).toBe('three')
  })

  test('fail with EPIPE when the reader has gone', async () => {
    const { reader, writer } = open()
    const writable = writer.writable()
    await reader.close()
    writable.write('x')
    expect((await once(writable, 'error'))[0]).toMatchObject({ code: 'EPIPE' })
  })

  test('let timers run while both ends keep up', async () => {
    const { reader, writer } = open({ capacity: 2 ** 20 })
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    const chunk = Buffer.alloc(65_536)
    const source = Readable.from(
      (function* () {
        for (let at = 0; at < 2000; at++) yield chunk
      })(),
    )
    const write = pipeline(source, writer.writable())
    let size = 0
    for await (const piece of reader.readable()) size += piece.length
    await write
    clearInterval(timer)
    expect(size).toBe(2000 * chunk.length)
    expect(ticks).toBeGreaterThan(2)
  })

  test('iterating over a reader leaves it open when the loop is left', async () => {
    const { reader, writer } = open()
    await writer.write(Buffer.from('a'))
    for await (const chunk of reader) {
      expect(String(chunk)).toBe('a')
      break
    }
    await writer.write(Buffer.from('b'))
    expect(String(await reader.read())).toBe('b')
  })
})
