/** Making and opening queues in shared memory: options, types, and what else lies under the name. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { ExistsError, i32, json, NotFoundError, Queue, RemovedError, raw, struct, text } from 'ipckit'
import { list, unlink } from 'ipckit/shm'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger } from '../helpers/agent.ts'
import { isPending } from '../helpers/waiting.ts'
import { again, create, createOf, delivery, fileOf, isThere, keep, newAddress } from './support.ts'

endAgents()

const open = (address: `shm:${string}`, options: object = {}) =>
  Queue.open(address, { codec: text(), ...options })

describe('the options of a queue', () => {
  test('are in its stat', async () => {
    const queue = await create({
      capacity: 7,
      maxMessageBytes: 1000,
      capacityBytes: 64_000,
      priorities: 3,
      participants: 5,
      maxDeliveries: 9,
      deadLetters: 11,
      joinable: true,
      mode: 0o640,
    })
    expect(await again(queue)).toBeDefined()
    const stat = queue.stat()
    expect(stat).toMatchObject({
      address: queue.address,
      capacity: 7,
      maxMessageBytes: 1000,
      maxBytes: 64_000,
      priorities: 3,
      maxParticipants: 5,
      maxDeliveries: 9,
      joinable: true,
      mode: 0o640,
      uid: process.getuid?.(),
      unlinked: false,
      type: 'text',
      state: 'open',
    })
    expect(stat.freeBytes).toBeGreaterThanOrEqual(64_000)
    expect(stat.sizeBytes).toBe(statSync(fileOf(queue)).size)
    expect(Math.abs(Date.now() - stat.created.getTime())).toBeLessThan(60_000)
  })

  test('have defaults', async () => {
    const queue = await create()
    expect(queue.stat()).toMatchObject({
      capacity: 1024,
      maxMessageBytes: 8192,
      priorities: 10,
      maxParticipants: 256,
      maxDeliveries: undefined,
      joinable: false,
      mode: 0o600,
    })
  })

  test.each([81, 100, 5000, 10_000, 100_000])(
    'by default have room for all messages of %i bytes',
    async (maxMessageBytes) => {
      const queue = await create({ capacity: 5, maxMessageBytes })
      const large = 'x'.repeat(maxMessageBytes)
      for (let count = 0; count < 5; count++) expect(queue.tryPut(large)).toBe(true)
      expect(queue.tryPut('')).toBe(false)
    },
  )

  test('are those of the maker when the queue is there', async () => {
    const queue = await create({ capacity: 3 })
    const other = keep(await Queue.openOrCreate(queue.address as 'shm:/x', { codec: text(), capacity: 9 }))
    expect(other.stat().capacity).toBe(3)
  })

  test.each<[string, object, string]>([
    ['capacity', { capacity: 0 }, 'Expected an integer from 1 to 16777216 for `capacity`, received 0'],
    ['capacity', { capacity: 1.5 }, 'Expected an integer from 1 to 16777216 for `capacity`, received 1.5'],
    ['maxMessageBytes', { maxMessageBytes: 2 ** 28 + 1 }, 'for `maxMessageBytes`, received 268435457'],
    [
      'capacityBytes',
      { capacityBytes: 100, maxMessageBytes: 101 },
      'Expected at least maxMessageBytes, 101 for `capacityBytes`, received 100',
    ],
    ['priorities', { priorities: 17 }, 'Expected an integer from 1 to 16 for `priorities`, received 17'],
    [
      'participants',
      { participants: 1 },
      'Expected an integer from 2 to 1024 for `participants`, received 1',
    ],
    [
      'maxDeliveries',
      { maxDeliveries: 0 },
      'Expected an integer from 1 to 32767 for `maxDeliveries`, received 0',
    ],
    [
      'deadLetters',
      { deadLetters: -1 },
      'Expected an integer from 0 to 16777216 for `deadLetters`, received -1',
    ],
    ['joinable', { joinable: 1 }, 'Expected true or false for `joinable`, received 1'],
    ['mode', { mode: 0o1000 }, 'Expected an integer from 0 to 0o777 for `mode`, received 512 (0o1000)'],
    ['mode', { mode: -1 }, 'Expected an integer from 0 to 0o777 for `mode`, received -1'],
    ['mode', { mode: '600' }, "Expected an integer from 0 to 0o777 for `mode`, received '600'"],
    ['prefetch', { prefetch: 0 }, 'Expected an integer from 1 to 16777216 for `prefetch`, received 0'],
    ['anyType', { anyType: 'yes' }, "Expected true or false for `anyType`, received 'yes'"],
    ['options', { maxBytse: 5 }, 'Expected only the options'],
    ['options', { maxBytes: 5 }, 'sized by `capacity`, `maxMessageBytes` and `capacityBytes`'],
  ])('%s is checked: %o', async (_, options, message) => {
    const address = newAddress()
    await expect(Queue.create(address, { codec: text(), ...options })).rejects.toThrow(message)
    expect(isThere({ address })).toBe(false)
  })

  test('of making are refused when opening', async () => {
    const queue = await create()
    await expect(open(queue.address as 'shm:/x', { capacity: 4 })).rejects.toThrow(TypeError)
  })

  test('more than /dev/shm has is ENOSPC, and leaves nothing', async () => {
    const address = newAddress()
    const wanted = Queue.create(address, { codec: text(), capacityBytes: 2 ** 35 })
    await expect(wanted).rejects.toMatchObject({
      code: 'ENOSPC',
      message: expect.stringContaining('/dev/shm'),
    })
    expect(isThere({ address })).toBe(false)
  })

  test('a mode is exact whatever the umask', async () => {
    const before = process.umask(0o077)
    try {
      const queue = await create({ mode: 0o664 })
      expect(statSync(fileOf(queue)).mode & 0o777).toBe(0o664)
    } finally {
      process.umask(before)
    }
  })
})

describe('names', () => {
  test.each(['shm:/', 'shm:name', 'shm:/a/b', 'shm://', `shm:/${'x'.repeat(201)}`, 'shm:/a\0b'])(
    '%j is refused',
    async (address) => {
      await expect(Queue.create(address as 'shm:/x', { codec: text() })).rejects.toThrow(RangeError)
      await expect(open(address as 'shm:/x')).rejects.toThrow(RangeError)
    },
  )

  test('have up to 200 bytes', async () => {
    const address = `${newAddress()}-ä`.padEnd(204, 'x') as `shm:${string}`
    const queue = keep(await Queue.create(address, { codec: text() }))
    await queue.unlink()
  })

  test('that are not there cannot be opened, and those that are cannot be made', async () => {
    const address = newAddress()
    await expect(open(address)).rejects.toThrow(NotFoundError)
    const queue = await create()
    await expect(Queue.create(queue.address as 'shm:/x', { codec: text() })).rejects.toThrow(ExistsError)
  })
})

describe('the type of a queue', () => {
  test('is refused to another codec, with both names', async () => {
    const queue = await create()
    await expect(Queue.open(queue.address as 'shm:/x', { codec: json() })).rejects.toMatchObject({
      name: 'IpcError',
      code: 'ERR_IPC_TYPE',
      message: expect.stringMatching(/carries text,.* was to carry json/),
      resource: queue.address,
    })
    await expect(Queue.openOrCreate(queue.address as 'shm:/x', { codec: json() })).rejects.toMatchObject({
      code: 'ERR_IPC_TYPE',
    })
    expect(queue.stat().participants).toHaveLength(1)
  })

  test('tells structs apart by their fields', async () => {
    const queue = await createOf(struct({ id: i32, x: i32 }))
    const address = queue.address as 'shm:/x'
    keep(await Queue.open(address, { codec: struct({ id: i32, x: i32 }) }))
    await expect(Queue.open(address, { codec: struct({ id: i32, y: i32 }) })).rejects.toMatchObject({
      code: 'ERR_IPC_TYPE',
    })
  })

  test('does not matter with anyType', async () => {
    const queue = await createOf(json<number>())
    await queue.put(42)
    const bytes = keep(await Queue.open(queue.address as 'shm:/x', { codec: text(), anyType: true }))
    expect(await bytes.get()).toBe('42')
  })

  test('is none when the queue was made with anyType', async () => {
    const queue = await create({ anyType: true })
    expect(queue.stat().type).toBe('')
    keep(await Queue.open(queue.address as 'shm:/x', { codec: json() }))
  })
})

describe('participants', () => {
  test('are as many as the queue allows, and a place is given back with its handle', async () => {
    const queue = await create({ participants: 3 })
    const second = await again(queue)
    const third = await again(queue)
    const refused = { name: 'IpcError', code: 'ERR_IPC_PARTICIPANTS', resource: queue.address }
    await expect(again(queue)).rejects.toMatchObject(refused)
    await second.close()
    const fourth = await again(queue)
    await expect(again(queue)).rejects.toMatchObject(refused)
    await Promise.all([third.close(), fourth.close()])
    expect(queue.stat().participants).toHaveLength(1)
  })

  test('who were killed leave their places', async () => {
    const queue = await create({ participants: 2 })
    for (let round = 0; round < 3; round++) {
      const agent = await Agent.start()
      await agent.open('Queue', 'open', queue.address, { codec: 'text' })
      await expect(again(queue)).rejects.toMatchObject({ code: 'ERR_IPC_PARTICIPANTS' })
      await agent.end()
    }
    await again(queue)
  })

  test('are told with pid, role and leases', async () => {
    const queue = await create()
    await queue.putMany(['a', 'b', 'c'])
    const agent = await Agent.start()
    const there = await agent.open('Queue', 'open', queue.address, { codec: 'text' })
    await agent.call(there, 'lease')
    await agent.call(there, 'lease')
    const [self, other] = queue.stat().participants
    expect(self).toMatchObject({
      pid: process.pid,
      self: true,
      alive: true,
      producer: true,
      consumer: false,
      leases: 0,
    })
    expect(other).toMatchObject({
      pid: agent.pid,
      self: false,
      alive: true,
      producer: false,
      consumer: true,
      leases: 2,
    })
    expect(self?.name).toBe('node')
    expect(Math.abs(Date.now() - Number(other?.since))).toBeLessThan(60_000)
  })
})

describe('priorities', () => {
  test('are as many as were asked for, the highest first', async () => {
    const queue = await create({ priorities: 16 })
    for (let priority = 0; priority < 16; priority++) await queue.put(`${priority}`, { priority })
    for (let priority = 15; priority >= 0; priority--) {
      expect(await queue.receive()).toEqual(delivery(`${priority}`, 1, priority))
    }
    expect(() => queue.tryPut('a', { priority: 16 })).toThrow(
      'Expected an integer from 0 to 15 for `priority`, received 16',
    )
  })

  test('may be one', async () => {
    const queue = await create({ priorities: 1 })
    await queue.put('a', { priority: 0 })
    await expect(queue.put('a', { priority: 1 })).rejects.toThrow(RangeError)
  })

  test('hold for what comes back: it is older than others of its priority only', async () => {
    const queue = await create()
    await queue.put('low')
    await queue.put('mid', { priority: 1 })
    const mid = await queue.lease()
    const low = await queue.lease()
    await queue.put('high', { priority: 2 })
    await queue.put('mid 2', { priority: 1 })
    low.nack()
    mid.nack()
    const order = []
    for (let count = 0; count < 4; count++) order.push(await queue.get())
    expect(order).toEqual(['high', 'mid', 'mid 2', 'low'])
  })
})

describe('capacityBytes', () => {
  test('is what holds putters up when messages are large', async () => {
    const queue = await create({ capacity: 100, maxMessageBytes: 4096, capacityBytes: 8192 })
    const large = 'x'.repeat(4096)
    await queue.putMany([large, large])
    expect(queue.tryPut(large)).toBe(false)
    expect(queue.tryPut('small')).toBe(true)
    const waiting = queue.put(large)
    expect(await isPending(waiting)).toBe(true)
    await (await again(queue)).get()
    await waiting
    expect(queue.stat()).toMatchObject({ depth: 3, freeBytes: 0 })
  })
})

describe('what lies under the name', () => {
  /** Bytes of a file that is a queue. */
  async function copyOfQueue(address: string): Promise<string> {
    const queue = await create({ capacity: 4 })
    await queue.put('a')
    copyFileSync(fileOf(queue), fileOf({ address }))
    chmodSync(fileOf({ address }), 0o600)
    return fileOf({ address })
  }

  const planted: [string, (file: string, address: string) => unknown, string][] = [
    ['a symbolic link to a queue', async (file) => symlinkSync(fileOf(await create()), file), 'link'],
    ['a symbolic link to nothing', (file) => symlinkSync('/nowhere', file), 'link'],
    ['a FIFO', (file) => execFileSync('mkfifo', [file]), 'FIFO'],
    ['a directory', (file) => mkdirSync(file), 'directory'],
    ['a file of 0 bytes', (file) => writeFileSync(file, '', { mode: 0o600 }), 'no queue of ipckit'],
    [
      'another file',
      (file) => writeFileSync(file, Buffer.alloc(100_000, 7), { mode: 0o600 }),
      'no queue of ipckit',
    ],
    [
      'a file of zeros',
      (file) => writeFileSync(file, Buffer.alloc(100_000), { mode: 0o600 }),
      'no queue of ipckit',
    ],
    [
      'a queue that was cut short',
      async (_, address) => truncateSync(await copyOfQueue(address), 100_000),
      'bytes, which is not',
    ],
    [
      'a queue that was made longer',
      async (_, address) => {
        const file = await copyOfQueue(address)
        truncateSync(file, statSync(file).size + 1)
      },
      'bytes, which is not',
    ],
    [
      'a queue that everyone may write to',
      async (_, address) => chmodSync(await copyOfQueue(address), 0o602),
      'anyMode: true',
    ],
  ]

  test.each(planted)('%s is refused, and left alone', async (_, plant, why) => {
    const address = newAddress()
    await plant(fileOf({ address }), address)
    const refused = { name: 'IpcError', code: 'ERR_IPC_REFUSED', message: expect.stringContaining(why) }
    await expect(open(address)).rejects.toMatchObject(refused)
    await expect(Queue.openOrCreate(address, { codec: text() })).rejects.toMatchObject(refused)
    await expect(Queue.create(address, { codec: text() })).rejects.toThrow(ExistsError)
  })

  test('a queue with a second name is refused', async () => {
    const address = newAddress()
    const queue = await create()
    linkSync(fileOf(queue), fileOf({ address }))
    await expect(open(address)).rejects.toMatchObject({ code: 'ERR_IPC_REFUSED' })
  })

  test.skipIf(!mayChangeUser)(
    'a queue of another user is refused, unless anyOwner says otherwise (needs root)',
    async () => {
      const queue = await create({ mode: 0o666, anyMode: true })
      chownSync(fileOf(queue), stranger, stranger)
      const address = queue.address as 'shm:/x'
      const refused = {
        code: 'ERR_IPC_REFUSED',
        message: expect.stringMatching(/user 61234.*anyOwner: true/),
      }
      await expect(open(address, { anyMode: true })).rejects.toMatchObject(refused)
      await expect(open(address, { anyOwner: true })).rejects.toMatchObject({
        message: expect.stringContaining('anyMode: true'),
      })
      const opened = keep(await open(address, { anyOwner: true, anyMode: true }))
      expect(opened.stat().uid).toBe(stranger)
    },
  )

  test.skipIf(!mayChangeUser)('a queue that its mode keeps from a user is EACCES (needs root)', async () => {
    const queue = await create()
    const agent = await Agent.start({ uid: stranger })
    const refused = agent.open('Queue', 'open', queue.address, { codec: 'text' })
    await expect(refused).rejects.toMatchObject({ code: 'EACCES', message: expect.stringContaining('0o600') })
  })

  test('the bytes of a queue with one changed are refused', async () => {
    const address = newAddress()
    const file = await copyOfQueue(address)
    const changed = execFileSync(
      'dd',
      ['if=/dev/urandom', `of=${file}`, 'bs=1', 'count=64', 'seek=16', 'conv=notrunc'],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    )
    expect(changed).toHaveLength(0)
    await expect(open(address)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_IPC_(CORRUPT|REFUSED)$/),
    })
  })
})

