/** Every method of shared memory in every state that it can be in: what is allowed, and how the rest is refused. */
import { truncateSync } from 'node:fs'
import { array, f64, i32, i64, struct, u8, u32, u64 } from 'ipckit'
import { type Mapping, Memfd, SharedMemory as PosixMemory } from 'ipckit/posix'
import { SharedMemory as SysvMemory } from 'ipckit/sysv'
import { describe, expect, onTestFinished, test } from 'vitest'
import { newName } from '../helpers/names.ts'

const quote = struct({ id: i32, px: f64 })
const word = Buffer.from([1, 2, 3, 4])

/** Made of one kind, as it is opened. */
const kinds: Record<string, (readonly: boolean) => Mapping> = {
  POSIX(readonly) {
    const made = PosixMemory.create(newName(), { sizeBytes: 4096 })
    onTestFinished(() => {
      made.close()
      try {
        PosixMemory.unlink(made.name)
      } catch {
        // Removed by the test.
      }
    })
    return readonly ? PosixMemory.open(made.name, { readonly }) : made
  },
  'System V'(readonly) {
    const made = SysvMemory.create('private', { sizeBytes: 4096 })
    const { id } = made.stat()
    const memory = readonly ? SysvMemory.open({ id }, { readonly }) : SysvMemory.open({ id })
    onTestFinished(() => {
      if (!made.stat().unlinked) made.unlink()
      made.close()
    })
    return memory
  },
  memfd(readonly) {
    const made = Memfd.create({ sizeBytes: 4096, seals: [] })
    onTestFinished(() => made.close())
    return Memfd.open(made.descriptor, { readonly })
  },
}

type Any = Mapping & Partial<Pick<SysvMemory, 'set' | 'unlink' | 'lock' | 'unlock'>> & { stat(): unknown }

/** What a method gives: `fine`, or the code of its error. */
const methods: Record<string, (memory: Any) => unknown> = {
  read: (memory) => memory.read(0, 4),
  readInto: (memory) => memory.readInto(new Uint8Array(4)),
  write: (memory) => memory.write(0, word),
  readStruct: (memory) => memory.readStruct(quote),
  writeStruct: (memory) => memory.writeStruct(quote, { id: 1, px: 2 }),
  buffer: (memory) => memory.buffer,
  arrayBuffer: (memory) => memory.arrayBuffer,
  view: (memory) => memory.view(quote).px,
  'atomic load': (memory) => memory.atomic(i32).load(),
  'atomic add': (memory) => memory.atomic(i64, 8).add(1n),
  stat: (memory) => memory.stat(),
  set: (memory) => memory.set?.({ mode: 0o600 }),
  lock: (memory) => memory.lock?.(),
  unlock: (memory) => memory.unlock?.(),
  sizeBytes: (memory) => memory.sizeBytes,
  truncated: (memory) => memory.truncated,
  close: (memory) => memory.close(),
}

const writing = ['write', 'writeStruct', 'atomic add']
const direct = ['buffer', 'arrayBuffer']
const bytes = ['read', 'readInto', 'readStruct', 'view', 'atomic load', ...writing, ...direct]
const always = ['sizeBytes', 'truncated', 'close']

const states: Record<
  string,
  { readonly?: true; enter(memory: Any): void; refused(method: string): string | undefined }
> = {
  open: { enter() {}, refused: () => undefined },
  'read-only': {
    readonly: true,
    enter() {},
    refused: (method) =>
      writing.includes(method) ? 'EACCES' : direct.includes(method) ? 'ERR_IPC_UNSUPPORTED' : undefined,
  },
  unlinked: { enter: (memory) => memory.unlink?.(), refused: () => undefined },
  truncated: {
    enter(memory) {
      if (memory instanceof SysvMemory) return
      const file =
        memory instanceof Memfd
          ? `/proc/self/fd/${memory.descriptor}`
          : `/dev/shm${(memory as PosixMemory).name}`
      const { buffer } = memory
      truncateSync(file, 0)
      expect(buffer[0]).toBe(0)
    },
    refused: (method) => (bytes.includes(method) ? 'ERR_IPC_TRUNCATED' : undefined),
  },
  closed: {
    enter: (memory) => memory.close(),
    refused: (method) => (always.includes(method) ? undefined : 'ERR_IPC_CLOSED'),
  },
}

/** What a kind does not have. */
const lacking: Record<string, string[]> = { POSIX: ['lock', 'unlock'], memfd: ['set', 'lock', 'unlock'] }

const cases = Object.keys(kinds).flatMap((kind) =>
  Object.keys(states)
    .filter((state) => !(kind === 'System V' && state === 'truncated'))
    .flatMap((state) =>
      Object.keys(methods)
        .filter((method) => !lacking[kind]?.includes(method))
        .map((method) => ({ kind, state, method })),
    ),
)

