/**
 * semget(2) and semctl(2): semget01, 02 and 05 and semctl01 to 09 of the Linux Test Project
 * (testcases/kernel/syscalls/ipc), and how sets are made, found and removed.
 *
 * Not here: semctl03's and semop02's wrong pointers (EFAULT) and unknown commands, which cannot be said here.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { SemaphoreSet } from 'ipckit/sysv'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger, withoutPrivileges } from '../helpers/agent.ts'
import { canChooseIds, chooseNextId, ownNamespace } from '../helpers/kernel.ts'
import { newKey } from '../helpers/names.ts'
import { until } from '../helpers/waiting.ts'
import { Sets } from './semaphore-support.ts'

const sets = new Sets()
endAgents()

const code = (wanted: string, message = /./) =>
  expect.objectContaining({ code: wanted, message: expect.stringMatching(message) })

/** Runs Python, which makes the plain system calls. */
function python(script: string, ...args: (string | number)[]): string {
  return execFileSync(process.env.PYTHON ?? 'python3', ['-c', `${prelude}\n${script}`, ...args.map(String)], {
    encoding: 'utf8',
  }).trim()
}
const prelude = `import ctypes, sys
c = ctypes.CDLL(None, use_errno=True)
arg = [int(each, 0) for each in sys.argv[1:]]`

describe('semget', () => {
  test('semget01: a set is made with its values, and found by its key', () => {
    const key = newKey()
    const made = sets.create([1, 0, 32_767], {}, key)
    const found = sets.open(key)
    expect(found.values()).toEqual([1, 0, 32_767])
    expect(found.size).toBe(3)
    expect(found.stat()).toEqual(made.stat())
    expect(found.stat()).toMatchObject({ key, uid: process.geteuid?.(), mode: 0o600, size: 3 })
  })

  test('semget02: EEXIST, ENOENT and EINVAL, and EACCES for another user', async () => {
    const key = newKey()
    expect(() => SemaphoreSet.open(key)).toThrow(code('ENOENT', /create it first/))
    sets.create([1], {}, key)
    expect(() => SemaphoreSet.create(key)).toThrow(code('EEXIST'))
    expect(() => SemaphoreSet.openOrCreate(key, { values: [1, 2] })).toThrow(
      code('EINVAL', /has 1 semaphores, and 2 are wanted/),
    )
    const { setSize } = SemaphoreSet.limits()
    if (setSize < 65_535) {
      expect(() => SemaphoreSet.create('private', { values: Array(setSize + 1).fill(0) })).toThrow(
        code('EINVAL', /over the limit of/),
      )
    }
    if (!mayChangeUser) return
    const agent = await Agent.start({ uid: stranger })
    await expect(agent.open('sysv.SemaphoreSet', 'open', key)).rejects.toMatchObject({ code: 'EACCES' })
  })

  test.runIf(ownNamespace)('semget05: ENOSPC names the limit when there are too many sets', async () => {
    const before = execFileSync('cat', ['/proc/sys/kernel/sem'], { encoding: 'utf8' })
    const { sets: used } = SemaphoreSet.usage()
    try {
      writeFileSync('/proc/sys/kernel/sem', `32000 1024000000 500 ${used + 1}`)
      sets.create()
      expect(() => SemaphoreSet.create('private')).toThrow(code('ENOSPC', /\/proc\/sys\/kernel\/sem/))
    } finally {
      writeFileSync('/proc/sys/kernel/sem', before)
    }
  })

  test('a set is found by the file that its key is made of, and by id', () => {
    const name = { path: '/', project: 77 }
    const made = sets.create([4], {}, name)
    expect(sets.open(name).value()).toBe(4)
    expect(sets.open({ id: made.stat().id }).value()).toBe(4)
  })

  test('a private set is found by its id alone, and an id that is none fails with ENOENT', () => {
    const made = sets.create([2])
    const { id, key } = made.stat()
    expect(key).toBe(0)
    expect(sets.open({ id }).value()).toBe(2)
    made.unlink()
    expect(() => SemaphoreSet.open({ id })).toThrow(code('ENOENT'))
    expect(() => SemaphoreSet.open('private')).toThrow(/Expected/)
    expect(() => SemaphoreSet.create({ id: 5 })).toThrow(/Expected/)
  })

  test.each([
    [0, {}],
    ['jobs', {}],
    [null, {}],
    [newKey(), { values: [] }],
    [newKey(), { values: [-1] }],
    [newKey(), { values: [32_768] }],
    [newKey(), { values: 3 }],
    [newKey(), { mode: 0o1000 }],
    [newKey(), { initTimeoutMs: -1 }],
    [newKey(), { vlaues: [1] }],
  ])('a name and options such as %j, %j are refused', (name, options) => {
    expect(() => SemaphoreSet.create(name as never, options as never)).toThrow(/Expected/)
  })
})