describe('a queue that is damaged while it is open', () => {
  test.each([0, 4096, 20_000])(
    'cut to %i bytes is ERR_IPC_CORRUPT in every call, and no crash',
    async (size) => {
      const queue = await create({ capacity: 64 })
      await queue.putMany(['a', 'b'])
      const lease = await queue.lease()
      const waiting = queue.join({ timeoutMs: 10_000 }).catch(({ code }: { code: string }) => code)
      truncateSync(fileOf(queue), size)
      const corrupt = { code: 'ERR_IPC_CORRUPT' }
      // The first pages may be enough for one call or another; all of them are used up soon.
      const failed: unknown[] = []
      for (let count = 0; count < 300; count++) {
        try {
          queue.tryPut(`more ${count}`)
          queue.tryGet()
        } catch (error) {
          failed.push(error)
        }
      }
      expect(failed.length).toBeGreaterThan(200)
      expect(failed).toEqual(failed.map(() => expect.objectContaining(corrupt)))
      expect(() => lease.ack()).toThrow(expect.objectContaining(corrupt))
      expect(() => queue.tryLease()).toThrow(expect.objectContaining(corrupt))
      expect(() => queue.clear()).toThrow(expect.objectContaining(corrupt))
      await expect(queue.get({ timeoutMs: 10_000 })).rejects.toMatchObject(corrupt)
      await expect(queue.put('a')).rejects.toMatchObject(corrupt)
      expect(await waiting).toBe('ERR_IPC_CORRUPT')
      await queue.close()
    },
  )
})

