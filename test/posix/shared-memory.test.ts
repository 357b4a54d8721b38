/**
 * shm_open(3) and shm_unlink(3): the assertions of the Open POSIX Test Suite (conformance/interfaces/shm_open,
 * shm_unlink).
 *
 * | there | why not here |
 * |---|---|
 * | shm_open/2 to 4, 6, 7, 9, 10, 12, 19, 24, 27 | say what is undefined, or what a flag means that cannot be asked for |
 * | shm_open/8, 30 | the lowest free descriptor is the kernel's |
 * | shm_open/25, 26 | O_TRUNC is never asked for: it would take the memory away from those who use it |
 * | shm_open/36 | Linux never interrupts shm_open |
 * | shm_open/40 | ENFILE is a limit of the whole machine |
 */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { array, struct, u32 } from 'ipckit'
import { SharedMemory } from 'ipckit/posix'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger, withoutPrivileges } from '../helpers/agent.ts'
import { descriptors } from '../helpers/counts.ts'
import { withUmask } from '../helpers/umask.ts'
import { fileOf, Memories } from './memories.ts'

const memories = new Memories()
endAgents()

const notFound = expect.objectContaining({ name: 'NotFoundError', code: 'ENOENT' })
const hello = Buffer.from('hello')

describe('shm_open', () => {
  test('shm_open/1-1: another process that opens the name has the same memory', async () => {
    const memory = memories.create()
    memory.write(100, hello)
    const agent = await Agent.start()
    const theirs = await agent.call('posix.SharedMemory', 'open', memory.name)
    expect(await agent.call(theirs as number, 'read', 100, 5)).toEqual(hello)
    await agent.call(theirs as number, 'write', 4095, Buffer.from('!'))
    expect(memory.buffer[4095]).toBe(33)
  })

  test.each(['name', '', '/', '//', '/a/b', '/a/', '/.', '/..', '/a\0b', './a'])(
    'shm_open/37-1: the name %j is refused',
    (name) => {
      expect(() => SharedMemory.open(name)).toThrow(/Expected a slash followed by 1 to 255 bytes/)
      expect(() => SharedMemory.create(name, { sizeBytes: 1 })).toThrow(RangeError)
      expect(() => SharedMemory.openOrCreate(name, { sizeBytes: 1 })).toThrow(RangeError)
      expect(() => SharedMemory.unlink(name)).toThrow(RangeError)
    },
  )

  test.each([undefined, null, 5, {}, Buffer.from('/a')])('a name that is no string is refused', (name) => {
    expect(() => SharedMemory.open(name as never)).toThrow(TypeError)
    expect(() => SharedMemory.unlink(name as never)).toThrow(TypeError)
  })

  test('shm_open/5-1, 41-1: open fails when there is no such memory, and says so', () => {
    expect(() => SharedMemory.open(memories.name())).toThrow(notFound)
  })

  test('shm_open/11-1: the descriptor is not inherited', () => {
    const memory = memories.create()
    const held = execFileSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' })
    expect(held).not.toContain(memory.name)
  })

  test('shm_open/13-1, 14-1: a handle with readonly reads, needs no permission to write, and does not write', async () => {
    const memory = memories.create({ mode: 0o444 })
    memory.write(0, hello)
    const agent = await Agent.start(withoutPrivileges)
    await expect(agent.call('posix.SharedMemory', 'open', memory.name)).rejects.toMatchObject({
      code: 'EACCES',
      message: expect.stringContaining('`readonly`'),
    })
    const theirs = (await agent.call('posix.SharedMemory', 'open', memory.name, { readonly: true })) as number
    expect(await agent.call(theirs, 'read', 0, 5)).toEqual(hello)
    await expect(agent.call(theirs, 'write', 0, hello)).rejects.toMatchObject({ code: 'EACCES' })
  })

  test('shm_open/15-1, 16-1, 17-1: the memory belongs to the effective user and group', () => {
    const { uid, gid } = memories.create().stat()
    expect({ uid, gid }).toEqual({ uid: process.geteuid?.(), gid: process.getegid?.() })
  })

  test.each([0o600, 0o666, 0o777, 0o000, 0o421])(
    'shm_open/18-1: the mode is %o, whatever the umask',
    (mode) => {
      const name = memories.name()
      withUmask(0o077, () => memories.create({ mode }, name))
      expect(statSync(fileOf(name)).mode & 0o777).toBe(mode)
    },
  )

  test('the mode is 0600 when nobody says', () => {
    withUmask(0, () => expect(memories.create().stat().mode).toBe(0o600))
  })

  test('shm_open/20-1: opening does not change what is there', () => {
    const memory = memories.create({ sizeBytes: 5 })
    memory.write(0, hello)
    const again = memories.keep(SharedMemory.openOrCreate(memory.name, { sizeBytes: 1, mode: 0o666 }))
    expect(again.read()).toEqual(hello)
    expect(again.stat()).toMatchObject({ mode: 0o600, sizeBytes: 5 })
  })

  test('shm_open/21-1: new memory has the size that was asked for, and is all zeros', () => {
    const memory = memories.create({ sizeBytes: 10_000 })
    expect(memory.sizeBytes).toBe(10_000)
    expect(memory.read()).toEqual(Buffer.alloc(10_000))
  })

  test('shm_open/22-1, 35-1: create fails when there is one of that name', () => {
    const memory = memories.create()
    expect(() => SharedMemory.create(memory.name, { sizeBytes: 1 })).toThrow(
      expect.objectContaining({ name: 'ExistsError', code: 'EEXIST' }),
    )
    expect(memory.stat().sizeBytes).toBe(4096)
  })

  test('shm_open/23-1: of many that create at the same time one succeeds, and openOrCreate leads all to it', async () => {
    const name = memories.name()
    const agents = await Promise.all(Array.from({ length: 4 }, () => Agent.start()))
    const created = await Promise.allSettled(
      agents.map((agent) => agent.call('posix.SharedMemory', 'create', name, { sizeBytes: 64 })),
    )
    expect(created.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const other = memories.name()
    const handles = await Promise.all(
      agents.map((agent) => agent.call('posix.SharedMemory', 'openOrCreate', other, { sizeBytes: 64 })),
    )
    for (const [at, agent] of agents.entries()) {
      await agent.call(handles[at] as number, 'write', at, Buffer.from([at + 1]))
    }
    expect(memories.open(other).read(0, 4)).toEqual(Buffer.from([1, 2, 3, 4]))
  })

  test('shm_open/28-1: the memory stays when everybody has closed it, until it is unlinked', () => {
    const memory = memories.create()
    memory.write(0, hello)
    memory.close()
    expect(memories.open(memory.name).read(0, 5)).toEqual(hello)
    SharedMemory.unlink(memory.name)
    expect(() => SharedMemory.open(memory.name)).toThrow(notFound)
  })

  test.runIf(mayChangeUser)(
    'shm_open/32-1, 34-1: another user has no access to memory of mode 0600',
    async () => {
      const memory = memories.create()
      const agent = await Agent.start({ uid: stranger })
      await expect(
        agent.call('posix.SharedMemory', 'open', memory.name, { owner: 'anyone' }),
      ).rejects.toMatchObject({ code: 'EACCES' })
      await expect(agent.call('posix.SharedMemory', 'unlink', memory.name)).rejects.toMatchObject({
        message: expect.stringContaining('only its owner'),
      })
    },
  )

  test('shm_open/38-1: a process without descriptors gets EMFILE, and the command that raises the limit', async () => {
    const name = memories.name()
    const agent = await Agent.start({ through: ['prlimit', '--nofile=64'] })
    const failures: unknown[] = []
    for (let at = 0; at < 70 && failures.length === 0; at++) {
      await agent
        .call('posix.SharedMemory', 'openOrCreate', name, { sizeBytes: 1 })
        .catch((reason) => failures.push(reason))
    }
    expect(failures).toMatchObject([{ code: 'EMFILE', message: expect.stringContaining('ulimit -n') }])
  })

  test('shm_open/39-1: a name of 255 bytes is taken, one of 256 is refused', () => {
    const prefix = memories.name()
    const longest = prefix.padEnd(256, 'x')
    expect(memories.create({}, longest).name).toBe(longest)
    expect(() => SharedMemory.create(`${longest}x`, { sizeBytes: 1 })).toThrow(/a name of 256 bytes/)
  })

  test('shm_open/42-1: a size that /dev/shm has no room for is ENOSPC, and leaves nothing', () => {
    const script = `
      import { SharedMemory } from 'ipckit/posix'
      import { readdirSync } from 'node:fs'
      const full = SharedMemory.create('/most', { sizeBytes: 900 * 1024 })
      for (const how of ['create', 'openOrCreate']) {
        try { SharedMemory[how]('/more', { sizeBytes: 200 * 1024 }) } catch ({ code, message }) { console.log(code, message) }
      }
      full.buffer.fill(1)
      SharedMemory.create('/rest', { sizeBytes: 100 * 1024 }).buffer.fill(2)
      console.log(readdirSync('/dev/shm').join())
    `
    const mount = 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"'
    const { stdout, stderr } = spawnSync(
      'unshare',
      [
        ...['--mount', ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'])],
        ...['sh', '-c', mount, 'sh', process.execPath, '--input-type=module', '--eval', script],
      ],
      { encoding: 'utf8' },
    )
    const line =
      /^ENOSPC Cannot create the shared memory \/more .*it would take 204800 bytes, and \/dev\/shm has 126976 of 1048576 left/
    const [one, two, left] = stdout.split('\n')
    expect(one, stderr).toMatch(line)
    expect(two).toMatch(line)
    expect(left).toBe('most,rest')
  })
})

describe('sizes', () => {
  test.each([1, 4095, 4096, 4097, 1_000_000])(
    'of %d bytes are exact, and the last byte is there for all',
    (sizeBytes) => {
      const memory = memories.create({ sizeBytes })
      const other = memories.open(memory.name)
      other.buffer[sizeBytes - 1] = 7
      expect(memory.read(sizeBytes - 1)).toEqual(Buffer.from([7]))
      expect([memory.buffer.length, other.sizeBytes]).toEqual([sizeBytes, sizeBytes])
      expect(() => memory.read(sizeBytes, 1)).toThrow(RangeError)
      expect(memory.read(sizeBytes)).toEqual(Buffer.alloc(0))
    },
  )

  test('of 2^31 bytes work behind the 32-bit boundary', () => {
    const memory = memories.create({ sizeBytes: 2 ** 31 + 8 })
    memory.write(2 ** 31 + 3, hello)
    memory.atomic(u32, 2 ** 31 - 4).add(5)
    expect(memories.open(memory.name, { readonly: true }).read(2 ** 31 + 3)).toEqual(hello)
    expect(memory.buffer.readUInt32LE(2 ** 31 - 4)).toBe(5)
    memory.view(struct({ at: u32 }), 2 ** 31).at = 9
    expect(memory.view(array(u32, 2), 2 ** 31).get(0)).toBe(9)
  })

  test.each([0, -1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])('of %d are refused', (sizeBytes) => {
    expect(() => SharedMemory.create(memories.name(), { sizeBytes })).toThrow(RangeError)
    expect(() => SharedMemory.openOrCreate(memories.name(), { sizeBytes })).toThrow(RangeError)
  })

  test.each([undefined, null, '1', 1n])('that are no number are refused', (sizeBytes) => {
    expect(() => SharedMemory.create(memories.name(), { sizeBytes } as never)).toThrow(
      /Expected an integer from 1 to 9007199254740991 for `sizeBytes`/,
    )
  })

  test('beyond the memory of the machine are ENOMEM, before anything is taken', () => {
    const name = memories.name()
    expect(() => SharedMemory.create(name, { sizeBytes: 2 ** 53 - 1 })).toThrow(
      expect.objectContaining({
        code: 'ENOMEM',
        message: expect.stringContaining('bytes of memory are free'),
      }),
    )
    expect(() => SharedMemory.open(name)).toThrow(notFound)
  })

  test('of an existing memory that are less than openOrCreate asks for are EINVAL', () => {
    const memory = memories.create({ sizeBytes: 10 })
    expect(() => SharedMemory.openOrCreate(memory.name, { sizeBytes: 11 })).toThrow(
      expect.objectContaining({
        code: 'EINVAL',
        message: expect.stringContaining('it has 10 bytes, and 11'),
      }),
    )
  })

  test('of nothing, as a maker leaves it that was killed half-way, are EINVAL and say why', () => {
    const name = memories.name()
    writeFileSync(fileOf(name), '', { mode: 0o600 })
    for (const open of [
      () => SharedMemory.open(name),
      () => SharedMemory.openOrCreate(name, { sizeBytes: 1 }),
    ]) {
      expect(open).toThrow(
        expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining('no size yet') }),
      )
    }
  })
})

