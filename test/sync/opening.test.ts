/** Opening, making and removing: names, kinds, options, and files that are not to be trusted. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { ExistsError, i32, NotFoundError, Queue, text } from 'ipckit'
import * as sync from 'ipckit/sync'
import {
  Barrier,
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  list,
  RLock,
  RWLock,
  Semaphore,
  Value,
} from 'ipckit/sync'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger } from '../helpers/agent.ts'
import { codeOf, fileOf, isFree, keep, name } from './support.ts'

endAgents()

/** How each kind is opened and made; what it needs beside a name. */
const kinds = {
  Lock: { open: (it: string) => Lock.open(it), create: (it: string) => Lock.create(it) },
  RLock: { open: (it: string) => RLock.open(it), create: (it: string) => RLock.create(it) },
  RWLock: { open: (it: string) => RWLock.open(it), create: (it: string) => RWLock.create(it) },
  Semaphore: { open: (it: string) => Semaphore.open(it), create: (it: string) => Semaphore.create(it) },
  BoundedSemaphore: {
    open: (it: string) => BoundedSemaphore.open(it),
    create: (it: string) => BoundedSemaphore.create(it),
  },
  Condition: { open: (it: string) => Condition.open(it), create: (it: string) => Condition.create(it) },
  Event: { open: (it: string) => Event.open(it), create: (it: string) => Event.create(it) },
  Barrier: {
    open: (it: string) => Barrier.open(it),
    create: (it: string) => Barrier.create(it, { parties: 2 }),
  },
  Value: { open: (it: string) => Value.open(it, i32), create: (it: string) => Value.create(it, i32) },
} as const

const kindNames = Object.keys(kinds) as Array<keyof typeof kinds>

describe.each(kindNames)('%s', (kind) => {
  const { open, create } = kinds[kind]

  test('open needs one, create needs none, unlink removes the name alone', async () => {
    const fresh = name()
    expect(() => open(fresh)).toThrow(NotFoundError)
    const made = keep(create(fresh))
    expect([made.name, made.address, made.closed]).toEqual([fresh, `shm:${fresh}`, false])
    expect(() => create(fresh)).toThrow(ExistsError)
    const opened = keep(open(fresh))
    expect(opened.stat()).toMatchObject({ kind, unlinked: false })
    expect(opened.ref()).toBe(opened)
    expect(opened.unref()).toBe(opened)
    opened.unlink()
    expect(existsSync(fileOf(fresh))).toBe(false)
    expect(() => opened.unlink()).toThrow(NotFoundError)
    expect(made.stat().unlinked).toBe(true)
    await made.close()
    expect(await codeOf(() => made.stat())).toBe('ERR_IPC_CLOSED')
    expect(await codeOf(() => made.unlink())).toBe('ERR_IPC_CLOSED')
  })

  test('a handle whose name is gone leaves alone what others made under it', () => {
    const fresh = name()
    const made = keep(create(fresh))
    keep(open(fresh)).unlink()
    const theirs = keep(create(fresh))
    expect(() => made.unlink()).toThrow(NotFoundError)
    expect(theirs.stat().unlinked).toBe(false)
  })

  test('what another kind made is refused, with both kinds named', () => {
    const fresh = name()
    keep(create(fresh))
    for (const other of kindNames) {
      if (other === kind) continue
      expect(() => kinds[other].open(fresh)).toThrow(
        expect.objectContaining({
          code: 'ERR_IPC_KIND',
          message: expect.stringContaining(`a ${kind}, and it was to be a ${other}`),
        }),
      )
    }
  })

  test('damaged bytes are refused, or fail, and never crash or hang', async () => {
    for (const damage of [
      (file: string) => truncateSync(file, 0),
      (file: string) => truncateSync(file, 100),
      (file: string) => truncateSync(file, 4096),
      (file: string) => truncateSync(file, statSync(file).size + 4096),
      (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size)),
      (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size, 0xff)),
      (file: string) => {
        const bytes = readFileSync(file)
        bytes[40] = (bytes[40] as number) ^ 0xff
        writeFileSync(file, bytes)
      },
    ]) {
      const fresh = name()
      await create(fresh).close()
      damage(fileOf(fresh))
      expect(['ERR_IPC_REFUSED', 'ERR_IPC_CORRUPT', 'ERR_IPC_KIND', 'ERR_IPC_TYPE']).toContain(
        await codeOf(() => open(fresh)),
      )
    }
  })
})

