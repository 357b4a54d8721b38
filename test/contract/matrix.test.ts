/**
 * Every method of a queue against every state that its handle can be in: what is allowed, what waits, what is
 * refused and with which code.
 */
import { once } from 'node:events'
import { Queue, text } from 'ipckit'
import { beforeAll, describe, expect, test } from 'vitest'
import { isPending, until } from '../helpers/waiting.ts'
import { type AnyQueue, fill, measureBy, type Subject, subjects, unit, Workbench } from './subject.ts'

type Handle = AnyQueue<string>

/** What became of a call: a word, or the code of its error; a wait that would have gone on is `waits`. */
async function outcomeOf(call: () => unknown): Promise<string> {
  try {
    return String(await call())
  } catch (error) {
    const { code, name } = error as { code?: string; name: string }
    return code === 'ERR_IPC_TIMEOUT' ? 'waits' : (code ?? name)
  }
}

const briefly = { timeoutMs: 1 }
const done = (_result?: unknown) => 'done'
const valueOr = (value: unknown) => (value === undefined ? 'nothing' : 'value')

const methods = {
  put: (queue) => queue.put(unit(9), briefly).then(done),
  tryPut: (queue) => (queue.tryPut(unit(9)) ? 'done' : 'no'),
  putSync: (queue) => done(queue.putSync(unit(9), briefly)),
  putMany: (queue) => queue.putMany([unit(9)], briefly).then(done),
  get: (queue) => queue.get(briefly).then(valueOr),
  tryGet: (queue) => valueOr(queue.tryGet()),
  getSync: (queue) => valueOr(queue.getSync(briefly)),
  getMany: (queue) => queue.getMany(1, briefly).then(([value]) => valueOr(value)),
  receive: (queue) => queue.receive(briefly).then(({ value }) => valueOr(value)),
  next: (queue) =>
    queue
      .values(briefly)
      .next()
      .then((result) => (result.done === true ? 'end' : 'value')),
  readable: (queue) => {
    const stream = queue.readable(briefly)
    stream.resume()
    return Promise.race([
      once(stream, 'data').then(() => 'value'),
      once(stream, 'end').then(() => 'end'),
    ]).finally(() => stream.destroy())
  },
  writable: (queue) =>
    new Promise((resolve, reject) => {
      const stream = queue.writable(briefly)
      stream.on('error', reject)
      stream.write(unit(9), (error) => (error ? undefined : resolve('done')))
    }),
  peek: (queue) => valueOr(queue.peek()),
  stat: (queue) => done(queue.stat()),
  ref: (queue) => done(queue.ref()),
  unref: (queue) => done(queue.unref()),
  unlink: (queue) => queue.unlink().then(done),
  close: (queue) => queue.close().then(done),
  asyncDispose: (queue) => queue[Symbol.asyncDispose]().then(done),
  'reading its properties': (queue) => {
    expect(queue.address).toMatch(/^(posix|sysv|fifo|shm|memory):/)
    expect(queue.capabilities).toMatchObject({ priorities: expect.any(Boolean), types: expect.any(Boolean) })
    expect(queue.maxMessageBytes).toBeGreaterThan(0)
    return typeof queue.closed === 'boolean' ? 'done' : 'no'
  },
  'opening it again': (queue) =>
    Queue.open(queue.address, { codec: text() })
      .then((opened) => opened.close())
      .then(done),
} satisfies Record<string, (queue: Handle) => unknown>

type Method = keyof typeof methods
type Outcomes = Record<Method, string>

const always: Pick<Outcomes, 'ref' | 'unref' | 'close' | 'asyncDispose' | 'reading its properties'> = {
  ref: 'done',
  unref: 'done',
  close: 'done',
  asyncDispose: 'done',
  'reading its properties': 'done',
}
const puts = (outcome: string) => ({ put: outcome, putSync: outcome, putMany: outcome, writable: outcome })
const gets = (outcome: string) => ({
  get: outcome,
  getSync: outcome,
  getMany: outcome,
  receive: outcome,
  next: outcome,
  readable: outcome,
})
const there = { ...always, stat: 'done', unlink: 'done', 'opening it again': 'done' }

const closed = {
  ...always,
  ...puts('ERR_IPC_CLOSED'),
  tryPut: 'ERR_IPC_CLOSED',
  ...gets('ERR_IPC_CLOSED'),
  tryGet: 'ERR_IPC_CLOSED',
  next: 'end',
  readable: 'end',
  peek: 'ERR_IPC_CLOSED',
  stat: 'ERR_IPC_CLOSED',
  unlink: 'ERR_IPC_CLOSED',
  'opening it again': 'done',
} satisfies Outcomes
const removed: Outcomes = {
  ...always,
  ...puts('EIDRM'),
  tryPut: 'EIDRM',
  ...gets('EIDRM'),
  tryGet: 'EIDRM',
  peek: 'EIDRM',
  stat: 'EIDRM',
  unlink: 'EIDRM',
  'opening it again': 'ENOENT',
}

interface State {
  /** Brings a queue of one message into this state; `other` is another handle on it. */
  enter(queue: Handle, other: Handle): unknown
  expected: Outcomes
  /** Where a transport differs. */
  but?: (subject: Subject) => Partial<Outcomes>
}

/** What a transport that cannot peek, or block, says instead. */
function incapable(subject: Subject, waiting: Partial<Outcomes> = {}): Partial<Outcomes> {
  if (subject.name === 'posix:') return { peek: 'ERR_IPC_UNSUPPORTED' }
  return subject.name === 'memory:' ? waiting : {}
}