describe('what somebody has planted under a name', () => {
  const unsafe = (why: RegExp) =>
    expect.objectContaining({ code: 'ERR_IPC_UNSAFE', message: expect.stringMatching(why) })
  const openings = (name: string) => [
    () => SharedMemory.open(name),
    () => SharedMemory.open(name, { readonly: true }),
    () => SharedMemory.openOrCreate(name, { sizeBytes: 1 }),
  ]
  const exists = expect.objectContaining({ code: 'EEXIST' })

  test('a FIFO is refused at once', () => {
    const name = memories.name()
    execFileSync('mkfifo', [fileOf(name)])
    const before = descriptors()
    for (const open of openings(name)) expect(open).toThrow(unsafe(/FIFO/))
    expect(() => SharedMemory.create(name, { sizeBytes: 1 })).toThrow(exists)
    expect(descriptors()).toBe(before)
  })

  test('a symbolic link is refused, and what it leads to is not touched', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ipckit-shm-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const victim = join(folder, 'victim')
    writeFileSync(victim, 'precious')
    const name = memories.name()
    symlinkSync(victim, fileOf(name))
    for (const open of openings(name)) expect(open).toThrow(unsafe(/symbolic link/))
    expect(() => SharedMemory.create(name, { sizeBytes: 1 })).toThrow(exists)
    expect(readFileSync(victim, 'utf8')).toBe('precious')
    SharedMemory.unlink(name)
    expect(readFileSync(victim, 'utf8')).toBe('precious')
    const dangling = memories.name()
    symlinkSync(join(folder, 'nothing'), fileOf(dangling))
    expect(() => SharedMemory.openOrCreate(dangling, { sizeBytes: 1 })).toThrow(unsafe(/symbolic link/))
  })

  test('a folder is refused', () => {
    const name = memories.name()
    mkdirSync(fileOf(name))
    onTestFinished(() => rmdirSync(fileOf(name)))
    for (const open of openings(name)) expect(open).toThrow(unsafe(/folder/))
    expect(() => SharedMemory.create(name, { sizeBytes: 1 })).toThrow(exists)
  })

  test('a socket is refused', async () => {
    const name = memories.name()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(fileOf(name), resolve))
    for (const open of openings(name)) expect(open).toThrow(unsafe(/socket/))
    await new Promise((resolve) => server.close(resolve))
  })

  test('a file with a second name is refused', () => {
    const memory = memories.create()
    const second = memories.name()
    linkSync(fileOf(memory.name), fileOf(second))
    for (const open of openings(second)) expect(open).toThrow(unsafe(/2 names/))
  })

  test.runIf(mayChangeUser)(
    "memory of another user is refused, unless it is the owner's that was named",
    async () => {
      const name = memories.name()
      const agent = await Agent.start({ uid: stranger })
      await agent.call('posix.SharedMemory', 'create', name, { sizeBytes: 8, mode: 0o666 })
      for (const open of openings(name)) expect(open).toThrow(unsafe(/belongs to the user with uid 61234/))
      expect(() => SharedMemory.open(name, { owner: 1 })).toThrow(unsafe(/owner: 61234/))
      expect(memories.open(name, { owner: stranger }).sizeBytes).toBe(8)
      expect(memories.open(name, { owner: 'anyone' }).sizeBytes).toBe(8)
      expect(
        memories.keep(SharedMemory.openOrCreate(name, { sizeBytes: 8, owner: stranger })).sizeBytes,
      ).toBe(8)
    },
  )

  test.runIf(mayChangeUser)("root's memory is taken by other users", async () => {
    const memory = memories.create({ mode: 0o644 })
    const agent = await Agent.start({ uid: stranger })
    const theirs = await agent.call('posix.SharedMemory', 'open', memory.name, { readonly: true })
    expect(await agent.call(theirs as number, 'read', 0, 2)).toEqual(Buffer.alloc(2))
  })

  test('owner is a uid or anyone', () => {
    expect(() => SharedMemory.open('/x', { owner: 'root' as never })).toThrow(TypeError)
    expect(() => SharedMemory.open('/x', { owner: -1 })).toThrow(RangeError)
  })
})