describe('making a set that others are opening', () => {
  test('whoever opens one that is just being made waits, and finds its values', async () => {
    const key = newKey()
    const agents = await Promise.all([Agent.start(), Agent.start(), Agent.start()])
    for (let round = 0; round < 30; round++) {
      const numbers = await Promise.all(
        agents.map((agent) => agent.open('sysv.SemaphoreSet', 'openOrCreate', key, { values: [5, 7] })),
      )
      for (const [at, agent] of agents.entries()) {
        expect(await agent.call(numbers[at] as number, 'values')).toEqual([5, 7])
      }
      await agents[0]?.call(numbers[0] as number, 'unlink')
      await Promise.all(agents.map((agent, at) => agent.call(numbers[at] as number, 'close')))
    }
  })

  test('one whose maker died before it gave values is told apart, and can be opened as it is', () => {
    const key = newKey()
    python('print(c.semget(ctypes.c_int(arg[0]), 2, 0o1600))', key | 0)
    const before = performance.now()
    expect(() => SemaphoreSet.open(key, { initTimeoutMs: 30 })).toThrow(
      code('ERR_IPC_UNINITIALIZED', /may have died.*ipckit rm.*assumeInitialized/),
    )
    expect(performance.now() - before).toBeGreaterThanOrEqual(30)
    expect(() => SemaphoreSet.openOrCreate(key, { initTimeoutMs: 0 })).toThrow(code('ERR_IPC_UNINITIALIZED'))
    const set = sets.open(key, { assumeInitialized: true })
    expect(set.values()).toEqual([0, 0])
  })

  test('whoever opens one waits until its maker has operated on it', async () => {
    const key = newKey()
    const id = Number(python('print(c.semget(ctypes.c_int(arg[0]), 1, 0o1600))', key | 0))
    const agent = await Agent.start()
    const opened = agent.open('sysv.SemaphoreSet', 'open', key, { initTimeoutMs: 20_000 })
    await sleep(50)
    const maker = sets.open({ id }, { assumeInitialized: true })
    maker.setValue(0, 3)
    await maker.operate([{ semaphore: 0, by: 1 }])
    expect(await agent.call(await opened, 'values')).toEqual([4])
  })

  test('values of 0 and of 32,767 are initialised too', () => {
    expect(sets.again(sets.create([0, 5])).values()).toEqual([0, 5])
    expect(sets.again(sets.create([32_767])).values()).toEqual([32_767])
  })
})