test('the last links of a name are of queues, locks and everything else alike', async () => {
  const fresh = name()
  const queue = keep(await Queue.create(`shm:${fresh}`, { codec: text() }))
  expect(() => Lock.open(fresh)).toThrow(
    expect.objectContaining({ code: 'ERR_IPC_KIND', message: expect.stringContaining('is a queue') }),
  )
  expect(() => Lock.create(fresh)).toThrow(ExistsError)
  await queue.unlink()
  keep(Lock.create(fresh))
  await expect(Queue.open(`shm:${fresh}`, { codec: text() })).rejects.toMatchObject({
    code: 'ERR_IPC_KIND',
    message: expect.stringContaining('is a Lock, and it was to be a queue'),
  })
})

describe('bad input', () => {
  test.each(['', 'lock', '/', '/a/b', '/a\0b', `/${'x'.repeat(201)}`, 5, undefined, null])(
    'the name %j is refused',
    (bad) => {
      for (const call of [Lock.open, Lock.create, Lock.openOrCreate, Lock.unlink]) {
        expect(() => call(bad as string)).toThrow(/Expected .* for `name`, received/)
      }
    },
  )

  test.each([
    [Lock.create, { mode: 0o1000 }, RangeError],
    [Lock.create, { mode: '600' }, TypeError],
    [Lock.create, { participants: 1 }, RangeError],
    [Lock.create, { participants: 1025 }, RangeError],
    [Lock.create, { anyOwner: 1 }, TypeError],
    [Lock.create, { value: 1 }, TypeError],
    [Lock.create, 5, TypeError],
    [Lock.open, { mode: 0o600 }, TypeError],
    [Semaphore.create, { value: -1 }, RangeError],
    [Semaphore.create, { value: 2 ** 31 }, RangeError],
    [Semaphore.create, { value: 1.5 }, RangeError],
    [Semaphore.open, { value: 1 }, TypeError],
    [BoundedSemaphore.create, { value: '1' }, TypeError],
    [Condition.create, { lock: {} }, TypeError],
    [Barrier.create, { parties: 0 }, RangeError],
    [Barrier.create, { parties: 1025 }, RangeError],
    [Barrier.create, {}, TypeError],
    [Barrier.create, { parties: 2, action: 1 }, TypeError],
    [Barrier.create, { parties: 2, timeoutMs: -1 }, RangeError],
    [Barrier.open, { parties: 2 }, TypeError],
  ] as unknown as [(it: string, options: unknown) => unknown, unknown, typeof Error][])(
    '%o with %j is refused, and nothing is made',
    (call, options, type) => {
      const fresh = name()
      expect(() => call(fresh, options)).toThrow(type)
      expect(existsSync(fileOf(fresh))).toBe(false)
    },
  )

  test('so are the options of calls', async () => {
    const lock = keep(Lock.create(name()))
    const slots = keep(Semaphore.create(name(), { value: 9 }))
    const barrier = keep(Barrier.create(name(), { parties: 1 }))
    const event = keep(Event.create(name()))
    const bad: Array<() => unknown> = [
      () => lock.acquire({ timeoutMs: -1 }),
      () => lock.acquire({ timeout: 1 } as never),
      () => lock.acquire({ signal: {} } as never),
      () => lock.acquire({ strict: 1 } as never),
      () => lock.acquire({ onLost: 'x' } as never),
      () => lock.tryAcquire({ timeoutMs: 1 } as never),
      () => lock.acquireSync({ signal: AbortSignal.abort() } as never),
      () => lock.run('x' as never),
      () => slots.acquire({ permits: 0 }),
      () => slots.acquire({ permits: 1.5 }),
      () => slots.tryAcquire({ permits: '1' } as never),
      () => slots.acquireSync({ timeoutMs: Number.NaN }),
      () => slots.release(0),
      () => slots.release(-1),
      () => slots.run(5 as never),
      () => event.wait({ timeoutMs: '5' } as never),
      () => event.waitSync({ signal: 1 } as never),
      () => barrier.wait({ index: 1 } as never),
    ]
    for (const call of bad) expect(['TypeError', 'RangeError'], String(call)).toContain(await codeOf(call))
    expect([isFree(lock), slots.value, barrier.nWaiting, event.stat().waiters]).toEqual([true, 9, 0, 0])
  })
})

