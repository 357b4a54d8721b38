/** memfd_create(2): memory without a name, handed on as a descriptor, and sealed. */
import { spawn } from 'node:child_process'
import { closeSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { i32 } from 'ipckit'
import { Memfd, type Seal } from 'ipckit/posix'
import { describe, expect, onTestFinished, test } from 'vitest'
import { descriptors } from '../helpers/counts.ts'

function create(options: Partial<Parameters<typeof Memfd.create>[0]> = {}): Memfd {
  const memory = Memfd.create({ sizeBytes: 4096, ...options })
  onTestFinished(() => memory.close())
  return memory
}

function open(...args: Parameters<typeof Memfd.open>): Memfd {
  const memory = Memfd.open(...args)
  onTestFinished(() => memory.close())
  return memory
}

const pathOf = (memory: Memfd) => `/proc/self/fd/${memory.descriptor}`

describe('a memfd', () => {
  test('is shared with a child process that has its descriptor', async () => {
    const memory = create()
    memory.write(0, Buffer.from('from parent'))
    const script = `
      import { i32 } from 'ipckit'
      import { Memfd } from 'ipckit/posix'
      const memory = Memfd.open(3)
      console.log(memory.read(0, 11).toString(), memory.sizeBytes, memory.seals.join())
      memory.atomic(i32, 64).add(7)
    `
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit', memory.descriptor],
    })
    let said = ''
    child.stdout?.on('data', (text) => {
      said += text
    })
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0)
    expect(said).toMatch(/^from parent 4096 (seal,)?shrink,grow\n$/)
    expect(memory.atomic(i32, 64).load()).toBe(7)
  })

  test('cannot be truncated or grown by anybody, unless it was made so', () => {
    const memory = create()
    expect(memory.seals).toEqual(expect.arrayContaining(['shrink', 'grow']))
    expect(() => truncateSync(pathOf(memory), 0)).toThrow(/EPERM/)
    expect(() => truncateSync(pathOf(memory), 8192)).toThrow(/EPERM/)
    const open = create({ seals: [] })
    truncateSync(pathOf(open), 0)
    expect(open.buffer[0]).toBe(0)
    expect(open.truncated).toBe(true)
    expect(() => open.read()).toThrow(expect.objectContaining({ code: 'ERR_IPC_TRUNCATED' }))
  })

  test('that is sealed against future writes can be written here, and mapped only to be read from now on', () => {
    const memory = create()
    memory.addSeals(['future-write'])
    memory.write(0, Buffer.from('x'))
    expect(() => Memfd.open(memory.descriptor)).toThrow(
      expect.objectContaining({ code: 'EPERM', message: expect.stringContaining('`readonly`') }),
    )
    expect(open(memory.descriptor, { readonly: true }).read(0, 1).toString()).toBe('x')
  })

  test('that is mapped for writing cannot be sealed against it, and says what can be done', () => {
    expect(() => create().addSeals(['write'])).toThrow(
      expect.objectContaining({ code: 'EBUSY', message: expect.stringContaining("'future-write'") }),
    )
  })

  test('that is sealed against seals takes no more', () => {
    const memory = create({ seals: ['seal'] })
    expect(() => memory.addSeals(['grow'])).toThrow(expect.objectContaining({ code: 'EPERM' }))
  })

  test('has a descriptor of its own each time it is opened', () => {
    const before = descriptors()
    const memory = Memfd.create({ sizeBytes: 10, label: 'grüße' })
    const other = Memfd.open(memory.descriptor)
    expect(other.descriptor).not.toBe(memory.descriptor)
    memory.close()
    other.write(0, Buffer.from([1]))
    other.close()
    expect(descriptors()).toBe(before)
    expect(() => memory.descriptor).toThrow(expect.objectContaining({ name: 'ClosedError' }))
    expect(() => memory.seals).toThrow(expect.objectContaining({ name: 'ClosedError' }))
  })

  test('belongs to this user alone', () => {
    expect(create().stat()).toMatchObject({ mode: 0o600, sizeBytes: 4096, unlinked: true })
  })

  test('is opened of a file in memory only', () => {
    const read = openSync('/dev/null', 'r')
    expect(() => Memfd.open(read)).toThrow(expect.objectContaining({ code: 'ERR_IPC_UNSAFE' }))
    closeSync(read)
    const path = join(tmpdir(), `ipckit-test-${process.pid}`)
    writeFileSync(path, '')
    onTestFinished(() => rmSync(path))
    const empty = openSync(path, 'r+')
    expect(() => Memfd.open(empty)).toThrow(expect.objectContaining({ code: 'ERR_IPC_UNSAFE' }))
    closeSync(empty)
    expect(() => Memfd.open(1_000_000)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  })

  test.each([
    [{ sizeBytes: 0 }, RangeError],
    [{ sizeBytes: '1' }, TypeError],
    [{ sizeBytes: 1, label: 5 }, TypeError],
    [{ sizeBytes: 1, label: 'a\0b' }, RangeError],
    [{ sizeBytes: 1, label: 'x'.repeat(250) }, RangeError],
    [{ sizeBytes: 1, seals: 'grow' }, TypeError],
    [{ sizeBytes: 1, seals: ['growth' as Seal] }, RangeError],
    [{ sizeBytes: 1, mode: 0o600 }, TypeError],
    [undefined, TypeError],
  ])('is not made of %j', (options, type) => {
    expect(() => Memfd.create(options as never)).toThrow(type)
  })

  test('of more memory than the machine has is ENOMEM', () => {
    expect(() => Memfd.create({ sizeBytes: 2 ** 50 })).toThrow(expect.objectContaining({ code: 'ENOMEM' }))
  })

  test.each([-1, 1.5, '3', undefined])('is not opened of the descriptor %j', (descriptor) => {
    expect(() => Memfd.open(descriptor as never)).toThrow(/`descriptor`/)
  })
})
