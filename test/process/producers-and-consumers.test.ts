/**
 * Processes that share nothing but the name of a queue: many that put, many that take, some of them with several
 * handles, and SIGKILL at random moments. Each keeps a ledger, and the ledgers are audited at the end.
 *
 * What may be missing is what a consumer that was killed had taken: at most one message for each of its handles
 * that was in a get when it died, as its ledger shows.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { longest, nameOf } from '../fixtures/ledger.mjs'
import { type ByteQueue, type Carrier, carriers, makeQueue, type Owner } from '../helpers/kernels.ts'
import { audit } from '../helpers/ledgers.ts'
import { Program } from '../helpers/program.ts'
import { long, randomFrom, seed } from '../helpers/random.ts'

interface Running {
  program: Program
  ledger: string
  restart: () => Promise<Running>
}

class Market {
  readonly #here: Owner
  readonly #queue: ByteQueue
  readonly #folder: string
  readonly ledgers: { producers: string[]; consumers: string[] } = { producers: [], consumers: [] }
  #started = 0

  constructor(here: Owner, queue: ByteQueue) {
    this.#here = here
    this.#queue = queue
    this.#folder = mkdtempSync(join(tmpdir(), 'ipckit-ledgers-'))
    here.onTestFinished(() => rmSync(this.#folder, { recursive: true }))
  }

  producer(producer: number, way: string): Promise<Running> {
    const incarnation = ++this.#started
    return this.#start('producer', { producer, incarnation, way }, () => this.producer(producer, way))
  }

  consumer(handles: number, way: string): Promise<Running> {
    return this.#start('consumer', { handles, way }, () => this.consumer(handles, way))
  }

  async #start(
    role: 'producer' | 'consumer',
    argument: object,
    restart: () => Promise<Running>,
  ): Promise<Running> {
    const ledger = join(this.#folder, `${role}-${this.#started++}`)
    const program = new Program(this.#here, `${role}.mjs`, {
      address: this.#queue.address,
      ledger,
      ...argument,
    })
    expect(await program.says()).toBe('there')
    this.ledgers[`${role}s`].push(ledger)
    return { program, ledger, restart }
  }

  /** Ends the producers, then the consumers when nothing comes any more; names what is left in the queue. */
  async close(producers: Running[], consumers: Running[]): Promise<string[]> {
    for (const group of [producers, consumers]) {
      for (const { program } of group) program.tellNothingMore()
      for (const { program } of group)
        expect(await program.ended).toEqual({ code: 0, signal: null, rest: [], errors: '' })
    }
    const left: string[] = []
    for (let message = this.#queue.tryGet(); message !== undefined; message = this.#queue.tryGet()) {
      left.push(nameOf(message))
    }
    return left
  }
}

const market = async (here: Owner, kernel: Carrier) =>
  new Market(here, await makeQueue(here, kernel, { capacity: 10, bytes: longest }))

const producing = ['put', 'putSync', 'putMany']
const consuming: [number, string][] = [
  [1, 'get'],
  [3, 'get'],
  [1, 'getSync'],
  [2, 'getMany'],
]

describe.each(carriers)('%s', (kernel) => {
  const seconds = long ? 60 : 2

  test(`three producers and four consumers, of which some have several handles, for ${seconds} s: all is taken once, in order`, {
    timeout: 0,
  }, async (here) => {
    const stand = await market(here, kernel)
    const consumers = await Promise.all(consuming.map(([handles, way]) => stand.consumer(handles, way)))
    const producers = await Promise.all(producing.map((way, at) => stand.producer(at + 1, way)))
    await sleep(seconds * 1000)
    const left = await stand.close(producers, consumers)
    const books = audit({ ...stand.ledgers, left })
    expect(books).toMatchObject({
      missing: [],
      phantoms: [],
      doubled: [],
      outOfOrder: [],
      left: 0,
      diedInGet: 0,
    })
    expect(books.taken).toBe(books.sent)
    expect(books.intended).toBe(books.sent)
    expect(books.sent).toBeGreaterThan(100 * seconds)
  })

  const kills = long ? 2000 : 40

  test(`the same with ${kills} of them killed at random moments, seed ${seed}: nothing is missing but what the killed had taken`, {
    timeout: 0,
  }, async (here) => {
    const random = randomFrom(seed)
    const stand = await market(here, kernel)
    const consumers = await Promise.all(consuming.map(([handles, way]) => stand.consumer(handles, way)))
    const producers = await Promise.all(producing.map((way, at) => stand.producer(at + 1, way)))
    for (let kill = 0; kill < kills; ) {
      // Some at a time: those that start anew share the processors.
      const groups = [producers, consumers, consumers]
      const group = groups[random(groups.length)] as Running[]
      const victims = [...new Set([random(group.length), random(group.length)])]
      await sleep(random(40))
      for (const at of victims) (group[at] as Running).program.kill('SIGKILL')
      await Promise.all(
        victims.map(async (at) => {
          const { program, restart } = group[at] as Running
          expect(await program.ended).toMatchObject({ signal: 'SIGKILL', errors: '' })
          group[at] = await restart()
        }),
      )
      kill += victims.length
    }
    const left = await stand.close(producers, consumers)
    const books = audit({ ...stand.ledgers, left })
    expect(books).toMatchObject({ phantoms: [], doubled: [], outOfOrder: [], left: 0 })
    expect(books.missing.length, books.missing.join(' ')).toBeLessThanOrEqual(books.diedInGet)
    expect(books.sent).toBeGreaterThan(kills)
  })
})