const empty = async (queue: Handle) => void (await queue.get())
const cannotBlock = 'ERR_IPC_UNSUPPORTED'

const whenEmpty: Omit<State, 'enter'> = {
  expected: {
    ...there,
    ...puts('done'),
    tryPut: 'done',
    ...gets('waits'),
    tryGet: 'nothing',
    peek: 'nothing',
  },
  but: (subject) => incapable(subject, { getSync: cannotBlock }),
}
const whenFull: Omit<State, 'enter'> = {
  expected: { ...there, ...puts('waits'), tryPut: 'no', ...gets('value'), tryGet: 'value', peek: 'value' },
  but: (subject) => incapable(subject, { putSync: cannotBlock }),
}

const states: Record<string, State> = {
  'with a value and room': {
    enter() {},
    expected: { ...there, ...puts('done'), tryPut: 'done', ...gets('value'), tryGet: 'value', peek: 'value' },
    but: incapable,
  },
  empty: {
    enter: empty,
    ...whenEmpty,
  },
  full: {
    enter: (queue) => fill(queue, 1),
    ...whenFull,
  },
  'in which a get waits': {
    async enter(queue) {
      await queue.get()
      await startWaiting(queue.get())
    },
    ...whenEmpty,
  },
  'in which a put waits': {
    async enter(queue) {
      fill(queue, 1)
      await startWaiting(queue.put(unit(8)))
    },
    ...whenFull,
  },
  closed: {
    enter: (queue) => queue.close(),
    expected: closed,
  },
  'closed while a get waited': {
    async enter(queue) {
      await queue.get()
      await startWaiting(queue.get())
      await queue.close()
    },
    expected: closed,
  },
  'closed while a put waited': {
    async enter(queue) {
      fill(queue, 1)
      await startWaiting(queue.put(unit(8)))
      await queue.close()
    },
    expected: closed,
  },
  'removed by another handle': {
    async enter(queue, other) {
      await queue.get()
      await other.unlink()
      await hearOfRemoval(queue)
    },
    expected: removed,
    but(subject) {
      if (subject.name === 'posix:') return { peek: 'ERR_IPC_UNSUPPORTED', stat: 'done' }
      return ['memory:', 'fifo:', 'shm:'].includes(subject.name) ? { stat: 'done' } : {}
    },
  },
  'removed by another handle while a value was in it': {
    async enter(queue, other) {
      await other.unlink()
      await hearOfRemoval(queue, (handle) => handle.tryPut(unit(9)))
    },
    expected: removed,
    but(subject) {
      if (subject.name === 'memory:') return { stat: 'done' }
      // What is in it can still be taken.
      if (subject.name === 'fifo:') {
        return { ...gets('value'), tryGet: 'value', peek: 'value', stat: 'done' }
      }
      if (subject.name !== 'posix:' && subject.name !== 'shm:') return {}
      return {
        ...gets('value'),
        tryGet: 'value',
        peek: subject.name === 'shm:' ? 'value' : 'ERR_IPC_UNSUPPORTED',
        stat: 'done',
      }
    },
  },
  'closed after it was removed': {
    async enter(queue, other) {
      await other.unlink()
      await queue.close()
    },
    expected: { ...closed, 'opening it again': 'ENOENT' },
  },
}

/** Lets a call wait in the background; how it ends is not what is asked here. */
async function startWaiting(call: Promise<unknown>): Promise<void> {
  call.catch(() => {})
  expect(await isPending(call)).toBe(true)
}

/** Where the kernel lets those who have a removed queue open go on, its handle looks at it now and then. */
async function hearOfRemoval(
  queue: Handle,
  attempt = (handle: Handle): unknown => handle.tryGet(),
): Promise<void> {
  await until(() => {
    try {
      attempt(queue)
      return false
    } catch {
      return true
    }
  })
}

for (const subject of subjects) {
  describe(`a queue over ${subject.name}`, () => {
    beforeAll(() => measureBy(subject))
    const bench = new Workbench(subject)
    for (const [state, { enter, expected, but }] of Object.entries(states)) {
      const outcomes: Outcomes = { ...expected, ...but?.(subject) }
      describe(state, () => {
        test.each(Object.entries(outcomes) as [Method, string][])('%s: %s', async (method, outcome) => {
          const queue = await bench.create()
          const other = await bench.open(queue.address)
          await queue.put(unit(0))
          await enter(queue, other)
          expect(await outcomeOf(() => (methods[method] as (handle: Handle) => unknown)(queue))).toBe(outcome)
        })
      })
    }
  })
}

test('the table has every method of a queue', () => {
  const names = (type: object): (string | symbol)[] =>
    type === Object.prototype
      ? []
      : [...Reflect.ownKeys(type), ...names(Object.getPrototypeOf(type) as object)]
  const asked = new Set<string | symbol>(Object.keys(methods))
  // Those that other names ask: properties, and the two of iteration, which are `next`.
  const others = ['constructor', 'address', 'capabilities', 'closed', 'maxMessageBytes', 'values']
  const symbols = [Symbol.asyncIterator, Symbol.asyncDispose]
  for (const name of names(Queue.prototype)) {
    expect(
      asked.has(name) || others.includes(String(name)) || symbols.includes(name as never),
      String(name),
    ).toBe(true)
  }
})
