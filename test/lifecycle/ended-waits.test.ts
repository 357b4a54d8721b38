/**
 * Waits that are ended by the thousand, at any moment, while messages flow: none is lost and none is doubled.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ClosedError, TimeoutError } from 'ipckit'
import { MessageQueue } from 'ipckit/sysv'
import { describe, expect, test } from 'vitest'
import { descriptors, settledCounts, threads } from '../helpers/counts.ts'
import { type ByteQueue, carriers, makeQueue, numbered, numberOf, openQueue } from '../helpers/kernels.ts'
import { Program } from '../helpers/program.ts'
import { long, randomFrom, seed } from '../helpers/random.ts'
import { Trickle } from '../helpers/trickle.ts'
import { until } from '../helpers/waiting.ts'

/** Ends a wait after 0 to 2 ms, in all the ways in which a moment can pass. */
function endSoon(random: (below: number) => number): { signal?: AbortSignal; timeoutMs?: number } {
  if (random(3) === 0) return { timeoutMs: random(3) }
  const controller = new AbortController()
  const abort = () => controller.abort()
  const ways = [
    () => queueMicrotask(abort),
    () => setImmediate(abort),
    () => setImmediate(() => setImmediate(abort)),
    () => setTimeout(abort, 1),
    () => setTimeout(abort, 2),
  ]
  ways[random(ways.length)]?.()
  return { signal: controller.signal }
}

/** A wait that was ended by endSoon fails in no other way. */
function checkEnd(error: unknown): void {
  if (!(error instanceof TimeoutError) && (error as Error).name !== 'AbortError') throw error
}

const rounds = long ? 1_000_000 : 10_000

describe.each(carriers)(`%s, seed ${seed}${long ? ', long' : ''}: of`, (kernel) => {
  test(`${rounds} gets that are ended while another process sends, no message is lost or doubled`, {
    timeout: 0,
  }, async (here) => {
    const random = randomFrom(seed)
    const queue = await makeQueue(here, kernel, { capacity: 8 })
    await queue.get({ timeoutMs: 1 }).catch(() => {})
    const before = await settledCounts()
    const trickle = new Trickle(here, queue, { seed })
    const handles = await Promise.all([
      openQueue(here, queue),
      openQueue(here, queue),
      openQueue(here, queue),
    ])
    const got: number[][] = handles.map(() => [])
    let ended = 0
    const act = async (handle: number) => {
      // The sender may be slow: some messages must have come in between.
      while (ended < rounds || got.flat().length <= 100) {
        try {
          const value = await (handles[handle] as ByteQueue).get(endSoon(random))
          got[handle]?.push(numberOf(value))
        } catch (error) {
          checkEnd(error)
          ended++
        }
      }
    }
    await Promise.all(Array.from({ length: 30 }, (_, at) => act(at % 3)))
    const { count, rest } = await trickle.end(queue)
    const all = [...got.flat(), ...rest].sort((a, b) => a - b)
    expect(all).toEqual(Array.from({ length: count }, (_, at) => at + 1))
    // One sender and one receiver: in order.
    for (const numbers of got) expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    expect(count).toBeGreaterThan(100)
    await Promise.all(handles.map((handle) => handle.close()))
    await until(() => threads() <= before.threads && descriptors() <= before.descriptors)
  })

  const puts = rounds / 2

  test(`${puts} puts that are ended while another process takes, each is there once or was refused`, {
    timeout: 0,
  }, async (here) => {
    const random = randomFrom(seed)
    const queue = await makeQueue(here, kernel)
    const program = new Program(here, 'collect.mjs', { address: queue.address, pauseEvery: 3 })
    expect(await program.says()).toBe('there')
    const sent: number[] = []
    const refused: number[] = []
    let next = 0
    const act = async () => {
      while (sent.length + refused.length < puts) {
        const number = ++next
        await queue.put(numbered(number), endSoon(random)).then(
          () => sent.push(number),
          (error) => {
            checkEnd(error)
            refused.push(number)
          },
        )
      }
    }
    await Promise.all(Array.from({ length: 12 }, act))
    await queue.put(numbered(0xffff_ffff))
    const taken = JSON.parse(await program.says())
    expect(taken).toEqual([...sent].sort((a, b) => a - b))
    expect(refused.length).toBeGreaterThan(puts / 20)
    expect(sent.length).toBeGreaterThan(puts / 20)
    expect(await program.ended).toMatchObject({ code: 0, errors: '' })
  })

  test(`${puts} puts whose handle is closed, each is there once or was refused`, {
    timeout: 0,
  }, async (here) => {
    const random = randomFrom(seed)
    const queue = await makeQueue(here, kernel)
    const program = new Program(here, 'collect.mjs', { address: queue.address, pauseEvery: 2 })
    expect(await program.says()).toBe('there')
    const sent: number[] = []
    let refused = 0
    let next = 0
    while (sent.length + refused < puts) {
      const handle = await openQueue(here, queue)
      const waits = Array.from({ length: 20 }, () => {
        const number = ++next
        return handle.put(numbered(number)).then(
          () => sent.push(number),
          (error) => {
            if (!(error instanceof ClosedError)) throw error
            refused++
          },
        )
      })
      for (let turns = random(40); turns > 0; turns--) await nextTurn()
      await handle.close()
      await Promise.all(waits)
    }
    await queue.put(numbered(0xffff_ffff))
    expect(JSON.parse(await program.says())).toEqual(sent)
    expect(refused).toBeGreaterThan(puts / 20)
    expect(sent.length).toBeGreaterThan(puts / 20)
    expect(await program.ended).toMatchObject({ code: 0, errors: '' })
  })

  test(`${puts / 50} batches that are ended, each tells exactly how many are there`, {
    timeout: 0,
  }, async (here) => {
    const random = randomFrom(seed)
    const queue = await makeQueue(here, kernel)
    const program = new Program(here, 'collect.mjs', { address: queue.address, pauseEvery: 4 })
    expect(await program.says()).toBe('there')
    const expected: number[] = []
    let partial = 0
    let next = 0
    for (let batch = 0; batch < puts / 50; batch++) {
      const numbers = Array.from({ length: 1 + random(20) }, () => ++next)
      const sent = await queue.putMany(numbers.map(numbered), endSoon(random)).catch((error) => {
        checkEnd(error)
        return 0
      })
      if (sent < numbers.length) partial++
      expected.push(...numbers.slice(0, sent))
    }
    await queue.put(numbered(0xffff_ffff))
    expect(JSON.parse(await program.says())).toEqual(expected)
    expect(partial).toBeGreaterThan(0)
    expect(await program.ended).toMatchObject({ code: 0, errors: '' })
  })
})