describe('a file that others change while it is open', () => {
  test('a hole is ERR_IPC_CORRUPT for everybody, and no crash', async () => {
    const queue = await create({ capacity: 64 })
    const other = await again(queue)
    await queue.putMany(['a', 'b'])
    execFileSync('fallocate', ['--punch-hole', '--offset', '0', '--length', '16384', fileOf(queue)])
    const corrupt = { code: 'ERR_IPC_CORRUPT' }
    expect(() => queue.tryGet()).toThrow(expect.objectContaining(corrupt))
    await expect(other.get()).rejects.toMatchObject(corrupt)
    await expect(other.put('c')).rejects.toMatchObject(corrupt)
    await expect(open(queue.address as 'shm:/x')).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_IPC_(CORRUPT|REFUSED)$/),
    })
  })

  test('one that grew goes on for those who have it, and is refused to others', async () => {
    const queue = await create()
    const other = await again(queue)
    truncateSync(fileOf(queue), statSync(fileOf(queue)).size * 2)
    await queue.put('a')
    expect(await other.get()).toBe('a')
    await expect(open(queue.address as 'shm:/x')).rejects.toMatchObject({
      code: 'ERR_IPC_REFUSED',
      message: expect.stringContaining('bytes, which is not'),
    })
  })

  test('one that another queue was renamed over is as one removed', async () => {
    const queue = await create()
    const second = await create()
    await queue.put('of the first')
    await second.put('of the second')
    const waiting = queue.join().catch(({ code }: { code: string }) => code)
    renameSync(fileOf(second), fileOf(queue))
    expect(await waiting).toBe('EIDRM')
    expect(queue.tryGet()).toBe('of the first')
    expect(await (await again(queue)).get()).toBe('of the second')
  })
})

