/**
 * Producers and consumers in Node, C and Python that die in every way while messages flow: killed, asked to end,
 * stopped for a while, exiting, aborting, their threads terminated. Ledgers tell afterwards that nothing was lost,
 * and that whatever came twice said so and had a reason.
 *
 * IPCKIT_STORM_KILLS=1000 goes on until so many have died; .ci/lanes/storm.sh does.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue, raw } from 'ipckit'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { longest, nameOf } from '../fixtures/ledger.mjs'
import { Program } from '../helpers/program.ts'
import { long, randomFrom, seed } from '../helpers/random.ts'
import { until } from '../helpers/waiting.ts'
import { buildPeers, python } from '../interop/peers.ts'
import { packageEnvironment } from '../interop/python-package.ts'
import { buildFixture } from '../interop/ring-peers.ts'
import { audit, type Books, emptyBooks, enterConsumer, enterProducer, readLedgers } from './storm-ledgers.ts'
import { keep, newAddress } from './support.ts'

let peer: string
beforeAll(() => {
  buildPeers()
  peer = buildFixture('storm-peer')
})

test('the auditor finds what is lost, what comes again unmarked, after its end or without a reason, and what nobody put', () => {
  const faultsOf = (...ledgers: string[][]) => {
    const books: Books = emptyBooks()
    enterProducer(books, ['intent 1.1.1', 'ok 1.1.1', 'intent 1.1.2'])
    for (const lines of ledgers) enterConsumer(books, ['start 1', ...lines])
    return audit(books)
  }
  const first = 'took 1.1.1 1 false false'
  const second = 'took 1.1.1 2 true false'
  const settled = ['acking 1.1.1 1', 'ack 1.1.1 1']
  const again = [second, 'acking 1.1.1 2', 'ack 1.1.1 2', 'end']
  expect(faultsOf([first, ...settled, 'end'])).toEqual([])
  expect(faultsOf([first], again)).toEqual([])
  expect(faultsOf([first, 'acking 1.1.1 1'])).toEqual([])
  expect(faultsOf([first, 'nack 1.1.1 1', ...again])).toEqual([])
  expect(faultsOf(['took 1.1.1 1 false true', 'acking 1.1.1 1', 'stale 1.1.1 1', ...again])).toEqual([])
  expect(faultsOf([], again)).toEqual([])

  expect(faultsOf()).toEqual(['1.1.1: lost'])
  expect(faultsOf([first])).toEqual(['1.1.1 1: lost after took'])
  expect(faultsOf([first, 'nack 1.1.1 1', 'end'])).toEqual(['1.1.1 1: lost after nack'])
  expect(faultsOf([first, 'end'], again)).toEqual(['1.1.1 1: never settled'])
  expect(faultsOf([first, ...settled], again)).toEqual(['1.1.1 1: came after its acknowledgement'])
  expect(faultsOf([first, 'acking 1.1.1 1', 'stale 1.1.1 1', ...again])).toEqual([
    '1.1.1 1: stale, and its lease had no end',
  ])
  expect(faultsOf([first, ...settled, 'end'], [first])).toContain(`${first}: two holders of one delivery`)
  expect(faultsOf(['took 1.1.1 1 true false', ...settled, 'end'])).toEqual([
    'took 1.1.1 1 true false: wrongly marked',
  ])
  expect(faultsOf(again)).toEqual(['1 deliveries that nobody got, and 0 may have been cut short'])
  expect(faultsOf(['took 1.1.2 1 false false', 'ack 1.1.2 1', first, ...settled, 'end'])).toEqual([
    `${first}: out of order`,
  ])
  expect(faultsOf([first, ...settled, 'took 9.9.9 1 false false', 'ack 9.9.9 1', 'end'])).toEqual([
    '9.9.9: nobody put it',
  ])
})

const seconds = long ? 300 : 10
const enough = Number(process.env.IPCKIT_STORM_KILLS ?? 0)

test(`whoever dies, nothing is lost and what comes twice says so, ${enough > 0 ? `${enough} deaths` : `${seconds} s`} (seed ${seed})`, {
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
  type Role = 'producer' | 'consumer'
  interface Starter {
    (ledger: string, incarnation: number): Program
    /** It ends itself with abort(). */
    aborts?: boolean
  }
  const here = { onTestFinished }
  const inNode =
    (name: string, argument: object): Starter =>
    (ledger, incarnation) => {
      const all = { address: queue.address, ledger, incarnation, seed: seed + incarnation, ...argument }
      // An abort shall leave no core.
      return new Program(here, name, all, { command: 'prlimit', node: ['--core=0', process.execPath] })
    }
  const inC =
    (role: Role, fate: string): Starter =>
    (ledger, incarnation) => {
      const words = [role, queue.address, ledger, incarnation, seed + incarnation, fate]
      return new Program(here, 'storm-peer.c', words, { command: peer, built: true })
    }
  const inPython =
    (role: Role, fate: string): Starter =>
    (ledger, incarnation) => {
      const words = [role, queue.address, ledger, incarnation, seed + incarnation, fate]
      return new Program(here, 'storm_peer.py', words, {
        command: python,
        node: ['-B'],
        env: packageEnvironment,
      })
    }
  const aborting = (starter: Starter) => Object.assign(starter, { aborts: true })
  const starters: [Role, Starter][] = [
    ['producer', inNode('producer.mjs', { producer: 1, way: 'put' })],
    ['producer', inNode('producer.mjs', { producer: 2, way: 'putSync' })],
    ['producer', inNode('producer.mjs', { producer: 3, way: 'putMany' })],
    ['producer', inPython('producer', 'stay')],
    ['producer', aborting(inC('producer', 'abort'))],
    ['consumer', inNode('lease-consumer.mjs', { handles: 1, fate: 'stay' })],
    ['consumer', inNode('lease-consumer.mjs', { handles: 3, fate: 'exit' })],
    ['consumer', inNode('lease-consumer.mjs', { handles: 2, fate: 'worker' })],
    ['consumer', aborting(inNode('lease-consumer.mjs', { handles: 2, fate: 'abort' }))],
    ['consumer', inPython('consumer', 'exit')],
    ['consumer', aborting(inPython('consumer', 'abort'))],
    ['consumer', inC('consumer', 'exit')],
    ['consumer', inC('consumer', 'stay')],
  ]

  const deaths: Record<string, number> = {}
  let died = 0
  let over = false
  const running: (Program | undefined)[] = []
  /** Starts one after the other in its place, until the one that lives when the storm is over. */
  const live = async ([role, starter]: [Role, Starter], at: number) => {
    for (;;) {
      const incarnation = ++started
      const program = starter(join(folder, `${role}-${incarnation}`), incarnation)
      expect(await program.says()).toBe('there')
      running[at] = program
      const { code, signal, errors } = await program.ended
      // Node prints a stack when it aborts, if it comes to that.
      if (!starter.aborts || !errors.startsWith('----- Native stack trace')) expect(errors).toBe('')
      if (!starter.aborts) expect(signal).not.toBe('SIGABRT')
      if (signal === null) expect(code).toBe(0)
      if (over) return
      const how = signal ?? 'exit'
      deaths[how] = (deaths[how] ?? 0) + 1
      died++
      running[at] = undefined
    }
  }
  const lives = starters.map(live)
  const lived = Promise.all(lives)
  // A failure of one of them is one of the test, at once; then the others go with the test.
  lived.catch(() => {})
  onTestFinished(() => {
    over = true
  })

  const begun = performance.now()
  const goesOn = () => (enough > 0 ? died < enough : performance.now() - begun < seconds * 1000)
  let stops = 0
  let progress = { totals: queue.stat().totals, at: performance.now() }
  while (goesOn()) {
    await Promise.race([sleep(random(40)), lived])
    const program = running[random(running.length)]
    const chance = random(10)
    if (chance < 2 && program?.running) {
      program.kill('SIGSTOP')
      stops++
      // Shorter than the 0.6 s after which others say that a lock is held.
      await sleep(random(200))
      program.kill('SIGCONT')
    } else program?.kill(chance < 4 ? 'SIGTERM' : 'SIGKILL')
    const { totals } = queue.stat()
    if (totals.put !== progress.totals.put || totals.done !== progress.totals.done)
      progress = { totals, at: performance.now() }
    expect(performance.now() - progress.at).toBeLessThan(30_000)
  }
  over = true
  await until(() => running.filter((program) => program !== undefined).length === starters.length)
  for (const role of ['producer', 'consumer']) {
    const group = starters.flatMap(([each], at) => (each === role ? [at] : []))
    for (const at of group) running[at]?.tellNothingMore()
    await Promise.all(group.map((at) => lives[at]))
  }

  const rest: string[] = ['start 1']
  for (;;) {
    const { depth, inFlight } = queue.stat()
    if (depth + inFlight === 0) break
    const lease = await queue.lease()
    const name = nameOf(lease.value)
    rest.push(`took ${name} ${lease.deliveryCount} ${lease.redelivered} false`)
    lease.ack()
    rest.push(`ack ${name} ${lease.deliveryCount}`)
  }
  const { books, terminated } = readLedgers(folder)
  enterConsumer(books, [...rest, 'end'])
  expect(audit(books)).toEqual([])

  const { totals, freeBytes: freeAfter, participants } = queue.stat()
  expect(totals.done).toBe(totals.put)
  expect(totals.put).toBeGreaterThanOrEqual(books.sent.size)
  expect(totals.put).toBeLessThanOrEqual(books.intended.size)
  expect(freeAfter).toBe(freeBytes)
  expect(participants.filter(({ alive }) => alive)).toHaveLength(1)
  const all = [...books.deliveries.values()].flatMap((each) => [...each.values()])
  const stale = all.filter(({ what }) => what === 'stale').length
  console.log(
    `${died} processes died`,
    deaths,
    `${terminated} threads terminated, ${stops} processes stopped; ${totals.put} put, ${books.sent.size} of them said so,`,
    `${totals.redelivered} delivered again, ${stale} stale acknowledgements refused, ${totals.recoveries} recoveries`,
  )
  // The storm was one.
  expect(Object.keys(deaths).sort()).toEqual(['SIGABRT', 'SIGKILL', 'SIGTERM', 'exit'])
  expect(terminated).toBeGreaterThan(0)
  expect(stale).toBeGreaterThan(0)
  expect(totals.redelivered).toBeGreaterThan(0)
})