test.each(cases)('$kind, $state: $method', ({ kind, state, method }) => {
  const { readonly = false, enter, refused } = states[state] as (typeof states)[string]
  const memory = (kinds[kind] as (readonly: boolean) => Mapping)(readonly) as Any
  onTestFinished(() => memory.close())
  enter(memory)
  const run = () => (methods[method] as (memory: Any) => unknown)(memory)
  const code = refused(method)
  if (code === undefined) expect(run).not.toThrow()
  else expect(run).toThrow(expect.objectContaining({ code }))
})

describe('arguments', () => {
  const memory = () => {
    const made = Memfd.create({ sizeBytes: 64 })
    onTestFinished(() => made.close())
    return made
  }

  test.each([
    ['read', -1, 1],
    ['read', 65],
    ['read', 60, 5],
    ['read', 0, 65],
    ['read', 1.5],
    ['read', '0'],
    ['read', 0, Number.NaN],
    ['write', 61, word],
    ['write', -1, word],
    ['write', undefined, word],
    ['write', 0, 'text'],
    ['write', 0, [1, 2]],
    ['readInto', new Uint8Array(65)],
    ['readInto', new Uint8Array(4), 61],
    ['readInto', 'text'],
    ['view', quote, 49],
    ['view', quote, -1],
    ['view', array(f64, 9)],
    ['view', i32],
    ['view', {}],
    ['view', undefined],
    ['readStruct', quote, 49],
    ['readStruct', array(f64, 1)],
    ['writeStruct', quote, { id: 1.5, px: 0 }],
    ['writeStruct', quote, { id: 1, px: 0 }, 49],
    ['atomic', i32, 2],
    ['atomic', i64, 4],
    ['atomic', i32, 64],
    ['atomic', u8],
    ['atomic', f64],
    ['atomic', undefined],
  ])('%s refuses %j', (method, ...args) => {
    const made = memory()
    const before = made.read()
    expect(() =>
      (made as never as Record<string, (...args: unknown[]) => unknown>)[method]?.(...args),
    ).toThrow(/^Expected/)
    expect(made.read()).toEqual(before)
  })

  test('that are nothing copy nothing', () => {
    const made = memory()
    made.write(64, new Uint8Array(0))
    expect(made.read(64, 0)).toEqual(Buffer.alloc(0))
    made.readInto(new Uint8Array(0), 64)
  })
})

describe('atomic words', () => {
  const values = [
    [i32, [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)], [2 ** 31, 1.5, 1n, '1', Number.NaN]],
    [u32, [0, 1, 2 ** 32 - 1], [-1, 2 ** 32, 0.5, 1n]],
    [i64, [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)], [2n ** 63n, 1, undefined]],
    [u64, [0n, 1n, 2n ** 64n - 1n], [-1n, 2n ** 64n, 1]],
  ] as const

  test.each(values)('hold every value of their type, and no other', (type, good, bad) => {
    const memory = Memfd.create({ sizeBytes: 64 })
    onTestFinished(() => memory.close())
    const word = memory.atomic<number | bigint>(type as never, 8)
    const view = memory.view(struct({ other: u64, word: type as never })) as { word: unknown }
    let before = word.load()
    for (const value of good) {
      expect(word.exchange(value)).toBe(before)
      expect(word.load()).toBe(value)
      expect(view.word).toBe(value)
      expect(word.compareExchange(value, good[0])).toBe(value)
      expect(word.compareExchange(good[1], value)).toBe(good[0])
      word.store(value)
      expect(word.add(good[1])).toBe(value)
      expect(word.subtract(good[1])).not.toBe(value)
      expect(word.subtract(value)).toBe(value)
      expect(word.load()).toBe(good[0])
      before = good[0]
    }
    for (const value of bad) {
      for (const method of ['store', 'add', 'subtract', 'exchange'] as const) {
        expect(() => word[method](value as never)).toThrow(/^Expected .* for `value`/)
      }
      expect(() => word.compareExchange(value as never, good[0])).toThrow(/`expected`/)
      expect(() => word.compareExchange(good[0], value as never)).toThrow(/`replacement`/)
    }
    expect(word.load()).toBe(good[0])
  })

  test('wrap around, as in C', () => {
    const memory = Memfd.create({ sizeBytes: 64 })
    onTestFinished(() => memory.close())
    const cases = [
      [memory.atomic(u32), 2 ** 32 - 1, 1, 0],
      [memory.atomic(i32), 2 ** 31 - 1, 1, -(2 ** 31)],
      [memory.atomic(u64), 2n ** 64n - 1n, 1n, 0n],
      [memory.atomic(i64), 2n ** 63n - 1n, 1n, -(2n ** 63n)],
    ] as const
    for (const [word, most, one, least] of cases) {
      word.store(most as never)
      word.add(one as never)
      expect(word.load()).toBe(least)
      word.subtract(one as never)
      expect(word.load()).toBe(most)
    }
  })
})
