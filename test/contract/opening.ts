/** The contract of opening and making queues. */
import { Queue, text } from 'ipckit'
import { expect, test } from 'vitest'
import { fill, largest, room, type Subject, unit, Workbench } from './subject.ts'

/** Which schemes have an option. */
const schemesOf: Record<string, string[]> = {
  access: ['posix'],
  capacity: ['posix', 'shm', 'memory'],
  maxMessageBytes: ['posix', 'fifo', 'shm', 'memory'],
  mode: ['posix', 'sysv', 'fifo', 'shm'],
  maxBytes: ['sysv', 'fifo'],
  priorities: ['sysv', 'shm'],
  owner: ['fifo'],
  capacityBytes: ['shm'],
  prefetch: ['shm'],
  anyType: ['shm'],
  anyOwner: ['shm'],
  anyMode: ['shm'],
  participants: ['shm'],
  maxDeliveries: ['shm'],
  deadLetters: ['shm'],
  joinable: ['shm'],
}

export function opening(subject: Subject): void {
  const bench = new Workbench(subject)

  test('open rejects with NotFoundError when there is no such queue', async () => {
    const address = bench.newAddress()
    await expect(bench.open(address)).rejects.toMatchObject({
      name: 'NotFoundError',
      code: 'ENOENT',
      message: expect.stringContaining('openOrCreate'),
    })
  })

  test('create rejects with ExistsError when there is such a queue, and harms it not', async () => {
    const queue = await bench.create()
    await queue.put(unit(1))
    await expect(bench.make('create', queue.address, text(), {})).rejects.toMatchObject({
      name: 'ExistsError',
      code: 'EEXIST',
      resource: queue.address,
      message: expect.stringContaining('unlink'),
    })
    expect(await queue.get()).toBe(unit(1))
  })

  test('openOrCreate makes a queue, and opens it the next time with the sizes that it has', async () => {
    const address = bench.newAddress()
    const made = await bench.make('openOrCreate', address, text(), subject.sized(room))
    await made.put(unit(1))
    const opened = await bench.make('openOrCreate', address, text(), subject.sized(room + 3))
    expect(opened.maxMessageBytes).toBe(largest)
    expect(await opened.get()).toBe(unit(1))
    expect(fill(opened)).toBe(room)
  })

  test('of many who call openOrCreate at once, all get the same queue', async () => {
    const address = bench.newAddress()
    const queues = await Promise.all(
      Array.from({ length: 10 }, () => bench.make('openOrCreate', address, text(), subject.sized(room))),
    )
    for (const queue of queues) {
      await queue.put(unit(1))
      expect(queues.map((each) => each.stat().depth)).toEqual(queues.map(() => 1))
      await queue.get()
    }
  })

  const rest = subject.forgets ? 'a queue lives on, empty,' : 'a queue lives on'
  test(`${rest} when all handles are closed`, async () => {
    const queue = await bench.create()
    await queue.put(unit(1))
    await queue.close()
    const again = await bench.open(queue.address)
    expect(again.tryGet()).toBe(subject.forgets ? undefined : unit(1))
  })

  test('a queue that was removed is not found, and a new one of its name is empty', async () => {
    const queue = await bench.create()
    await queue.put(unit(1))
    await queue.unlink()
    await expect(bench.open(queue.address)).rejects.toMatchObject({ name: 'NotFoundError' })
    const fresh = await bench.make('create', queue.address, text(), subject.sized(room))
    expect(fresh.stat().depth).toBe(0)
    expect(fresh.tryGet()).toBeUndefined()
  })

  test('options that are none, and codecs that are none, are refused', async () => {
    const queue = await bench.create()
    const open = Queue.open as (address: unknown, options?: unknown) => Promise<unknown>
    await expect(open(queue.address)).rejects.toThrow(TypeError)
    await expect(open(queue.address, null)).rejects.toThrow(TypeError)
    await expect(open(queue.address, {})).rejects.toThrow(TypeError)
    await expect(open(queue.address, { codec: text })).rejects.toThrow(TypeError)
    await expect(open(queue.address, { codec: { name: 'x', encode() {} } })).rejects.toThrow(TypeError)
    await expect(open(queue.address, { codec: text(), capasity: 5 })).rejects.toThrow(/capasity/)
    await expect(open(queue.address, { codec: text(), ...subject.sized(1) })).rejects.toThrow(TypeError)
    await expect(open(5, { codec: text() })).rejects.toThrow(TypeError)
    await expect(open(undefined, { codec: text() })).rejects.toThrow(TypeError)
  })

  test('options that only other schemes have are refused, with the reason, and nothing is made', async () => {
    const scheme = subject.name.replace(/:.*/, '')
    const foreign = Object.entries(schemesOf).filter(([, schemes]) => !schemes.includes(scheme))
    expect(foreign.length).toBeGreaterThan(0)
    for (const [option] of foreign) {
      const address = bench.newAddress()
      for (const how of ['create', 'openOrCreate', 'open'] as const) {
        await expect(bench.make(how, address, text(), { [option]: 1 }), option).rejects.toMatchObject({
          code: 'ERR_IPC_UNSUPPORTED',
          resource: address,
          message: expect.stringMatching(`^\`${option}\` is not possible on ${scheme}:.*: `),
        })
      }
      await expect(bench.open(address)).rejects.toMatchObject({ code: 'ENOENT' })
    }
  })

  test('options that no scheme has, or that only make a queue, are refused with their value', async () => {
    const queue = await bench.create()
    await expect(bench.make('open', queue.address, text(), { capasity: 5 })).rejects.toThrow(
      /^Expected (no options|only the options .*) for `options`, received \{ capasity: 5 \}$/,
    )
    const [[size, value] = []] = Object.entries(subject.sized(room))
    await expect(bench.make('open', queue.address, text(), { [size as string]: value })).rejects.toThrow(
      new RegExp(`received \\{ ${size}: ${value} \\}`),
    )
  })

  test('sizes that cannot be are refused, and nothing is made', async () => {
    for (const [option] of Object.entries(subject.sized(room))) {
      for (const bad of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        const address = bench.newAddress()
        await expect(bench.make('create', address, text(), { [option]: bad })).rejects.toThrow(RangeError)
        await expect(bench.make('openOrCreate', address, text(), { [option]: bad })).rejects.toThrow(
          RangeError,
        )
        await expect(bench.open(address)).rejects.toMatchObject({ code: 'ENOENT' })
      }
      for (const bad of ['10', null, 10n]) {
        await expect(bench.make('create', bench.newAddress(), text(), { [option]: bad })).rejects.toThrow(
          TypeError,
        )
      }
    }
  })

  test('sizes that cannot be are refused also when the queue exists', async () => {
    const queue = await bench.create()
    for (const [option] of Object.entries(subject.sized(room))) {
      await expect(bench.make('openOrCreate', queue.address, text(), { [option]: -1 })).rejects.toThrow(
        RangeError,
      )
    }
  })

  test('a handle tells its address, its transport and whether it is closed', async () => {
    const queue = await bench.create()
    expect(queue.address.startsWith(subject.name.slice(0, subject.name.indexOf(':') + 1))).toBe(true)
    expect((await bench.open(queue.address)).address).toBe(queue.address)
    expect(queue.closed).toBe(false)
    await queue.close()
    expect(queue.closed).toBe(true)
  })
}