describe('shm_unlink', () => {
  test('shm_unlink/1-1, 2-1, 6-1: the name is gone at once', () => {
    const memory = memories.create()
    memory.unlink()
    expect(() => SharedMemory.open(memory.name)).toThrow(notFound)
    expect(memory.stat().unlinked).toBe(true)
  })

  test('shm_unlink/3-1: the contents live while somebody has them mapped', async () => {
    const memory = memories.create()
    const agent = await Agent.start()
    const theirs = (await agent.call('posix.SharedMemory', 'open', memory.name)) as number
    memory.unlink()
    memory.write(0, hello)
    expect(await agent.call(theirs, 'read', 0, 5)).toEqual(hello)
  })

  test('shm_unlink/4-1, 5-1: the name may be used again, for another memory', () => {
    const memory = memories.create()
    memory.write(0, hello)
    memory.unlink()
    const fresh = memories.create({}, memory.name)
    expect(fresh.read(0, 5)).toEqual(Buffer.alloc(5))
    expect(() => memory.unlink()).toThrow(notFound)
    expect(fresh.stat().unlinked).toBe(false)
  })

  test.runIf(mayChangeUser)(
    'shm_unlink/8-1, 9-1: of another user it fails, and nothing is changed',
    async () => {
      const memory = memories.create({ mode: 0o666 })
      const agent = await Agent.start({ uid: stranger })
      await expect(agent.call('posix.SharedMemory', 'unlink', memory.name)).rejects.toMatchObject({
        message: expect.stringContaining('only its owner and root'),
      })
      expect(memories.open(memory.name).stat().unlinked).toBe(false)
    },
  )

  test('shm_unlink/10-1: a name that is too long is refused', () => {
    expect(() => SharedMemory.unlink(`/${'x'.repeat(256)}`)).toThrow(/a name of 256 bytes/)
  })

  test('shm_unlink/11-1: without such a memory it fails', () => {
    expect(() => SharedMemory.unlink(memories.name())).toThrow(notFound)
  })
})

