/**
 * shmget(2), shmat(2), shmdt(2), shmctl(2): the tests of the Linux Test Project (kernel/syscalls/ipc/shm*).
 *
 * | there | why not here |
 * |---|---|
 * | shmat01 addresses, shmat02 EINVAL of an address, SHM_REMAP | the address is the kernel's choice |
 * | shmat04 | a bug of the kernel with SHM_REMAP |
 * | shmctl02 EFAULT, shmctl01 to 04 and 07's commands without a name | pointers and commands are not asked for |
 * | shmdt01, shmdt02 EINVAL of an address | close() knows what it attached |
 * | shmget05, 06 next_id | a setting of the kernel, which the test of ids here uses |
 * | hugeshm* | SHM_HUGETLB cannot be asked for |
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { f64, i32, i64, offsetOf, snapshot, struct } from 'ipckit'
import { ftok, SharedMemory } from 'ipckit/sysv'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger, withoutPrivileges } from '../helpers/agent.ts'
import { canChooseIds, changeSetting, chooseNextId, ownNamespace } from '../helpers/kernel.ts'
import { newKey } from '../helpers/names.ts'
import { withUmask } from '../helpers/umask.ts'
import { Memories } from './memories.ts'

const memories = new Memories()
endAgents()

const hello = Buffer.from('hello')
const notFound = expect.objectContaining({ name: 'NotFoundError', code: 'ENOENT' })
const quote = struct({ id: i32, px: f64, count: i64 })
const idOf = (memory: SharedMemory) => ({ id: memory.stat().id })

describe('shmget', () => {
  test('shmget01: another process that uses the key has the same memory', async () => {
    const key = newKey()
    const memory = memories.create({}, key)
    memory.write(9, hello)
    const agent = await Agent.start()
    const theirs = (await agent.call('sysv.SharedMemory', 'open', key)) as number
    expect(await agent.call(theirs, 'read', 9, 5)).toEqual(hello)
    await agent.call(theirs, 'write', 0, Buffer.from('!'))
    expect(memory.buffer[0]).toBe(33)
    expect(memory.address).toBe(`sysv:0x${key.toString(16)}`)
  })

  test('shmget01: a private segment is found by its id', () => {
    const memory = memories.create()
    memory.write(0, hello)
    expect(memories.open(idOf(memory)).read(0, 5)).toEqual(hello)
    expect(memory.address).toBe(`sysv:id=${memory.stat().id}`)
  })

  test('a segment is found by the file that its key is made of', () => {
    const path = fileURLToPath(import.meta.url)
    const memory = memories.create({}, { path, project: 77 })
    expect(memory.stat().key).toBe(ftok(path, 77))
    expect(memories.open({ path, project: 77 }).stat().id).toBe(memory.stat().id)
  })

  test('shmget02 ENOENT, EEXIST, EINVAL: what is not there, there already, or smaller', () => {
    const key = newKey()
    expect(() => SharedMemory.open(key)).toThrow(notFound)
    const memory = memories.create({ sizeBytes: 10 }, key)
    expect(() => SharedMemory.create(key, { sizeBytes: 10 })).toThrow(
      expect.objectContaining({ name: 'ExistsError', code: 'EEXIST' }),
    )
    expect(() => SharedMemory.openOrCreate(key, { sizeBytes: 11 })).toThrow(
      expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining('fewer bytes than 11') }),
    )
    expect(memories.keep(SharedMemory.openOrCreate(key, { sizeBytes: 1 })).sizeBytes).toBe(10)
    expect(memory.sizeBytes).toBe(10)
  })

  test.runIf(ownNamespace)('shmget02 EINVAL: a size over kernel.shmmax', () => {
    changeSetting('kernel/shmmax', 8192)
    expect(() => SharedMemory.create('private', { sizeBytes: 8193 })).toThrow(
      expect.objectContaining({
        code: 'EINVAL',
        message: expect.stringContaining('sysctl -w kernel.shmmax=8193'),
      }),
    )
    expect(SharedMemory.limits().segmentBytes).toBe(8192)
    expect(memories.create({ sizeBytes: 8192 }).sizeBytes).toBe(8192)
  })

  test.runIf(ownNamespace)('shmget03 ENOSPC: more segments than kernel.shmmni', () => {
    const { segments } = SharedMemory.usage()
    changeSetting('kernel/shmmni', segments + 1)
    memories.create()
    expect(() => SharedMemory.create('private', { sizeBytes: 1 })).toThrow(
      expect.objectContaining({ code: 'ENOSPC', message: expect.stringContaining('kernel/shmmni') }),
    )
  })

  test('ENOMEM or EINVAL: a size that no machine has', () => {
    expect(() => SharedMemory.create('private', { sizeBytes: 2 ** 53 - 1 })).toThrow(
      expect.objectContaining({ code: 'ENOMEM', message: expect.stringContaining('vm.overcommit_memory') }),
    )
  })

  test('shmget04 EACCES: a segment whose mode does not allow it', async () => {
    const key = newKey()
    memories.create({ mode: 0o000 }, key)
    const agent = await Agent.start(withoutPrivileges)
    await expect(agent.call('sysv.SharedMemory', 'open', key)).rejects.toMatchObject({ code: 'EACCES' })
    await expect(agent.call('sysv.SharedMemory', 'open', key, { readonly: true })).rejects.toMatchObject({
      code: 'EACCES',
      message: expect.stringContaining('widen the mode'),
    })
  })

  test.each([0o600, 0o666, 0o640])('the mode is %o, whatever the umask', (mode) => {
    withUmask(0o077, () => expect(memories.create({ mode }).stat().mode).toBe(mode))
  })

  test.each([1, 4096, 4097, 1_000_000])('a size of %d bytes is exact', (sizeBytes) => {
    const memory = memories.create({ sizeBytes })
    expect([memory.sizeBytes, memory.stat().sizeBytes, memory.buffer.length]).toEqual(
      Array(3).fill(sizeBytes),
    )
    memory.buffer[sizeBytes - 1] = 7
    expect(memories.open(idOf(memory)).read(sizeBytes - 1)).toEqual(Buffer.from([7]))
  })

  test('a size of 2^31 bytes works behind the 32-bit boundary', () => {
    const memory = memories.create({ sizeBytes: 2 ** 31 + 16 })
    memory.write(2 ** 31 + 3, hello)
    memory.atomic(i64, 2 ** 31 + 8).add(-5n)
    const other = memories.open(idOf(memory))
    expect(other.read(2 ** 31 + 3, 5)).toEqual(hello)
    expect(other.atomic(i64, 2 ** 31 + 8).load()).toBe(-5n)
  })

  test.each([0, -1, 1.5, 2 ** 53, Number.NaN])('a size of %d is refused', (sizeBytes) => {
    expect(() => SharedMemory.create('private', { sizeBytes })).toThrow(RangeError)
  })

  test.each([0, 2 ** 32, 1.5, '0x1234', undefined, {}, { id: -1 }, { id: '5' }, { path: 5 }, 'private'])(
    'the name %j is refused',
    (name) => {
      expect(() => SharedMemory.open(name as never)).toThrow(/Expected/)
    },
  )
})

describe('shmat', () => {
  test('shmat01: a segment that is attached with readonly is read, and not written', async () => {
    const memory = memories.create({ mode: 0o444 })
    memory.write(0, hello)
    const agent = await Agent.start(withoutPrivileges)
    await expect(agent.call('sysv.SharedMemory', 'open', idOf(memory))).rejects.toMatchObject({
      code: 'EACCES',
      syscall: 'shmat',
    })
    const theirs = (await agent.call('sysv.SharedMemory', 'open', idOf(memory), { readonly: true })) as number
    expect(await agent.call(theirs, 'read', 0, 5)).toEqual(hello)
    await expect(agent.call(theirs, 'write', 0, hello)).rejects.toMatchObject({ code: 'EACCES' })
    const mine = memories.open(idOf(memory), { readonly: true })
    expect(() => mine.buffer).toThrow(expect.objectContaining({ code: 'ERR_IPC_UNSUPPORTED' }))
    expect(() => mine.atomic(i32).add(1)).toThrow(expect.objectContaining({ code: 'EACCES' }))
    expect(mine.atomic(i32).load()).toBe(hello.readInt32LE())
  })

  test('shmat02 EINVAL: an id of nothing', () => {
    const memory = memories.create()
    const id = idOf(memory)
    memory.unlink()
    memory.close()
    expect(() => SharedMemory.open(id)).toThrow(notFound)
    expect(() => SharedMemory.open({ id: 2 ** 31 - 1 })).toThrow(notFound)
  })

  test('shmat03: who is attached twice sees one memory at two places', () => {
    const memory = memories.create()
    const other = memories.open(idOf(memory))
    const one = memory.view(quote)
    const two = other.view(quote)
    one.px = 2.5
    two.count = 7n
    expect(snapshot(one)).toEqual({ id: 0, px: 2.5, count: 7n })
    expect(snapshot(two)).toEqual(snapshot(one))
    expect(memory.stat().attached).toBe(2)
  })
})

describe('shmdt', () => {
  test('shmdt01: after close() the segment is attached once less, also while views are left', () => {
    const memory = memories.create()
    const other = memories.open(idOf(memory))
    const { buffer } = other
    const view = other.view(quote)
    view.px = 2.5
    other.close()
    expect(memory.stat().attached).toBe(1)
    expect([buffer[8], view.px]).toEqual([0, 0])
    view.px = 9
    buffer.fill(1)
    expect(memory.readStruct(quote).px).toBe(2.5)
    expect(memory.stat().lastDetachTime).toBeInstanceOf(Date)
  })

  test('a process that is killed is attached no more', async () => {
    const memory = memories.create()
    const agent = await Agent.start()
    await agent.call('sysv.SharedMemory', 'open', idOf(memory))
    expect(memory.stat()).toMatchObject({ attached: 2, lastUser: agent.pid, creator: process.pid })
    await agent.end()
    expect(memory.stat().attached).toBe(1)
  })
})

describe('shmctl', () => {
  test('shmctl01 IPC_STAT: everything that is known', () => {
    // The kernel counts whole seconds, and may be a tick behind the clock.
    const begin = Math.floor(Date.now() / 1000) * 1000 - 1000
    const key = newKey()
    const memory = memories.create({ sizeBytes: 5000, mode: 0o640 }, key)
    const stat = memory.stat()
    const [uid, gid] = [process.getuid?.(), process.getgid?.()]
    expect(stat).toEqual({
      id: expect.any(Number),
      key,
      sizeBytes: 5000,
      uid,
      gid,
      creatorUid: uid,
      creatorGid: gid,
      mode: 0o640,
      unlinked: false,
      locked: false,
      creator: process.pid,
      lastUser: process.pid,
      attached: 1,
      lastAttachTime: expect.any(Date),
      lastDetachTime: undefined,
      lastChangeTime: expect.any(Date),
    })
    expect(stat.lastChangeTime.getTime()).toBeGreaterThanOrEqual(begin)
  })

  test('shmctl01 IPC_SET: owner and mode', () => {
    const memory = memories.create()
    memory.set({ mode: 0o666 })
    expect(memory.stat()).toMatchObject({ mode: 0o666, uid: process.getuid?.() })
    if (mayChangeUser) {
      memory.set({ uid: stranger, gid: stranger })
      expect(memory.stat()).toMatchObject({ mode: 0o666, uid: stranger, gid: stranger, creatorUid: 0 })
    }
  })

  test.runIf(mayChangeUser)('shmctl02, 04 EPERM: what belongs to others is not changed', async () => {
    const memory = memories.create({ mode: 0o666 })
    const agent = await Agent.start({ uid: stranger })
    const theirs = (await agent.call('sysv.SharedMemory', 'open', idOf(memory))) as number
    for (const [method, ...args] of [['set', { mode: 0o777 }], ['unlink'], ['unlock']] as const) {
      await expect(agent.call(theirs, method, ...args)).rejects.toMatchObject({ code: 'EPERM' })
    }
    expect(memory.stat()).toMatchObject({ mode: 0o666, unlinked: false })
  })

  test('shmctl01 IPC_RMID: the key leads nowhere, and who is attached keeps the memory', async () => {
    const key = newKey()
    const memory = memories.create({}, key)
    const agent = await Agent.start()
    const theirs = (await agent.call('sysv.SharedMemory', 'open', key)) as number
    memory.unlink()
    expect(() => SharedMemory.open(key)).toThrow(notFound)
    expect(memory.stat()).toMatchObject({ unlinked: true, key: 0, attached: 2 })
    memory.write(0, hello)
    expect(await agent.call(theirs, 'read', 0, 5)).toEqual(hello)
    const { id } = memory.stat()
    memory.close()
    await agent.end()
    expect(SharedMemory.list().map((each) => each.id)).not.toContain(id)
  })

  test('the key of a removed segment leads to a new one, and each keeps to its own', () => {
    const key = newKey()
    const old = memories.create({}, key)
    old.unlink()
    const fresh = memories.create({}, key)
    fresh.write(0, hello)
    expect(old.read(0, 5)).toEqual(Buffer.alloc(5))
    old.unlink()
    expect(memories.open(key).stat().id).toBe(fresh.stat().id)
  })

  test('shmctl01 SHM_LOCK, SHM_UNLOCK: its pages are kept in memory', () => {
    const memory = memories.create()
    memory.lock()
    expect(memory.stat().locked).toBe(true)
    memory.unlock()
    expect(memory.stat().locked).toBe(false)
  })

  test('shmctl03 IPC_INFO, shmctl01 SHM_INFO: limits and what is used of them', () => {
    const read = (name: string) => Number(readFileSync(`/proc/sys/kernel/${name}`, 'utf8'))
    const finite = (value: number) => (value > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : value)
    expect(SharedMemory.limits()).toEqual({
      segmentBytes: finite(read('shmmax')),
      totalBytes: finite(read('shmall') * 4096),
      segments: read('shmmni'),
    })
    const before = SharedMemory.usage()
    memories.create({ sizeBytes: 4097 }).buffer.fill(1)
    const after = SharedMemory.usage()
    expect(after.segments - before.segments).toBe(1)
    expect(after.bytes - before.bytes).toBe(8192)
    expect(after.residentBytes - before.residentBytes).toBe(8192)
  })

  test('all segments are listed', () => {
    const key = newKey()
    const one = memories.create({ sizeBytes: 77, mode: 0o640 }, key)
    const other = memories.create()
    const listed = SharedMemory.list()
    expect(listed.find(({ id }) => id === one.stat().id)).toEqual({
      id: one.stat().id,
      key,
      address: `sysv:0x${key.toString(16)}`,
      sizeBytes: 77,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
      mode: 0o640,
      creator: process.pid,
      lastUser: process.pid,
      attached: 1,
    })
    expect(listed.map(({ address }) => address)).toContain(`sysv:id=${other.stat().id}`)
  })
})

describe('an id', () => {
  test.runIf(canChooseIds('shm'))(
    'is not given to another segment while it is attached, though it was removed',
    () => {
      const memory = memories.create()
      const { id } = memory.stat()
      memory.unlink()
      chooseNextId('shm', id)
      const other = memories.create()
      expect(other.stat().id).not.toBe(id)
      memory.write(0, hello)
      expect(other.read(0, 5)).toEqual(Buffer.alloc(5))
      expect(memory.stat().id).toBe(id)
    },
  )

  test.runIf(canChooseIds('shm'))('that comes round again does nothing to a handle that was closed', () => {
    const memory = memories.create()
    const { id } = memory.stat()
    const { buffer } = memory
    memory.unlink()
    memory.close()
    chooseNextId('shm', id)
    const other = memories.create()
    expect(other.stat().id).toBe(id)
    other.write(0, hello)
    expect(buffer[0]).toBe(0)
    expect(() => memory.unlink()).toThrow(expect.objectContaining({ code: 'ERR_IPC_CLOSED' }))
    expect(() => memory.stat()).toThrow(expect.objectContaining({ name: 'ClosedError' }))
    expect(other.stat().unlinked).toBe(false)
  })
})

test('an atomic word of a struct field counts exactly in several processes', async () => {
  const memory = memories.create()
  const script = `
    import { i64 } from 'ipckit'
    import { SharedMemory } from 'ipckit/sysv'
    const word = SharedMemory.open({ id: Number(process.argv[1]) }).atomic(i64, Number(process.argv[2]))
    for (let turn = 0; turn < 50_000; turn++) word.add(-1n)
  `
  const at = offsetOf(quote, 'count')
  const args = ['--input-type=module', '--eval', script, String(memory.stat().id), String(at)]
  const ends = Array.from({ length: 3 }, () => {
    const child = spawn(process.execPath, args, { stdio: 'inherit' })
    return new Promise((resolve) => child.once('exit', resolve))
  })
  expect(await Promise.all(ends)).toEqual([0, 0, 0])
  expect(memory.view(quote).count).toBe(-150_000n)
})
