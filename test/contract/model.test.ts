/**
 * Random sequences of operations by several handles on one queue. The same seed chooses the same operations:
 * `SEED=123 npx vitest run test/contract/model.test.ts`.
 */
import { randomInt } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Queue } from 'ipckit'
import { describe, expect, test } from 'vitest'
import { Dice, type Limit, Model, type Stored, type Wish } from './model.ts'
import { drain, largest, room, type Subject, subjects, Workbench } from './subject.ts'

const seed = Number(process.env.SEED ?? randomInt(2 ** 31))
type Handle = Queue<string>

const types = [1, 2, 3, 2 ** 31, 2 ** 53 - 1]
const priorities = (highest = 32_767) => [0, 1, 5, highest]

/** A queue, and the model that must agree with it after every operation. */
class Comparison {
  readonly #dice: Dice
  readonly #bench: Workbench
  readonly #handles: Handle[]
  readonly #model: Model
  readonly #typed: boolean
  readonly #labelled: boolean
  #count = 0

  constructor(dice: Dice, bench: Workbench, handles: Handle[]) {
    this.#dice = dice
    this.#bench = bench
    this.#handles = handles
    const { types: typed, priorities: byPriority } = (handles[0] as Handle).capabilities
    this.#typed = typed
    this.#labelled = typed || byPriority
    this.#model = new Model(byPriority, limitOf(bench.subject))
  }

