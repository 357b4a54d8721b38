/** Every method of every class in every state of its handle: what it does there, and what it says. */
import { closeSync, truncateSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { i32 } from 'ipckit'
import {
  Barrier,
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  RawArray,
  RawValue,
  RLock,
  RWLock,
  Semaphore,
  Array as SharedArray,
  Value,
} from 'ipckit/sync'
import { describe, expect, test } from 'vitest'
import { codeOf, fileOf, keep, name } from './support.ts'

type State = 'open' | 'held' | 'removed' | 'corrupt' | 'closed'
const states: State[] = ['open', 'held', 'removed', 'corrupt', 'closed']

const closed = 'ERR_IPC_CLOSED'
const corrupt = 'ERR_IPC_CORRUPT'
const truncated = 'ERR_IPC_TRUNCATED'
const timeout = 'ERR_IPC_TIMEOUT'
const notHeld = 'ERR_IPC_NOT_HELD'
const broken = 'ERR_IPC_BROKEN'
const gone = 'EIDRM'

/** What a method says in the states, in their order: `ok`, `nothing` for undefined, or the code of its error. */
type Row = [method: string, call: (it: never) => unknown, ...said: string[]]

/** Held by another handle. */
const soon = { timeoutMs: 20 }
const waits = ['ok', timeout, gone, corrupt, closed]
const tries = ['ok', 'nothing', gone, corrupt, closed]
/** Waits for what nobody does. */
const outwaits = [timeout, timeout, gone, corrupt, closed]
/** Needs a lock that is not held here. */
const unheld = [notHeld, notHeld, notHeld, notHeld, closed]
/** Needs an object that is not damaged, and nothing of others. */
const whole = ['ok', 'ok', 'ok', corrupt, closed]
/** Reads or writes the bytes of a value themselves. */
const touches = ['ok', 'ok', 'ok', truncated, closed]
const always = ['ok', 'ok', 'ok', 'ok', 'ok']

const lockable: Row[] = [
  ['acquire', (it: Lock) => it.acquire(soon), ...waits],
  ['acquireSync', (it: Lock) => it.acquireSync(soon), ...waits],
  ['tryAcquire', (it: Lock) => it.tryAcquire(), ...tries],
  ['run', (it: Lock) => it.run(() => 'ran', soon), ...waits],
  ['release', (it: Lock) => it.release(), ...unheld],
  ['locked', (it: Lock) => it.locked, ...whole],
]

const permits: Row[] = [
  ['acquire', (it: Semaphore) => it.acquire(soon), ...waits],
  ['acquireSync', (it: Semaphore) => it.acquireSync(soon), ...waits],
  ['tryAcquire', (it: Semaphore) => it.tryAcquire(), ...tries],
  ['run', (it: Semaphore) => it.run(() => 'ran', soon), ...waits],
  ['value', (it: Semaphore) => it.value, ...whole],
]

/** Of every class. */
const common: Row[] = [
  ['stat', (it: Lock) => it.stat(), ...whole],
  ['unlink', (it: Lock) => it.unlink() ?? 'gone', 'ok', 'ok', 'ENOENT', 'ok', closed],
  ['duplicateDescriptor', (it: Lock) => closeIt(it.duplicateDescriptor()), ...whole],
  ['close', async (it: Lock) => (await it.close()) ?? 'closed', ...always],
  ['ref', (it: Lock) => it.ref(), ...always],
  ['unref', (it: Lock) => it.unref(), ...always],
  ['address', (it: Lock) => it.address, ...always],
  ['name', (it: Lock) => it.name, ...always],
  ['closed', (it: Lock) => it.closed || 'open', ...always],
]

const memory = (read: (it: never) => unknown, ...more: Row[]): Row[] => [
  ['reading', read, ...touches],
  ...more,
]

const kinds: Record<string, { make(fresh: string): { close(): Promise<void> }; hold?: string; rows: Row[] }> =
  {
    Lock: { make: (fresh) => Lock.create(fresh), rows: lockable },
    RLock: { make: (fresh) => RLock.create(fresh), rows: lockable },
    RWLock: {
      make: (fresh) => RWLock.create(fresh),
      rows: [
        ...lockable,
        ['acquireShared', (it: RWLock) => it.acquireShared(soon), ...waits],
        ['acquireSharedSync', (it: RWLock) => it.acquireSharedSync(soon), ...waits],
        ['tryAcquireShared', (it: RWLock) => it.tryAcquireShared(), ...tries],
        ['runShared', (it: RWLock) => it.runShared(() => 'ran', soon), ...waits],
      ],
    },
    Semaphore: {
      make: (fresh) => Semaphore.create(fresh),
      rows: [...permits, ['release', (it: Semaphore) => it.release() ?? 'given', ...whole]],
    },
    BoundedSemaphore: {
      make: (fresh) => BoundedSemaphore.create(fresh),
      rows: [
        ...permits,
        [
          'release',
          (it: Semaphore) => it.release() ?? 'given',
          'ERR_IPC_BOUND',
          'ok',
          'ERR_IPC_BOUND',
          corrupt,
          closed,
        ],
      ],
    },
    Condition: {
      make: (fresh) => Condition.create(fresh),
      rows: [
        ...lockable,
        ['wait', (it: Condition) => it.wait(soon), ...unheld],
        ['waitSync', (it: Condition) => it.waitSync(soon), ...unheld],
        ['waitFor', (it: Condition) => it.waitFor(() => 1), ...unheld],
        ['waitForSync', (it: Condition) => it.waitForSync(() => 1), ...unheld],
        ['notify', (it: Condition) => it.notify(), ...unheld],
        ['notifyAll', (it: Condition) => it.notifyAll(), ...unheld],
      ],
    },
    Event: {
      make: (fresh) => Event.create(fresh),
      rows: [
        ['wait', (it: Event) => it.wait(soon), ...outwaits],
        ['waitSync', (it: Event) => it.waitSync(soon), ...outwaits],
        ['set', (it: Event) => it.set() ?? 'set', ...whole],
        ['clear', (it: Event) => it.clear() ?? 'clear', ...whole],
        ['isSet', (it: Event) => it.isSet, ...whole],
      ],
    },
    Barrier: {
      make: (fresh) => Barrier.create(fresh, { parties: 2 }),
      rows: [
        ['wait', (it: Barrier) => it.wait(soon), ...outwaits],
        ['waitSync', (it: Barrier) => it.waitSync(soon), ...outwaits],
        ['abort', (it: Barrier) => it.abort() ?? 'broken', ...whole],
        ['reset', (it: Barrier) => it.reset() ?? 'whole', ...whole],
        ['parties', (it: Barrier) => it.parties, ...always],
        ['nWaiting', (it: Barrier) => it.nWaiting, ...whole],
        ['broken', (it: Barrier) => it.broken, ...whole],
      ],
    },
    RawValue: {
      make: (fresh) => RawValue.create(fresh, i32),
      rows: memory(
        (it: RawValue<number>) => it.value,
        ['add', (it: RawValue<number>) => it.add(1), ...touches],
        ['compareExchange', (it: RawValue<number>) => it.compareExchange(0, 1), ...touches],
      ),
    },
    Value: {
      make: (fresh) => Value.create(fresh, i32),
      rows: memory(
        (it: Value<number>) => it.value,
        ['getLock', (it: Value<number>) => it.getLock(), ...whole],
      ),
    },
    RawArray: {
      make: (fresh) => RawArray.create(fresh, i32, 2),
      rows: memory(
        (it: RawArray<number>) => it.at(0),
        ['set', (it: RawArray<number>) => it.set(0, 1) ?? 1, ...touches],
        ['slice', (it: RawArray<number>) => it.slice(), ...touches],
        ['fill', (it: RawArray<number>) => it.fill(1), ...touches],
        ['add', (it: RawArray<number>) => it.add(0, 1), ...touches],
        ['iterating', (it: RawArray<number>) => [...it], ...touches],
      ),
    },
    Array: {
      make: (fresh) => SharedArray.create(fresh, i32, 2),
      rows: memory((it: SharedArray<number>) => it.at(0)),
    },
  }

function closeIt(descriptor: number): string {
  closeSync(descriptor)
  return 'copied'
}

/** Whoever else has it open, and holds it where that is possible. */
const holders: Record<string, (fresh: string) => Promise<unknown>> = {
  Lock: (fresh) => keepHolding(Lock.open(fresh)),
  RWLock: (fresh) => keepHolding(RWLock.open(fresh)),
  Condition: (fresh) => keepHolding(Condition.open(fresh)),
  Semaphore: (fresh) => keepHolding(Semaphore.open(fresh)),
  BoundedSemaphore: (fresh) => keepHolding(BoundedSemaphore.open(fresh)),
}

async function keepHolding(it: Lock | RWLock | Condition | Semaphore): Promise<void> {
  await keep(it).acquire()
}

async function bring(kind: string, state: State): Promise<object> {
  const fresh = name()
  const object = keep((kinds[kind] as (typeof kinds)[string]).make(fresh))
  if (state === 'held') await holders[kind]?.(fresh)
  if (state === 'removed') {
    Lock.unlink(fresh)
    // Looked at four times a second.
    await sleep(300)
  }
  if (state === 'corrupt') truncateSync(fileOf(fresh), 0)
  if (state === 'closed') await object.close()
  return object
}

describe.each(Object.keys(kinds))('%s', (kind) => {
  const rows = [...(kinds[kind] as (typeof kinds)[string]).rows, ...common]
  for (const [at, state] of states.entries()) {
    // What is held by another is not told apart where nothing can be held, or where the owner is this environment.
    if (state === 'held' && holders[kind] === undefined) continue
    // Each of these waits for the next look; everything that is to be removed is made before.
    const run = state === 'removed' ? test.concurrent : test
    run.each(rows)(`%s of one that is ${state}`, async (_, call, ...said) => {
      const object = await bring(kind, state)
      let outcome: unknown
      const code = await codeOf(async () => {
        outcome = await call(object as never)
      })
      expect(code === 'ok' && outcome === undefined ? 'nothing' : code).toBe(said[at])
    })
  }
})

test('a barrier that is broken refuses to wait, by each way', async () => {
  const barrier = keep(Barrier.create(name(), { parties: 2 }))
  barrier.abort()
  expect(await codeOf(() => barrier.wait())).toBe(broken)
  expect(await codeOf(() => barrier.waitSync())).toBe(broken)
})
