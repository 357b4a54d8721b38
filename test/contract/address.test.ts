/** Addresses: which queue they lead to, and what is none. */
import { fileURLToPath } from 'node:url'
import { Queue, text } from 'ipckit'
import { formatKey, ftok } from 'ipckit/sysv'
import { afterEach, describe, expect, test } from 'vitest'
import { newKey, newName } from '../helpers/names.ts'

const codec = text()
const made: Queue<string>[] = []
afterEach(async () => {
  for (const queue of made.splice(0)) {
    await queue.unlink()
    await queue.close()
  }
})

async function create(address: string): Promise<Queue<string>> {
  const queue = (await Queue.create(address, { codec })) as Queue<string>
  made.push(queue)
  return queue
}

/** Whether what is put here comes out there. */
async function leadsTo(address: string, queue: Queue<string>): Promise<boolean> {
  const other = await Queue.open(address, { codec })
  await other.put('hello')
  const came = queue.tryGet() === 'hello'
  await other.close()
  return came
}

describe('an address', () => {
  test.each([
    ...[
      '',
      ':',
      'posix',
      'posix:',
      'posix:name',
      'posix:/',
      'posix://',
      'posix:/a/b',
      'posix:/a\0',
      'posix:/..',
    ],
    ...[
      `posix:/${'x'.repeat(256)}`,
      'POSIX:/a',
      ' posix:/a',
      'fifo',
      'nats://host/stream',
      '/a',
      'memory',
      'memory:',
    ],
    ...[
      'sysv',
      'sysv:',
      'sysv:0',
      'sysv:0x0',
      'sysv:0x',
      'sysv:0x123456789',
      'sysv:4294967296',
      'sysv:99999999999',
    ],
    ...['sysv:-1', 'sysv:1.5', 'sysv:1e3', 'sysv:0b11', 'sysv:path', 'sysv:public', 'sysv:id=', 'sysv:id=-1'],
    ...[
      'sysv:id=0x5',
      'sysv:id=2147483648',
      'sysv:id=99999999999',
      'sysv:/tmp?proj=0',
      'sysv:/tmp?proj=256',
      'sysv: 5',
    ],
  ])('%j is refused by every way to open, as a RangeError that shows how addresses look', async (address) => {
    await expect(Queue.open(address, { codec })).rejects.toThrow(RangeError)
    await expect(Queue.create(address, { codec })).rejects.toThrow(/Expected .*received/)
    await expect(Queue.openOrCreate(address, { codec })).rejects.toThrow(RangeError)
  })

  test.each([undefined, null, 5, {}, ['posix:/a'], Symbol('posix:/a')])(
    'that is no string is refused',
    async (address) => {
      await expect(Queue.open(address as never, { codec } as never)).rejects.toThrow(TypeError)
    },
  )

  test('of a POSIX queue is its name', async () => {
    const name = newName()
    const queue = await create(`posix:${name}`)
    expect(queue.address).toBe(`posix:${name}`)
    expect(await leadsTo(`posix:${name}`, queue)).toBe(true)
  })

  test('of a System V queue is its key, hexadecimal or decimal, or its id', async () => {
    const key = newKey()
    const queue = await create(`sysv:${key}`)
    expect(queue.address).toBe(`sysv:${formatKey(key)}`)
    expect(await leadsTo(`sysv:${key}`, queue)).toBe(true)
    expect(await leadsTo(`sysv:0x${key.toString(16)}`, queue)).toBe(true)
    expect(await leadsTo(`sysv:0X${key.toString(16).toUpperCase()}`, queue)).toBe(true)
    expect(await leadsTo(queue.address, queue)).toBe(true)
    const { id } = queue.stat() as { id?: number }
    expect(await leadsTo(`sysv:id=${id}`, queue)).toBe(true)
  })

  test('of a System V queue is a file and a number', async () => {
    const file = fileURLToPath(import.meta.url)
    const queue = await create(`sysv:${file}?proj=77`)
    expect(queue.address).toBe(`sysv:${formatKey(ftok(file, 77))}`)
    expect(await leadsTo(`sysv:${file}?proj=77`, queue)).toBe(true)
    const first = await create(`sysv:${file}`)
    expect(first.address).toBe(`sysv:${formatKey(ftok(file, 1))}`)
    await expect(Queue.open('sysv:/no/such/file', { codec })).rejects.toMatchObject({
      code: 'ENOENT',
      resource: '/no/such/file',
    })
  })

  test('of a private System V queue is made with it, and leads to it', async () => {
    const queue = await create('sysv:private')
    const other = await create('sysv:private')
    expect(queue.address).toMatch(/^sysv:id=\d+$/)
    expect(other.address).not.toBe(queue.address)
    expect(await leadsTo(queue.address, queue)).toBe(true)
    await expect(Queue.open('sysv:private', { codec })).rejects.toThrow(TypeError)
    await expect(Queue.create(queue.address, { codec })).rejects.toThrow(TypeError)
  })

  test('of a queue in memory is any name', async () => {
    const name = `${newName()} ä:/漢🦊`
    const queue = await create(`memory:${name}`)
    expect(queue.address).toBe(`memory:${name}`)
    expect(await leadsTo(`memory:${name}`, queue)).toBe(true)
  })

  test('of one transport takes no options of another', async () => {
    const options = { codec, capacity: 5 }
    await expect(Queue.create(`sysv:${newKey()}`, options as never)).rejects.toThrow(/capacity/)
    await expect(Queue.create(`posix:${newName()}`, { codec, maxBytes: 5 } as never)).rejects.toThrow(
      /maxBytes/,
    )
    await expect(Queue.create(`memory:${newName()}`, { codec, mode: 0o600 } as never)).rejects.toThrow(/mode/)
    await expect(Queue.create(`posix:${newName()}`, { codec, priorities: true } as never)).rejects.toThrow(
      /priorities/,
    )
    await expect(Queue.create(`sysv:${newKey()}`, { codec, priorities: 1 } as never)).rejects.toThrow(
      TypeError,
    )
  })
})
