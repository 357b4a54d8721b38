/**
 * Producers and consumers that die in every way while messages flow: killed, asked to end, exiting, their threads
 * terminated. Ledgers tell afterwards that nothing was lost, and that whatever came twice said so.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue, raw } from 'ipckit'
import { expect, onTestFinished, test } from 'vitest'
import { longest, nameOf } from '../fixtures/ledger.mjs'
import { Program } from '../helpers/program.ts'
import { long, randomFrom, seed } from '../helpers/random.ts'
import { keep, newAddress } from './support.ts'

interface Books {
  intended: Set<string>
  sent: Set<string>
  /** By message, by delivery: what became of it. */
  deliveries: Map<string, Map<number, string>>
  wrong: string[]
}

/** Reads the ledgers of producers, and those of handles of consumers. */
function read(folder: string): Books {
  const books: Books = { intended: new Set(), sent: new Set(), deliveries: new Map(), wrong: [] }
  const lines = (file: string) => readFileSync(join(folder, file), 'utf8').split('\n').slice(0, -1)
  const files = readdirSync(folder)
  for (const line of files.filter((file) => file.startsWith('producer')).flatMap(lines)) {
    const [what, name] = line.split(' ') as [string, string]
    if (what === 'intent') books.intended.add(name)
    if (what === 'ok') books.sent.add(name)
  }
  for (const line of files.filter((file) => file.startsWith('consumer')).flatMap(lines)) {
    const [what, name, number, marked] = line.split(' ') as [string, string, string, string]
    if (what === 'start') continue
    const count = Number(number)
    const all = books.deliveries.get(name) ?? new Map<number, string>()
    books.deliveries.set(name, all)
    const before = all.get(count)
    if (what === 'took' ? before !== undefined : before !== 'took')
      books.wrong.push(`${line} after ${before}`)
    if (what === 'took' && marked !== String(count > 1)) books.wrong.push(`${line}: wrongly marked`)
    all.set(count, what)
  }
  return books
}

/** What breaks a promise. */
function audit({ intended, sent, deliveries, wrong }: Books, left: readonly string[]): string[] {
  const faults = [...wrong]
  for (const name of [...deliveries.keys(), ...left])
    if (!intended.has(name)) faults.push(`${name}: nobody put it`)
  for (const name of sent) {
    if (!deliveries.has(name) && !left.includes(name)) faults.push(`${name}: lost`)
  }
  for (const [name, all] of deliveries) {
    const last = Math.max(...all.keys())
    for (const [count, what] of all) {
      if (what === 'ack' && (count < last || left.includes(name)))
        faults.push(`${name}: came after its ack ${count}`)
    }
    // Its holder gave it back, and nobody has got it since.
    if (all.get(last) === 'nack' && !left.includes(name)) faults.push(`${name}: lost after delivery ${last}`)
  }
  return faults
}

test('the auditor finds what is lost, what comes again unmarked or after its end, and what nobody put', () => {
  const books = (lines: [string, [number, string][]][], wrong: string[] = []): Books => ({
    intended: new Set(['a', 'b']),
    sent: new Set(['a']),
    deliveries: new Map(lines.map(([name, all]) => [name, new Map(all)])),
    wrong,
  })
  const took: [number, string] = [1, 'took']
  expect(audit(books([['a', [[1, 'ack']]]]), [])).toEqual([])
  expect(audit(books([['a', [took, [2, 'ack']]]]), ['b'])).toEqual([])
  expect(audit(books([]), ['a'])).toEqual([])
  expect(audit(books([]), [])).toEqual(['a: lost'])
  expect(audit(books([['a', [[1, 'nack']]]]), [])).toEqual(['a: lost after delivery 1'])
  expect(
    audit(
      books([
        [
          'a',
          [
            [1, 'ack'],
            [2, 'took'],
          ],
        ],
      ]),
      [],
    ),
  ).toEqual(['a: came after its ack 1'])
  expect(audit(books([['a', [[1, 'ack']]]]), ['a'])).toEqual(['a: came after its ack 1'])
  expect(
    audit(
      books([
        ['a', [[1, 'ack']]],
        ['c', [took]],
      ]),
      [],
    ),
  ).toEqual(['c: nobody put it'])
  expect(audit(books([['a', [[1, 'ack']]]], ['wrong']), [])).toEqual(['wrong'])
})

const seconds = long ? 300 : 8

test(`whoever dies, nothing is lost and what comes twice says so, for ${seconds} s (seed ${seed})`, {
  timeout: 0,
}, async () => {
  const random = randomFrom(seed)
  const queue = keep(
    await Queue.create(newAddress(), { codec: raw(), capacity: 64, maxMessageBytes: longest }),
  )
  const { freeBytes } = queue.stat()
  const folder = mkdtempSync(join(tmpdir(), 'ipckit-storm-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  let started = 0
  const start = async (role: 'producer' | 'lease-consumer', argument: object) => {
    const number = ++started
    const ledger = join(folder, `${role === 'producer' ? role : 'consumer'}-${number}`)
    const all = { address: queue.address, ledger, incarnation: number, seed: seed + number, ...argument }
    const program = new Program({ onTestFinished }, `${role}.mjs`, all)
    expect(await program.says()).toBe('there')
    return program
  }
  const producers = ['put', 'putSync', 'putMany'].map(
    (way, at) => () => start('producer', { producer: at + 1, way }),
  )
  const consumers = [
    () => start('lease-consumer', { handles: 1, fate: 'stay' }),
    () => start('lease-consumer', { handles: 3, fate: 'exit' }),
    () => start('lease-consumer', { handles: 2, fate: 'worker' }),
  ]
  const makers = [...producers, ...consumers]
  const running = await Promise.all(makers.map((make) => make()))
  let deaths = 0
  for (const until = performance.now() + seconds * 1000; performance.now() < until; ) {
    await sleep(random(60))
    const victim = random(running.length)
    const program = running[victim] as Program
    if (program.running) program.kill(random(3) === 0 ? 'SIGTERM' : 'SIGKILL')
    const { errors } = await program.ended
    expect(errors).toBe('')
    deaths++
    running[victim] = await (makers[victim] as () => Promise<Program>)()
  }
  for (const group of [running.slice(0, producers.length), running.slice(producers.length)]) {
    for (const program of group) program.tellNothingMore()
    for (const program of group)
      expect(await program.ended).toMatchObject({ code: 0, signal: null, errors: '' })
  }
  const left: string[] = []
  for (;;) {
    const { depth, inFlight } = queue.stat()
    if (depth + inFlight === 0) break
    left.push(nameOf(await queue.get()))
  }
  const books = read(folder)
  expect(audit(books, left)).toEqual([])
  const { totals, freeBytes: freeAfter, participants } = queue.stat()
  expect(totals.done).toBe(totals.put)
  expect(totals.put).toBeGreaterThanOrEqual(books.sent.size)
  expect(totals.put).toBeLessThanOrEqual(books.intended.size)
  expect(freeAfter).toBe(freeBytes)
  expect(participants.filter(({ alive }) => alive)).toHaveLength(1)
  expect(books.sent.size).toBeGreaterThan(20 * seconds)
  expect(deaths).toBeGreaterThan(seconds)
  expect(totals.redelivered).toBeGreaterThan(0)
})