describe('semctl', () => {
  test('semctl01: GETVAL, SETVAL, GETALL, SETALL, GETPID, GETNCNT, GETZCNT, IPC_STAT', async () => {
    const set = sets.create([0, 0, 1])
    set.setValue(1, 9)
    expect(set.value(1)).toBe(9)
    set.setValues([0, 6, 7])
    expect(set.values()).toEqual([0, 6, 7])
    expect(set.waiters(0)).toEqual({ forMore: 0, forZero: 0 })
    const more = [
      set.operate([{ semaphore: 0, by: -2 }]),
      sets.again(set).operate([{ semaphore: 0, by: -1 }]),
    ]
    const zero = set.operate([{ semaphore: 2, by: 0 }])
    await until(() => set.waiters(0).forMore === 2 && set.waiters(2).forZero === 1)
    await set.operate([
      { semaphore: 0, by: 3 },
      { semaphore: 2, by: -7 },
    ])
    await Promise.all([...more, zero])
    expect(set.values()).toEqual([0, 6, 0])
    expect(set.lastPid(0)).toBe(process.pid)
    expect(set.stat().lastOperationTime?.getTime()).toBeGreaterThan(Date.now() - 60_000)
  })

  test('semctl02: without permission to read, reading is refused with EACCES', async () => {
    const set = sets.create([3], { mode: 0o200 })
    const agent = await Agent.start(withoutPrivileges)
    const theirs = await agent.open('sysv.SemaphoreSet', 'open', { id: set.stat().id })
    await expect(agent.call(theirs, 'value')).rejects.toMatchObject({ code: 'EACCES' })
    await agent.call(theirs, 'tryAcquire')
    expect(set.value()).toBe(2)
  })

  test('semctl03, 05: a semaphore that the set does not have, and a value that is too large', () => {
    const set = sets.create([1, 2])
    expect(() => set.value(2)).toThrow(code('EINVAL', /the set has 2/))
    expect(() => set.setValue(2, 1)).toThrow(code('EINVAL', /the set has 2/))
    expect(() => set.value(-1)).toThrow(RangeError)
    expect(() => set.setValue(0, 32_768)).toThrow(RangeError)
    expect(() => set.setValue(0, -1)).toThrow(RangeError)
    expect(() => set.setValues([1])).toThrow(RangeError)
    expect(() => set.setValues([1, 32_768])).toThrow(RangeError)
    expect(set.values()).toEqual([1, 2])
  })

  test.runIf(mayChangeUser)('semctl04: only owner, creator and root may set and remove', async () => {
    const set = sets.create([1], { mode: 0o666 })
    const agent = await Agent.start({ uid: stranger })
    const theirs = await agent.open('sysv.SemaphoreSet', 'open', { id: set.stat().id })
    await expect(agent.call(theirs, 'set', { mode: 0o600 })).rejects.toMatchObject({ code: 'EPERM' })
    await expect(agent.call(theirs, 'unlink')).rejects.toMatchObject({ code: 'EPERM' })
    set.set({ uid: stranger })
    await agent.call(theirs, 'set', { mode: 0o660 })
    expect(set.stat()).toMatchObject({ uid: stranger, creatorUid: process.geteuid?.(), mode: 0o660 })
    await agent.call(theirs, 'unlink')
  })

  test('semctl07, 08: IPC_STAT and IPC_SET tell and change mode and owner, and leave the values', () => {
    const set = sets.create([4], { mode: 0o640 })
    set.set({ mode: 0o604 })
    expect(set.stat()).toMatchObject({ mode: 0o604 })
    expect(set.value()).toBe(4)
    expect(() => set.set({ maxBytes: 1 } as never)).toThrow(TypeError)
    expect(() => set.set({ uid: -1 })).toThrow(RangeError)
  })

  test('semctl09: the list and SEM_INFO have the set, IPC_INFO the limits of kernel.sem', () => {
    const before = SemaphoreSet.usage()
    const set = sets.create([1, 2, 3], { mode: 0o640 })
    const { id, lastOperationTime, uid, gid } = set.stat()
    expect(SemaphoreSet.list()).toContainEqual({
      ...{ id, key: 0, address: `sysv:id=${id}`, size: 3, uid, gid, mode: 0o640, lastOperationTime },
    })
    expect(SemaphoreSet.usage()).toEqual({ sets: before.sets + 1, semaphores: before.semaphores + 3 })
    const { setSize, semaphores, operations, sets: most, value } = SemaphoreSet.limits()
    const words = execFileSync('cat', ['/proc/sys/kernel/sem'], { encoding: 'utf8' }).trim().split(/\s+/)
    expect([setSize, semaphores, operations, most]).toEqual(words.map(Number))
    expect(value).toBe(32_767)
  })
})

describe('an id that was given to another set', () => {
  test.runIf(canChooseIds('sem'))('is refused by every call, and the other set is not touched', async () => {
    const key = newKey()
    const set = sets.create([1], {}, key)
    const handle = sets.open(key)
    const { id } = set.stat()
    set.unlink()
    chooseNextId('sem', id)
    const fresh = sets.create([9], {}, newKey())
    expect(fresh.stat().id).toBe(id)
    await sleep(300)
    const recycled = expect.objectContaining({ name: 'RemovedError', code: 'ERR_IPC_RECYCLED' })
    await expect(handle.acquire()).rejects.toEqual(recycled)
    for (const call of [
      () => handle.tryAcquire(),
      () => handle.acquireSync(),
      () => handle.release(),
      () => handle.value(),
      () => handle.values(),
      () => handle.setValue(0, 5),
      () => handle.stat(),
      () => handle.unlink(),
    ]) {
      expect(call).toThrow(recycled)
    }
    expect(fresh.values()).toEqual([9])
  })

  test('a set whose values, owner and mode others changed is still the same', async () => {
    const set = sets.create([1])
    const handle = sets.again(set)
    await until(() => Date.now() > (set.stat().lastChangeTime.getTime() as number) + 1100)
    set.setValue(0, 3)
    set.set({ mode: 0o640 })
    await sleep(300)
    expect(handle.value()).toBe(3)
    await handle.acquire()
    expect(set.value()).toBe(2)
  })
})