  /** One operation, chosen by the dice, on the queue and on the model: what it was. */
  async step(): Promise<string> {
    const handle = this.#dice.pick(this.#handles)
    const operations: [weight: number, name: string, run: () => Promise<unknown>][] = [
      [6, 'put', () => this.#put(handle)],
      [2, 'putMany', () => this.#putMany(handle)],
      [6, 'get', () => this.#get(handle)],
      [2, 'getMany', () => this.#getMany(handle)],
      [2, 'peek', () => this.#peek(handle)],
      [1, 'refused', () => this.#refused(handle)],
      [1, 'reopen', () => this.#reopen(handle)],
    ]
    const each = operations.flatMap((operation) => Array<typeof operation>(operation[0]).fill(operation))
    const [, name, run] = this.#dice.pick(each)
    await run()
    const { depth, bytes = this.#model.bytes } = this.#dice.pick(this.#handles).stat()
    expect({ depth, bytes }).toEqual({ depth: this.#model.messages.length, bytes: this.#model.bytes })
    return name
  }

  #message(): Stored {
    const text = String(this.#count++)
    // System V hands a message of 0 bytes to a wait that has ended and does not know it yet, and puts it back then,
    // behind others; test/sysv/empty-messages.test.ts tells more.
    const least = this.#bench.subject.name.startsWith('sysv:') ? 1 : 0
    const size = this.#dice.pick([
      least,
      1,
      5,
      16,
      16,
      16,
      30,
      this.#bench.subject.grain === undefined ? largest : 4096,
    ])
    return {
      value: text.padStart(size, '.').slice(0, size),
      label: this.#dice.pick(this.#typed ? types : priorities(this.#bench.subject.highest)),
    }
  }

  #options(label: number): object {
    if (!this.#labelled) return {}
    return this.#typed ? { type: label } : { priority: label }
  }

  async #put(handle: Handle): Promise<void> {
    const message = this.#message()
    const options = this.#options(message.label)
    const fits = this.#model.put(message)
    const way = this.#dice.below(3)
    if (way === 0) expect(handle.tryPut(message.value, options)).toBe(fits)
    else if (!fits)
      await expect(handle.put(message.value, { ...options, timeoutMs: 0 })).rejects.toMatchObject({
        code: 'ERR_IPC_TIMEOUT',
      })
    else if (way === 1) await handle.put(message.value, options)
    else handle.putSync(message.value, options)
  }

  async #putMany(handle: Handle): Promise<void> {
    const first = this.#message()
    const messages = [
      first,
      ...Array.from({ length: this.#dice.below(5) }, () => ({ ...this.#message(), label: first.label })),
    ]
    let fit = 0
    while (fit < messages.length && this.#model.put(messages[fit] as Stored)) fit++
    const put = handle.putMany(
      messages.map(({ value }) => value),
      { ...this.#options(first.label), timeoutMs: 0 },
    )
    if (fit > 0) expect(await put).toBe(fit)
    else await expect(put).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
  }

  #wish(): Wish {
    if (!this.#typed) return {}
    const type = this.#dice.pick(types)
    return this.#dice.pick<Wish>([{}, {}, { type }, { maxType: type }, { except: type }])
  }

  async #get(handle: Handle): Promise<void> {
    const wish = this.#wish()
    const expected = this.#model.get(wish)
    const way = this.#dice.below(4)
    if (way === 0) expect(handle.tryGet(wish)).toBe(expected?.value)
    else if (expected === undefined)
      await expect(handle.get({ ...wish, timeoutMs: 0 })).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
    else if (way === 1) expect(await handle.get(wish)).toBe(expected.value)
    else if (way === 2) expect(handle.getSync(wish)).toBe(expected.value)
    else
      expect(await handle.receive(wish)).toMatchObject({
        value: expected.value,
        ...this.#options(expected.label),
      })
  }

  async #getMany(handle: Handle): Promise<void> {
    const wish = this.#wish()
    const max = this.#dice.pick([1, 2, 3, 256])
    const expected: string[] = []
    while (expected.length < max) {
      const message = this.#model.get(wish)
      if (message === undefined) break
      expected.push(message.value)
    }
    const got = handle.getMany(max, { ...wish, timeoutMs: 0 })
    if (expected.length > 0) expect(await got).toEqual(expected)
    else await expect(got).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
  }

  async #peek(handle: Handle): Promise<void> {
    if (!handle.capabilities.peek) return
    const position = this.#bench.subject.peeksNextOnly === true ? 0 : this.#dice.below(room + 2)
    expect(handle.peek(position)).toBe(this.#model.messages[position]?.value)
  }

  async #refused(handle: Handle): Promise<void> {
    const tooLarge = 'x'.repeat(handle.maxMessageBytes + 1)
    await expect(handle.put(tooLarge)).rejects.toMatchObject({ code: 'EMSGSIZE' })
    await expect(handle.put('\ud800')).rejects.toMatchObject({ code: 'ERR_IPC_ENCODE' })
    await expect(handle.putMany(['', tooLarge])).rejects.toMatchObject({ code: 'EMSGSIZE' })
    await expect(handle.put('', { signal: AbortSignal.abort('no') })).rejects.toBe('no')
    await expect(handle.get({ signal: AbortSignal.abort('no') })).rejects.toBe('no')
  }

  async #reopen(handle: Handle): Promise<void> {
    const at = this.#handles.indexOf(handle)
    await handle.close()
    this.#handles[at] = await this.#bench.open(handle.address)
  }
}

/** Which pages of a pipe are full is more than the model knows: there the queue is larger than what is put. */
function sizesOf(subject: Subject): object {
  return subject.grain === undefined ? subject.sized(room) : { maxBytes: 2 ** 20 }
}

function limitOf(subject: Subject): Limit {
  if (subject.grain !== undefined) return { messages: Number.POSITIVE_INFINITY }
  return 'capacity' in subject.sized(room) ? { messages: room } : { bytes: largest }
}

/** What was asked of one handle, in the order in which it was asked. */
interface Ledger {
  readonly handle: Handle
  /** Each value that it put, with what became of it. */
  readonly puts: { values: string[]; sent?: number }[]
  readonly gets: { values?: string[] }[]
}

/** Waits of several handles that are served, aborted, timed out and closed while others come. */
class Crowd {
  readonly #dice: Dice
  readonly #bench: Workbench
  readonly #address: string
  readonly #calls: Promise<unknown>[] = []
  readonly #controllers: AbortController[] = []
  readonly all: Ledger[] = []
  readonly #open: Ledger[] = []
  #count = 0

  constructor(dice: Dice, bench: Workbench, address: string) {
    this.#dice = dice
    this.#bench = bench
    this.#address = address
  }

  async join(): Promise<void> {
    const ledger: Ledger = { handle: await this.#bench.open(this.#address), puts: [], gets: [] }
    this.all.push(ledger)
    this.#open.push(ledger)
  }

  async step(): Promise<void> {
    const ledger = this.#dice.pick(this.#open)
    const dice = this.#dice.below(20)
    if (dice < 6) this.#put(ledger)
    else if (dice < 12) this.#get(ledger)
    else if (dice === 12) ledger.puts.push({ values: [this.#value()], sent: 0 })
    else if (dice === 13) this.#tryPut(ledger)
    else if (dice === 14) this.#tryGet(ledger)
    else if (dice === 15) this.#dice.pick(this.#controllers)?.abort('enough')
    else if (dice < 19) for (let turns = this.#dice.below(4); turns >= 0; turns--) await nextTurn()
    else await this.#leave(ledger)
  }

  /** Ends all waits, and resolves when they have ended. */
  async end(): Promise<void> {
    const closing = this.#open.map(({ handle }) => handle.close())
    await Promise.all(this.#calls)
    await Promise.all(closing)
  }

  #value(): string {
    return String(this.#count++).padStart(6, '0')
  }

  #options(): { signal?: AbortSignal; timeoutMs?: number } {
    const dice = this.#dice.below(4)
    if (dice === 0) return { timeoutMs: this.#dice.below(3) }
    if (dice === 1) return {}
    const controller = new AbortController()
    this.#controllers.push(controller)
    return { signal: controller.signal }
  }

  #put({ handle, puts }: Ledger): void {
    const many = this.#dice.below(3) === 0
    const put: Ledger['puts'][number] = { values: Array.from({ length: many ? 5 : 1 }, () => this.#value()) }
    puts.push(put)
    const call = many
      ? handle.putMany(put.values, this.#options())
      : handle.put(put.values[0] as string, this.#options()).then(() => 1)
    this.#settle(call, (sent) => {
      put.sent = sent ?? 0
    })
  }

  #get({ handle, gets }: Ledger): void {
    const get: Ledger['gets'][number] = {}
    gets.push(get)
    const many = this.#dice.below(3) === 0
    const call = many
      ? handle.getMany(3, this.#options())
      : handle.get(this.#options()).then((value) => [value])
    this.#settle(call, (values) => {
      get.values = values ?? []
    })
  }

  #tryPut({ handle, puts }: Ledger): void {
    const values = [this.#value()]
    puts.push({ values, sent: handle.tryPut(values[0] as string) ? 1 : 0 })
  }

  #tryGet({ handle, gets }: Ledger): void {
    const value = handle.tryGet()
    gets.push({ values: value === undefined ? [] : [value] })
  }

  #settle<R>(call: Promise<R>, note: (result: R | undefined) => void): void {
    const done = call.then(note, (reason: unknown) => {
      const { code } = Object(reason) as { code?: string }
      if (reason !== 'enough' && code !== 'ERR_IPC_TIMEOUT' && code !== 'ERR_IPC_CLOSED') throw reason
      note(undefined)
    })
    done.catch(() => {})
    this.#calls.push(done)
  }

  async #leave(ledger: Ledger): Promise<void> {
    this.#open.splice(this.#open.indexOf(ledger), 1)
    const closed = ledger.handle.close()
    if (this.#dice.below(2) === 0) await closed
    await this.join()
  }
}

function properties(subject: Subject): void {
  const bench = new Workbench(subject)

  test.each(Array.from({ length: 20 }, (_, run) => seed + run))(
    'agrees with its model after every operation (seed %i)',
    async (runSeed) => {
      const dice = new Dice(runSeed)
      const queue = await bench.create(undefined, sizesOf(subject))
      const handles = [queue, await bench.open(queue.address), await bench.open(queue.address)]
      const comparison = new Comparison(dice, bench, handles)
      const history: string[] = []
      try {
        for (let steps = 0; steps < 150; steps++) history.push(await comparison.step())
      } catch (error) {
        ;(error as Error).message += `\nafter ${history.length} operations: ${history.join(', ')}`
        throw error
      }
    },
  )

  test.each(Array.from({ length: 10 }, (_, run) => seed + run))(
    'gives each value that was put to one get, in order, whatever ends the waits (seed %i)',
    async (runSeed) => {
      const dice = new Dice(runSeed)
      const queue = await bench.create()
      const crowd = new Crowd(dice, bench, queue.address)
      for (let handles = 0; handles < 4; handles++) await crowd.join()
      for (let steps = 0; steps < 400; steps++) await crowd.step()
      await crowd.end()

      const left = drain(queue)
      const sent = crowd.all.flatMap(({ puts }) => puts.flatMap((put) => put.values.slice(0, put.sent)))
      const got = [...crowd.all.flatMap(({ gets }) => gets.flatMap(({ values }) => values ?? [])), ...left]
      expect(got.sort()).toEqual(sent.sort())

      const producerOf = new Map(
        crowd.all.flatMap(({ puts }, at) => puts.flatMap(({ values }) => values.map((value) => [value, at]))),
      )
      for (const { gets } of crowd.all) {
        const last = new Map<number, string>()
        for (const value of gets.flatMap(({ values }) => values ?? [])) {
          const producer = producerOf.get(value) as number
          expect(value > (last.get(producer) ?? ''), `${value} after ${last.get(producer)}`).toBe(true)
          last.set(producer, value)
        }
      }
    },
  )
}

for (const subject of subjects) {
  describe(`a queue over ${subject.name}`, () => properties(subject))
}
