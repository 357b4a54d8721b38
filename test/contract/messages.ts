/** The contract of single messages: order, boundaries, sizes, full and empty queues, facts, peeking, stat. */
import { type Codec, IpcError, type Queue, raw } from 'ipckit'
import { expect, test } from 'vitest'
import { pattern } from '../helpers/pattern.ts'
import { drain, fill, largest, room, type Subject, unit, unitBytes, units, Workbench } from './subject.ts'

/** Claims to need so many bytes, and never gets that far. */
function needing(bytes: number): Codec<string> {
  return { name: 'huge', encode: () => -bytes, decode: () => '' }
}

export function messages(subject: Subject): void {
  const bench = new Workbench(subject)

  test('values come out in the order in which they were put', async () => {
    const queue = await bench.create()
    for (let round = 0; round < 50; round++) {
      for (const value of units(round * room, room)) await queue.put(value)
      for (const value of units(round * room, room)) expect(await queue.get()).toBe(value)
    }
  })

  test('messages keep their boundaries', async () => {
    const queue = await bench.create(raw())
    const sizes = [1, 5, 0, 13, 2, 0, 0, 7]
    for (const size of sizes.slice(0, 4)) await queue.put(pattern(size))
    const seen = [await queue.get(), await queue.get()]
    for (const size of sizes.slice(4, 6)) await queue.put(pattern(size))
    while (seen.length < 6) seen.push(await queue.get())
    expect(seen).toEqual(sizes.slice(0, 6).map((size) => pattern(size)))
  })

  test.each([0, 1, 7, 8, 9, largest - 1, largest])(
    'a message of %i bytes arrives as it was put',
    async (size) => {
      const queue = await bench.create(raw())
      await queue.put(pattern(size))
      expect(await queue.get()).toEqual(pattern(size))
      expect(queue.tryPut(pattern(size))).toBe(true)
      expect(queue.tryGet()).toEqual(pattern(size))
      queue.putSync(pattern(size))
      expect(queue.getSync()).toEqual(pattern(size))
      expect(await queue.putMany([pattern(size)])).toBe(1)
      expect(await queue.getMany(2)).toEqual([pattern(size)])
    },
  )

  test('the largest message of a queue with default sizes arrives as it was put', async () => {
    const queue = await bench.create(raw(), {})
    const size = queue.maxMessageBytes
    await queue.put(pattern(size))
    expect((await queue.get()).equals(pattern(size))).toBe(true)
    await expect(queue.put(pattern(size + 1))).rejects.toMatchObject({ code: 'EMSGSIZE' })
  })

  test('the smallest queue takes one message and no byte more', async () => {
    const sizes = 'capacity' in subject.sized(1) ? { capacity: 1, maxMessageBytes: 1 } : { maxBytes: 1 }
    const queue = await bench.create(raw(), sizes)
    const size = subject.grain?.unitBytes ?? 1
    expect(queue.maxMessageBytes).toBe(size)
    await queue.put(pattern(size))
    expect(queue.tryPut(pattern(1))).toBe(false)
    await expect(queue.put(pattern(size + 1))).rejects.toMatchObject({ code: 'EMSGSIZE' })
    expect(await queue.get()).toEqual(pattern(size))
  })

  test('one byte more than the largest message is refused with both sizes, by every method, and nothing is put', async () => {
    const queue = await bench.create(raw())
    expect(queue.maxMessageBytes).toBe(largest)
    const refusal = expect.objectContaining({
      code: 'EMSGSIZE',
      errno: expect.any(Number),
      resource: queue.address,
      message: expect.stringMatching(new RegExp(`\\b${largest + 1}\\b.*\\b${largest}\\b`)),
    })
    const tooLarge = pattern(largest + 1)
    await expect(queue.put(tooLarge)).rejects.toEqual(refusal)
    await expect(queue.putMany([pattern(1), tooLarge])).rejects.toEqual(refusal)
    expect(() => queue.tryPut(tooLarge)).toThrow(refusal)
    expect(() => queue.putSync(tooLarge)).toThrow(refusal)
    expect(queue.stat().depth).toBe(0)
  })

  test.each([2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1, 2 ** 53])(
    'a value that needs %i bytes is refused before memory is made for it',
    async (bytes) => {
      const queue = await bench.create(needing(bytes))
      await expect(queue.put('')).rejects.toMatchObject({ code: 'EMSGSIZE' })
      await expect(queue.putMany([''])).rejects.toMatchObject({ code: 'EMSGSIZE' })
      expect(() => queue.tryPut('')).toThrow(expect.objectContaining({ code: 'EMSGSIZE' }))
      expect(queue.stat().depth).toBe(0)
    },
  )

  test('a message that is too large is refused also while the queue is full', async () => {
    const queue = await bench.create()
    fill(queue)
    await expect(queue.put('x'.repeat(largest + 1))).rejects.toMatchObject({ code: 'EMSGSIZE' })
    expect(queue.stat().depth).toBe(room)
  })

  test('tryPut says no when the queue is full, and the queue holds what it held', async () => {
    const queue = await bench.create()
    expect(fill(queue)).toBe(room)
    expect(queue.tryPut(unit(99))).toBe(false)
    expect(drain(queue)).toEqual(units(0, room))
  })

  test('tryGet finds nothing in an empty queue', async () => {
    const queue = await bench.create()
    expect(queue.tryGet()).toBeUndefined()
    await queue.put(unit(1))
    expect(queue.tryGet()).toBe(unit(1))
    expect(queue.tryGet()).toBeUndefined()
  })

  test('handles of one queue see the same messages', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    await queue.put(unit(1))
    await other.put(unit(2))
    expect(await other.get()).toBe(unit(1))
    expect(await queue.get()).toBe(unit(2))
    expect(other.tryGet()).toBeUndefined()
  })

  test('receive tells what the transport knows of a message', async () => {
    const queue = await bench.create()
    await queue.put(unit(1))
    expect(await queue.receive()).toEqual({ value: unit(1), ...subject.plainFacts })
    for (const { put, facts } of subject.labelled) {
      await queue.put(unit(2), put)
      expect(await queue.receive()).toEqual({ value: unit(2), ...facts })
      await queue.putMany([unit(3)], put)
      expect(await queue.receive({ timeoutMs: 1000 })).toEqual({ value: unit(3), ...facts })
      queue.tryPut(unit(4), put)
      expect(await queue.receive()).toEqual({ value: unit(4), ...facts })
      queue.putSync(unit(5), put)
      expect(await queue.receive()).toEqual({ value: unit(5), ...facts })
    }
  })

  test('receive waits as get does', async () => {
    const queue = await bench.create()
    const other = await bench.open(queue.address)
    const received = queue.receive()
    await other.put(unit(1))
    await expect(received).resolves.toEqual({ value: unit(1), ...subject.plainFacts })
  })

  test('higher priorities come first and equal ones in order, or priorities are refused', async () => {
    const queue = await bench.create()
    if (!queue.capabilities.priorities) {
      expect(() => queue.tryPut(unit(1), { priority: 1 })).toThrow(
        expect.objectContaining({ code: 'ERR_IPC_UNSUPPORTED' }),
      )
      await expect(queue.put(unit(1), { priority: 1 })).rejects.toMatchObject({ code: 'ERR_IPC_UNSUPPORTED' })
      expect(queue.stat().depth).toBe(0)
      return
    }
    await queue.put(unit(1))
    await queue.put(unit(2), { priority: 5 })
    const highest = subject.highest ?? 32_767
    await queue.put(unit(3), { priority: highest })
    await queue.put(unit(4), { priority: 5 })
    expect(drain(queue)).toEqual([unit(3), unit(2), unit(4), unit(1)])
    for (const bad of [-1, highest + 1, 1.5, 2 ** 31, 2 ** 53, Number.NaN]) {
      await expect(queue.put(unit(1), { priority: bad })).rejects.toThrow(RangeError)
    }
    for (const bad of ['1', null, 1n]) {
      await expect(queue.put(unit(1), { priority: bad as never })).rejects.toThrow(TypeError)
    }
    expect(queue.stat().depth).toBe(0)
  })

  test('types select messages, or are refused', async () => {
    const queue = await bench.create()
    if (!queue.capabilities.types) {
      for (const wish of [{ type: 1 }, { maxType: 1 }, { except: 1 }]) {
        const refused = { code: 'ERR_IPC_UNSUPPORTED' }
        await expect(queue.get(wish as never)).rejects.toMatchObject(refused)
        expect(() => queue.tryGet(wish as never)).toThrow(expect.objectContaining(refused))
      }
      await expect(queue.put(unit(1), { type: 1 } as never)).rejects.toMatchObject({
        code: 'ERR_IPC_UNSUPPORTED',
      })
      expect(queue.stat().depth).toBe(0)
      return
    }
    const typed: Queue<string> = queue
    for (const type of [3, 1, 2]) await typed.put(unit(type), { type })
    expect(typed.tryGet({ type: 9 })).toBeUndefined()
    expect(await typed.get({ type: 2 })).toBe(unit(2))
    expect(await typed.get({ except: 3 })).toBe(unit(1))
    expect(await typed.get({ maxType: 4 })).toBe(unit(3))
  })

  test('peek shows what the next gets will give and takes nothing, or is refused', async () => {
    const queue = await bench.create()
    if (!queue.capabilities.peek) {
      expect(() => queue.peek()).toThrow(
        expect.objectContaining({ code: 'ERR_IPC_UNSUPPORTED', resource: queue.address }),
      )
      return
    }
    expect(queue.peek()).toBeUndefined()
    await queue.put(unit(1))
    await queue.put(unit(2), queue.capabilities.priorities ? { priority: 9 } : {})
    await queue.put(unit(3))
    if (subject.peeksNextOnly === true) {
      expect(queue.peek()).toBe(unit(2))
      expect(() => queue.peek(1)).toThrow(expect.objectContaining({ code: 'ERR_IPC_UNSUPPORTED' }))
      return
    }
    const seen = [queue.peek(), queue.peek(1), queue.peek(2), queue.peek(3), queue.peek(2 ** 31 - 1)]
    expect(queue.stat().depth).toBe(3)
    expect(seen).toEqual([...drain(queue), undefined, undefined])
    for (const bad of [-1, 2 ** 31, 2 ** 53, 0.5, Number.NaN])
      expect(() => queue.peek(bad)).toThrow(RangeError)
    expect(() => queue.peek('0' as never)).toThrow(TypeError)
  })

  test('stat counts messages, and tells the sizes that the kernel granted', async () => {
    const queue = await bench.create()
    expect(queue.stat()).toMatchObject({ address: queue.address, depth: 0, maxMessageBytes: largest })
    expect(queue.stat()).toMatchObject(
      'capacity' in subject.sized(room)
        ? { capacity: room }
        : { bytes: 0, maxBytes: subject.grain?.maxBytes ?? room * unitBytes },
    )
    await queue.put(unit(1))
    await queue.put(unit(2))
    expect(queue.stat().depth).toBe(2)
    expect((await bench.open(queue.address)).stat().depth).toBe(2)
    if (queue.stat().bytes !== undefined) expect(queue.stat().bytes).toBe(2 * unitBytes)
    expect(queue.maxMessageBytes).toBe(largest)
  })

  test('options that nobody knows are refused, as they would do nothing', async () => {
    const queue = await bench.create()
    await queue.put(unit(1))
    const misspelled = { timeout: 1 } as never
    await expect(queue.put(unit(2), misspelled)).rejects.toThrow(TypeError)
    await expect(queue.putMany([unit(2)], misspelled)).rejects.toThrow(TypeError)
    await expect(queue.get(misspelled)).rejects.toThrow(TypeError)
    await expect(queue.getMany(1, misspelled)).rejects.toThrow(TypeError)
    await expect(queue.receive(misspelled)).rejects.toThrow(TypeError)
    expect(() => queue.tryPut(unit(2), misspelled)).toThrow(TypeError)
    expect(() => queue.putSync(unit(2), misspelled)).toThrow(TypeError)
    expect(() => queue.tryGet(misspelled)).toThrow(TypeError)
    expect(() => queue.getSync(misspelled)).toThrow(TypeError)
    expect(() => queue.values(misspelled)).toThrow(TypeError)
    await expect(queue.get(5 as never)).rejects.toThrow(TypeError)
    await expect(queue.put(unit(2), null as never)).rejects.toThrow(TypeError)
    expect(drain(queue)).toEqual([unit(1)])
  })

  test('an error of the queue is an IpcError with code, errno, system call and address', async () => {
    const queue = await bench.create()
    const error = await queue.put('x'.repeat(largest + 1)).catch((reason: unknown) => reason)
    expect(IpcError.is(error)).toBe(true)
    expect(error).toMatchObject({ name: 'IpcError', code: 'EMSGSIZE', resource: queue.address })
    expect((error as IpcError).errno).toBeLessThan(0)
    expect((error as IpcError).syscall).toMatch(/^\w+$/)
  })
}