describe('stat, set and list', () => {
  test('set changes the mode of what others open, and stat tells', () => {
    const memory = memories.create()
    memory.set({ mode: 0o640 })
    expect(memories.open(memory.name).stat()).toEqual({
      sizeBytes: 4096,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
      mode: 0o640,
      unlinked: false,
    })
  })

  test.runIf(mayChangeUser)('set gives the memory away', () => {
    const memory = memories.create()
    memory.set({ uid: stranger, gid: stranger })
    expect(memory.stat()).toMatchObject({ uid: stranger, gid: stranger, mode: 0o600 })
  })

  test.runIf(mayChangeUser)('set by a user who does not own it is EPERM', async () => {
    const memory = memories.create({ mode: 0o666 })
    const agent = await Agent.start({ uid: stranger })
    const theirs = (await agent.call('posix.SharedMemory', 'open', memory.name)) as number
    await expect(agent.call(theirs, 'set', { mode: 0o777 })).rejects.toMatchObject({ code: 'EPERM' })
  })

  test.each([{ mode: 0o1000 }, { uid: -1 }, { gid: 2 ** 32 }])('set refuses %j', (changes) => {
    expect(() => memories.create().set(changes)).toThrow(RangeError)
  })

  test('list shows memory and nothing else', () => {
    const memory = memories.create({ sizeBytes: 77, mode: 0o640 })
    const fifo = memories.name()
    execFileSync('mkfifo', [fileOf(fifo)])
    const semaphore = fileOf(`/sem.${memory.name.slice(1)}`)
    closeSync(openSync(semaphore, 'w'))
    onTestFinished(() => rmSync(semaphore))
    const names = SharedMemory.list().map(({ name }) => name)
    expect(names).toContain(memory.name)
    expect(names).not.toContain(fifo)
    expect(names.some((name) => name.startsWith('/sem.'))).toBe(false)
    expect(SharedMemory.list().find(({ name }) => name === memory.name)).toEqual({
      name: memory.name,
      sizeBytes: 77,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
      mode: 0o640,
    })
  })

  test('limits tell the room that a memory takes', () => {
    const before = SharedMemory.limits()
    memories.create({ sizeBytes: 1024 * 1024 })
    const after = SharedMemory.limits()
    expect(after.totalBytes).toBe(before.totalBytes)
    expect(before.freeBytes - after.freeBytes).toBe(1024 * 1024)
  })
})