describe('what lies there is not to be trusted', () => {
  const refusals: Record<string, (file: string) => void> = {
    'a directory': (file) => mkdirSync(file),
    'a link': (file) => {
      writeFileSync(`${file}-target`, '')
      symlinkSync(`${file}-target`, file)
      rmSync(`${file}-target`)
    },
    'a FIFO': (file) => void execFileSync('mkfifo', [file]),
    'an empty file': (file) => writeFileSync(file, ''),
    'a text': (file) => writeFileSync(file, 'a lock'.repeat(2000)),
  }
  test.each(Object.entries(refusals))('%s in its place', (_, plant) => {
    const fresh = name()
    plant(fileOf(fresh))
    expect(() => Lock.open(fresh)).toThrow(expect.objectContaining({ code: 'ERR_IPC_REFUSED' }))
    expect(() => Lock.openOrCreate(fresh)).toThrow(expect.objectContaining({ code: 'ERR_IPC_REFUSED' }))
    expect(() => Lock.create(fresh)).toThrow(ExistsError)
  })

  test('a second name of its file', () => {
    const fresh = name()
    const second = name()
    keep(Lock.create(fresh))
    linkSync(fileOf(fresh), fileOf(second))
    expect(() => Lock.open(fresh)).toThrow(expect.objectContaining({ code: 'ERR_IPC_REFUSED' }))
  })

  test('everybody may write to it, unless anyMode', () => {
    const fresh = name()
    keep(Lock.create(fresh, { mode: 0o602 }))
    expect(() => Lock.open(fresh)).toThrow(expect.objectContaining({ code: 'ERR_IPC_REFUSED' }))
    keep(Lock.open(fresh, { anyMode: true }))
  })

  test.runIf(mayChangeUser)('another user owns it, unless anyOwner', async () => {
    const fresh = name()
    keep(Lock.create(fresh))
    chownSync(fileOf(fresh), stranger, stranger)
    expect(() => Lock.open(fresh)).toThrow(
      expect.objectContaining({
        code: 'ERR_IPC_REFUSED',
        message: expect.stringContaining(`user ${stranger}`),
      }),
    )
    keep(Lock.open(fresh, { anyOwner: true }))
    chownSync(fileOf(fresh), 0, 0)
    chmodSync(fileOf(fresh), 0o600)
    const agent = await Agent.start({ uid: stranger })
    await expect(agent.open('sync.Lock', 'open', fresh)).rejects.toMatchObject({ code: 'EACCES' })
  })
})

test('memory that is scribbled over while it is held fails, and is told to its holder', async () => {
  const fresh = name()
  const lock = keep(Lock.create(fresh))
  const other = keep(Lock.open(fresh))
  const guard = await lock.acquire()
  const { lost } = guard
  const file = openSync(fileOf(fresh), 'r+')
  writeSync(file, Buffer.alloc(4096 - 512, 0xff), 0, 4096 - 512, 512)
  expect(await codeOf(() => other.acquire({ timeoutMs: 1000 }))).toBe('ERR_IPC_CORRUPT')
  await new Promise((resolve) => (lost.aborted ? resolve(0) : lost.addEventListener('abort', resolve)))
  expect(lost.reason).toMatchObject({ code: 'ERR_IPC_CORRUPT' })
  guard.release()
})

test('truncated while it is waited for, it ends the wait', async () => {
  const fresh = name()
  const lock = keep(Lock.create(fresh))
  const other = keep(Lock.open(fresh))
  await lock.acquire()
  const waiting = codeOf(() => other.acquire())
  truncateSync(fileOf(fresh), 0)
  expect(await waiting).toBe('ERR_IPC_CORRUPT')
})

test('more handles than it allows are refused, and those of the dead make room', async () => {
  const fresh = name()
  const handles = [keep(Lock.create(fresh, { participants: 3 }))]
  const agent = await Agent.start()
  await agent.open('sync.Lock', 'open', fresh)
  handles.push(keep(Lock.open(fresh)))
  expect(() => Lock.open(fresh)).toThrow(expect.objectContaining({ code: 'ERR_IPC_PARTICIPANTS' }))
  await agent.end()
  keep(Lock.open(fresh))
})

test('list finds them all, with who holds them', async () => {
  const fresh = [name(), name(), name()] as [string, string, string]
  const lock = keep(Lock.create(fresh[0]))
  keep(Semaphore.create(fresh[1], { value: 4 }))
  const queue = keep(await Queue.create(`shm:${fresh[2]}`, { codec: text() }))
  await lock.acquire()
  const found = list().filter((entry) => fresh.includes(entry.name))
  expect(found).toHaveLength(2)
  expect(found.find((entry) => entry.name === fresh[0])).toMatchObject({
    kind: 'Lock',
    address: lock.address,
    holderPid: process.pid,
    participantCount: 1,
  })
  expect(found.find((entry) => entry.name === fresh[1])).toMatchObject({
    kind: 'Semaphore',
    value: 4,
    limit: 4,
  })
  expect(sync.stat(fresh[0])).toMatchObject({ kind: 'Lock', holder: { pid: process.pid, alive: true } })
  expect(await codeOf(() => sync.stat(fresh[2]))).toBe('ERR_IPC_KIND')
  sync.unlink(fresh[1])
  expect(await codeOf(() => sync.stat(fresh[1]))).toBe('ENOENT')
  expect(queue.closed).toBe(false)
})