describe('a queue that is removed while it is open', () => {
  test('tells everybody who waits, and who calls', async () => {
    const queue = await create()
    const agent = await Agent.start()
    const there = await agent.open('Queue', 'open', queue.address, { codec: 'text' })
    const waits = [
      queue.get(),
      queue.lease({ leaseMs: 9 }),
      agent.call(there, 'get'),
      agent.call(there, 'leaseMany', 2),
    ]
    const ends = waits.map((wait) => wait.catch(({ code }: { code: string }) => code))
    unlink(queue.address.slice('shm:'.length))
    expect(await Promise.all(ends)).toEqual(waits.map(() => 'EIDRM'))
    await expect(queue.get()).rejects.toThrow(RemovedError)
    expect(queue.stat().unlinked).toBe(true)
  })

  test('leaves its messages to who has it, and the name to another queue', async () => {
    const queue = await create()
    await queue.put('old')
    await queue.unlink()
    const next = keep(await Queue.create(queue.address as 'shm:/x', { codec: text() }))
    await next.put('new')
    expect(await queue.get()).toBe('old')
    expect(await next.get()).toBe('new')
    await expect(queue.unlink()).rejects.toMatchObject({ code: 'EIDRM' })
    expect(next.stat()).toMatchObject({ unlinked: false })
  })

  test('is gone when its file was renamed, for who opens it', async () => {
    const queue = await create()
    const address = newAddress()
    renameSync(fileOf(queue), fileOf({ address }))
    await expect(again(queue)).rejects.toThrow(NotFoundError)
    keep(await open(address))
  })
})

