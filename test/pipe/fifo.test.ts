/** FIFOs as bytes: opening without blocking, meeting the other end, and what stands where a FIFO should. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { Fifo, type FifoAccess } from 'ipckit/pipe'
import { describe, expect, onTestFinished, test } from 'vitest'
import { descriptors } from '../helpers/counts.ts'
import { withUmask } from '../helpers/umask.ts'
import { isPending } from '../helpers/waiting.ts'
import { isRoot, newPath, pattern, stranger } from './fifos.ts'

const closing = (fifo: Fifo) => {
  onTestFinished(() => fifo.close())
  return fifo
}
const open = (path: string, access: FifoAccess) => closing(Fifo.open(path, { access }))

function make(access: FifoAccess = 'readwrite'): Fifo {
  return closing(Fifo.create(newPath(), { access }))
}

describe('opening', () => {
  test.each(['read', 'write', 'readwrite'] as const)(
    'for %s needs nobody at the other end',
    async (access) => {
      const path = newPath()
      const fifo = closing(Fifo.create(path, { access }))
      expect(fifo).toMatchObject({ path, access, closed: false })
      expect(fifo.stat()).toMatchObject({ path, mode: 0o600, uid: process.getuid?.(), unlinked: false })
      expect(statSync(path).isFIFO()).toBe(true)
      expect(closing(Fifo.openOrCreate(path, { access })).access).toBe(access)
    },
  )

  test('what is not there, and making what is there, are told apart', () => {
    const path = newPath()
    expect(() => Fifo.open(path)).toThrow(expect.objectContaining({ name: 'NotFoundError', code: 'ENOENT' }))
    closing(Fifo.create(path))
    expect(() => Fifo.create(path)).toThrow(expect.objectContaining({ name: 'ExistsError', code: 'EEXIST' }))
  })

  test('the mode is exact, whatever the umask', () => {
    withUmask(0o077, () =>
      expect(statSync(closing(Fifo.create(newPath(), { mode: 0o664 })).path).mode & 0o777).toBe(0o664),
    )
    withUmask(0, () => expect(statSync(make().path).mode & 0o777).toBe(0o600))
  })

  test('what stands there and is no FIFO is refused by every way to open, and left alone', async () => {
    const places: Record<string, (path: string) => void> = {
      'a file': (path) => writeFileSync(path, 'mine'),
      'a folder': (path) => mkdirSync(path),
      'a device': (path) => symlinkSync('/dev/null', path),
    }
    for (const [what, plant] of Object.entries(places)) {
      const path = newPath()
      plant(path)
      const code = what === 'a device' ? 'ELOOP' : 'ENOTSUP'
      for (const access of ['read', 'write', 'readwrite'] as const) {
        expect(() => Fifo.open(path, { access }), what).toThrow(expect.objectContaining({ code }))
        expect(() => Fifo.openOrCreate(path, { access }), what).toThrow(expect.objectContaining({ code }))
      }
      expect(() => Fifo.create(path), what).toThrow(expect.objectContaining({ code: 'EEXIST' }))
      expect(existsSync(path)).toBe(true)
    }
    const path = newPath()
    const server = createServer().listen(path)
    await once(server, 'listening')
    expect(() => Fifo.open(path)).toThrow(expect.objectContaining({ code: 'ENOTSUP' }))
    server.close()
  })

  test('a symbolic link to a FIFO is refused too', () => {
    const link = newPath()
    symlinkSync(make().path, link)
    expect(() => Fifo.open(link)).toThrow(
      expect.objectContaining({ code: 'ELOOP', message: expect.stringContaining('symbolic link') }),
    )
  })

  test.runIf(isRoot)('a FIFO of somebody else is refused, unless the caller says whose it may be', () => {
    const { path } = make()
    chownSync(path, stranger, stranger)
    for (const access of ['read', 'write', 'readwrite'] as const) {
      expect(() => Fifo.open(path, { access })).toThrow(
        expect.objectContaining({ code: 'EPERM', message: expect.stringContaining('owner') }),
      )
    }
    expect(() => Fifo.open(path, { owner: stranger + 1 })).toThrow(expect.objectContaining({ code: 'EPERM' }))
    expect(closing(Fifo.open(path, { owner: stranger })).stat().uid).toBe(stranger)
    expect(closing(Fifo.openOrCreate(path, { owner: 'any' })).stat().uid).toBe(stranger)
  })

  test('arguments that are none are refused, and nothing is made', () => {
    for (const bad of ['', `/${'x'.repeat(4095)}`, '/tmp/a\0b'])
      expect(() => Fifo.create(bad)).toThrow(RangeError)
    for (const bad of [5, undefined, null]) expect(() => Fifo.open(bad as never)).toThrow(TypeError)
    const path = newPath()
    for (const bad of [{ mode: 0o1777 }, { mode: -1 }, { owner: -1 }, { owner: 2 ** 32 }]) {
      expect(() => Fifo.create(path, bad)).toThrow(RangeError)
    }
    for (const bad of [{ access: 'rw' }, { acess: 'read' }, { owner: 'me' }]) {
      expect(() => Fifo.create(path, bad as never)).toThrow(TypeError)
    }
    expect(() => Fifo.open(path, { mode: 0o600 } as never)).toThrow(TypeError)
    expect(existsSync(path)).toBe(false)
  })
})

describe('reading', () => {
  test('waits for the first writer, ends when the last leaves, and waits for the next', async () => {
    const reader = make('read')
    for (const round of ['one', 'two', 'three']) {
      const read = reader.read()
      expect(await isPending(read)).toBe(true)
      const writer = open(reader.path, 'write')
      await writer.write(Buffer.from(round))
      expect(String(await read)).toBe(round)
      const end = reader.read()
      expect(await isPending(end)).toBe(true)
      await writer.close()
      expect(await end).toBeNull()
      expect(reader.tryRead()).toBeUndefined()
    }
  })

  test('of a writer that leaves without a byte is an end as well', async () => {
    const reader = make('read')
    const read = reader.read()
    const writer = open(reader.path, 'write')
    await writer.waitForReader()
    await writer.close()
    expect(await read).toBeNull()
  })

  test('as a stream ends with the writers, or stays and tells of each', async () => {
    const reader = make('read')
    const stream = reader.readable({ eof: 'stay' })
    const seen: string[] = []
    stream.on('eof', () => seen.push('eof')).on('data', (chunk) => seen.push(String(chunk)))
    for (const round of ['a', 'b']) {
      const writer = open(reader.path, 'write')
      const eof = once(stream, 'eof')
      await writer.write(Buffer.from(round))
      await writer.close()
      await eof
    }
    expect(seen).toEqual(['a', 'eof', 'b', 'eof'])
    stream.destroy()
    await once(stream, 'close')
    expect(reader.closed).toBe(true)

    const other = make('read')
    const text = (async () => {
      let all = ''
      for await (const chunk of other.readable()) all += chunk
      return all
    })()
    const child = spawn('sh', ['-c', 'echo hello > "$0"', other.path])
    expect(await text).toBe('hello\n')
    if (child.exitCode === null) await once(child, 'exit')
  })

  test('and writing by one handle never ends, and needs nobody', async () => {
    const both = make()
    expect(await both.write(Buffer.from('kept'))).toBe(4)
    const writer = open(both.path, 'write')
    await writer.write(Buffer.from(' too'))
    await writer.close()
    expect(String(await both.read())).toBe('kept too')
    expect(await isPending(both.read().catch(() => {}))).toBe(true)
  })
})

describe('writing', () => {
  test('waits for the first reader', async () => {
    const writer = make('write')
    expect(writer.hasReader).toBe(false)
    expect(writer.tryWrite(Buffer.from('x'))).toBe(0)
    await expect(writer.write(Buffer.from('x'), { timeoutMs: 5 })).rejects.toMatchObject({
      code: 'ERR_IPC_TIMEOUT',
    })
    const write = writer.write(Buffer.from('hello'))
    expect(await isPending(write)).toBe(true)
    const reader = open(writer.path, 'read')
    expect(await write).toBe(5)
    expect(String(await reader.read())).toBe('hello')
  })

  test('waits for a reader that is itself blocked in open(2)', async () => {
    const writer = make('write')
    const child = spawn('cat', [writer.path], { stdio: ['ignore', 'pipe', 'inherit'] })
    await writer.waitForReader()
    await writer.write(Buffer.from('to the cat'))
    await writer.close()
    let text = ''
    for await (const chunk of child.stdout) text += chunk
    expect(text).toBe('to the cat')
  })

  test('meets EPIPE when the reader leaves, and then waits for the next', async () => {
    const writer = make('write')
    const first = open(writer.path, 'read')
    await writer.write(Buffer.from('lost'))
    await first.close()
    await expect(writer.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'EPIPE' })
    const write = writer.write(Buffer.from('for the next'))
    expect(await isPending(write)).toBe(true)
    const second = open(writer.path, 'read')
    await write
    expect(String(await second.read())).toBe('for the next')
  })

  test('EPIPE ends a write that waits for room', async () => {
    const writer = make('write')
    const reader = open(writer.path, 'read')
    const write = writer.write(Buffer.alloc(100_000))
    await isPending(write)
    await reader.close()
    await expect(write).rejects.toMatchObject({ code: 'EPIPE' })
  })

  test('survives readers that are killed, again and again', async () => {
    const writer = make('write')
    for (let round = 0; round < 5; round++) {
      const child = spawn('cat', [writer.path], { stdio: 'ignore' })
      await writer.waitForReader()
      await writer.write(pattern(100)).catch(() => {})
      child.kill('SIGKILL')
      await once(child, 'exit')
      await expect(
        (async () => {
          for (;;) await writer.write(pattern(1000), { timeoutMs: 20 })
        })(),
      ).rejects.toMatchObject({ code: expect.stringMatching(/EPIPE|ERR_IPC_TIMEOUT/) })
    }
  })
})

describe('meeting the other end', () => {
  test('waits for a reader, and for a writer, until they come', async () => {
    const path = make().path
    await Fifo.open(path).close()
    const reader = closing(Fifo.create(newPath(), { access: 'read' }))
    expect(reader.hasWriter).toBe(false)
    const came = reader.waitForWriter()
    expect(await isPending(came)).toBe(true)
    const writer = open(reader.path, 'write')
    await writer.waitForReader({ timeoutMs: 10_000 })
    await came
    expect([reader.hasWriter, writer.hasReader]).toEqual([true, true])
    await reader.close()
    expect(writer.hasReader).toBe(false)
  })

  test('ends with the time, the signal, the handle, and the FIFO', async () => {
    const writer = make('write')
    await expect(writer.waitForReader({ timeoutMs: 10 })).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
    await expect(writer.waitForReader({ signal: AbortSignal.abort('no') })).rejects.toBe('no')
    const controller = new AbortController()
    const waits = [writer.waitForReader({ signal: controller.signal }), writer.waitForReader()]
    const outcome = Promise.allSettled(waits)
    controller.abort('enough')
    await writer.close()
    expect(await outcome).toMatchObject([{ reason: 'enough' }, { reason: { code: 'ERR_IPC_CLOSED' } }])
    const other = make('write')
    const wait = other.waitForReader()
    await isPending(wait)
    other.unlink()
    await expect(wait).rejects.toMatchObject({ code: 'EIDRM' })
  })

  test('is refused where it could not be told', async () => {
    const refused = { code: 'ERR_IPC_UNSUPPORTED' }
    await expect(make().waitForReader()).rejects.toMatchObject(refused)
    await expect(make('read').waitForReader()).rejects.toMatchObject(refused)
    await expect(make('write').waitForWriter()).rejects.toMatchObject(refused)
    await expect(make('write').read()).rejects.toMatchObject(refused)
    await expect(make('read').write(Buffer.alloc(1))).rejects.toMatchObject(refused)
    expect(() => make('read').hasReader).toThrow(expect.objectContaining(refused))
    expect(() => make('write').capacity).toThrow(expect.objectContaining({ code: 'ENXIO' }))
  })
})

describe('a handle', () => {
  test('has a size, which all who have it open share', async () => {
    const fifo = make()
    expect(fifo.capacity).toBe(65_536)
    expect(fifo.setCapacity(2 ** 17)).toBe(2 ** 17)
    expect(open(fifo.path, 'write').capacity).toBe(2 ** 17)
    await fifo.write(pattern(9))
    expect(fifo.unread).toBe(9)
  })

  test('removes the very FIFO that it has open, and no other of its name', () => {
    const fifo = make()
    const aside = newPath()
    renameSync(fifo.path, aside)
    expect(() => fifo.unlink()).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    execFileSync('mkfifo', [fifo.path])
    expect(() => fifo.unlink()).toThrow(expect.objectContaining({ code: 'EIDRM' }))
    expect(existsSync(fifo.path)).toBe(true)
    const other = make('write')
    other.unlink()
    expect(other.stat().unlinked).toBe(true)
    expect(() => other.unlink()).toThrow(expect.objectContaining({ code: 'EIDRM' }))
  })

  test('gives back its descriptors, after readers and writers came and went', async () => {
    const warm = make('read')
    await warm.waitForWriter({ timeoutMs: 1 }).catch(() => {})
    await warm.read(1, { timeoutMs: 1 }).catch(() => {})
    await warm.close()
    const before = descriptors()
    for (let round = 0; round < 100; round++) {
      const reader = Fifo.create(newPath(), { access: 'read' })
      const writer = Fifo.open(reader.path, { access: 'write' })
      await writer.write(Buffer.from('x'))
      await reader.read()
      const end = reader.read()
      await writer.close()
      await end
      reader.unlink()
      await reader.close()
    }
    expect(descriptors()).toBe(before)
  })

  test('that is closed refuses everything', async () => {
    const fifo = make()
    await fifo.close()
    await fifo.close()
    const refused = { code: 'ERR_IPC_CLOSED' }
    await expect(fifo.read()).rejects.toMatchObject(refused)
    await expect(fifo.readInto(Buffer.alloc(1))).rejects.toMatchObject(refused)
    await expect(fifo.write(Buffer.alloc(1))).rejects.toMatchObject(refused)
    await expect(fifo.waitForReader()).rejects.toMatchObject(refused)
    for (const call of [
      () => fifo.tryRead(),
      () => fifo.tryReadInto(Buffer.alloc(1)),
      () => fifo.tryWrite(Buffer.alloc(1)),
      () => fifo.readable(),
      () => fifo.writable(),
      () => fifo.stat(),
      () => fifo.unlink(),
      () => fifo.capacity,
      () => fifo.unread,
      () => fifo.hasReader,
      () => fifo.setCapacity(4096),
    ]) {
      expect(call).toThrow(expect.objectContaining(refused))
    }
  })
})