test.each([
  ['open', { sizeBytes: 1 }],
  ['open', { reaonly: true }],
  ['create', { sizeBytes: 1, readonly: true }],
  ['openOrCreate', { sizeBytes: 1, flags: 1 }],
] as const)('%s refuses options that it does not know: %j', (how, options) => {
  expect(() => SharedMemory[how]('/x', options as never)).toThrow(/Expected only the options/)
})

test('mode and readonly are checked', () => {
  expect(() => SharedMemory.create('/x', { sizeBytes: 1, mode: 0o1777 })).toThrow(RangeError)
  expect(() => SharedMemory.open('/x', { readonly: 1 as never })).toThrow(TypeError)
})

test('chmod by somebody else does not take away what is mapped', () => {
  const memory = memories.create()
  chmodSync(fileOf(memory.name), 0)
  memory.write(0, hello)
  expect(memory.read(0, 5)).toEqual(hello)
})

test('a memory that another process has grown since is seen as large as it was', () => {
  const memory = memories.create({ sizeBytes: 10 })
  truncateSync(fileOf(memory.name), 8192)
  expect(memory.sizeBytes).toBe(10)
  expect(memory.stat().sizeBytes).toBe(8192)
  expect(memories.open(memory.name).sizeBytes).toBe(8192)
})