describe('list', () => {
  test('has every queue of this machine, and nothing else', async () => {
    const first = await create({ mode: 0o640 })
    const { address } = await createOf(raw())
    const others = [newAddress(), newAddress(), newAddress()].map((each) => fileOf({ address: each }))
    writeFileSync(others[0] as string, Buffer.alloc(8192))
    execFileSync('mkfifo', [others[1] as string])
    symlinkSync(fileOf({ address }), others[2] as string)
    const entries = list().filter((entry) => entry.name.includes(`-${process.pid}-`))
    expect(entries.map((entry) => entry.address)).toEqual([first.address, address].sort())
    expect(entries.find((entry) => entry.address === first.address)).toEqual({
      name: first.address.slice('shm:'.length),
      address: first.address,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
      mode: 0o640,
      sizeBytes: first.stat().sizeBytes,
    })
  })

  test('has no queue that was unlinked', async () => {
    const queue = await create()
    await queue.unlink()
    expect(list().map(({ address }) => address)).not.toContain(queue.address)
  })
})

describe('unlink', () => {
  test('removes a name, once', async () => {
    const queue = await create()
    const name = queue.address.slice('shm:'.length)
    unlink(name)
    expect(isThere(queue)).toBe(false)
    expect(() => unlink(name)).toThrow(NotFoundError)
  })

  test.each(['', 'x', '/', '/a/b', 5])('of %j is refused', (name) => {
    expect(() => unlink(name as string)).toThrow(/^Expected/)
  })
})