describe(`sysv, seed ${seed}${long ? ', long' : ''}: of`, () => {
  const count = rounds / 4

  test(`${count} gets by type that are ended, each that was not got what it asked for, and nothing is lost`, {
    timeout: 0,
  }, async (here) => {
    const random = randomFrom(seed)
    const queue = await makeQueue(here, 'sysv', { capacity: 16 })
    const trickle = new Trickle(here, queue, { seed, types: 4 })
    const handles = [await openQueue(here, queue), await openQueue(here, queue)]
    const got: number[] = []
    let ended = 0
    const wishes: [options: object, fits: (type: number) => boolean][] = [
      [{ type: 1 }, (type) => type === 1],
      [{ type: 3 }, (type) => type === 3],
      [{ maxType: 2 }, (type) => type <= 2],
      [{ except: 3 }, (type) => type !== 3],
      [{}, () => true],
    ]
    const act = async (handle: ByteQueue) => {
      // The sender may be slow: some messages must have come in between.
      while (ended < count || got.length <= 100) {
        const [options, fits] = wishes[random(wishes.length)] as (typeof wishes)[0]
        try {
          const envelope = await handle.receive({ ...options, ...endSoon(random) })
          expect(fits((envelope as { type: number }).type)).toBe(true)
          got.push(numberOf(envelope.value))
        } catch (error) {
          checkEnd(error)
          ended++
        }
      }
    }
    await Promise.all(Array.from({ length: 20 }, (_, at) => act(handles[at % 2] as ByteQueue)))
    const { count: sent, rest } = await trickle.end(queue)
    const all = [...got, ...rest].sort((a, b) => a - b)
    expect(all).toEqual(Array.from({ length: sent }, (_, at) => at + 1))
    expect(got.length).toBeGreaterThan(100)
  })

  // A waiting thread cannot leave a message without text in the queue: it is handed over (docs/transports.md).
  test(`${count} gets that are ended while messages without text flow, none is lost or doubled`, {
    timeout: 0,
  }, async (here) => {
    const random = randomFrom(seed)
    const queue = await makeQueue(here, 'sysv', { capacity: 16 })
    const trickle = new Trickle(here, queue, { seed, empty: true })
    const typeOf = (envelope: unknown) => (envelope as { type: number }).type
    const got: number[] = []
    let ended = 0
    const act = async (kind: number) => {
      // The sender may be slow: some messages must have come in between.
      while (ended < count || got.length <= 100) {
        const handle = await openQueue(here, queue)
        for (let use = 0; use < 50; use++) {
          try {
            const options = kind === 0 ? {} : { except: 2 ** 40 }
            got.push(typeOf(await handle.receive({ ...options, ...endSoon(random) })))
          } catch (error) {
            checkEnd(error)
            ended++
          }
        }
        await handle.close()
      }
    }
    await Promise.all(Array.from({ length: 6 }, (_, at) => act(at % 2)))
    // Closed handles give back, behind the others, what their threads still held.
    await settledCounts()
    const messages = MessageQueue.open(Number(queue.address.slice('sysv:'.length)))
    here.onTestFinished(() => messages.close())
    const takeAll = () => {
      const types: number[] = []
      for (let next = messages.tryReceive(); next !== undefined; next = messages.tryReceive())
        types.push(next.type)
      return types
    }
    const { count: sent, rest } = await trickle.end(queue, takeAll)
    const all = [...got, ...rest].sort((a, b) => a - b)
    expect(all).toEqual(Array.from({ length: sent }, (_, at) => at + 1))
    expect(got.length).toBeGreaterThan(100)
  })
})
