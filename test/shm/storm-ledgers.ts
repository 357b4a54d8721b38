/**
 * What the ledgers of a storm say together: whether a message was lost, made up, delivered twice without a reason or
 * after its end. lease-consumer.mjs tells what stands in them.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One delivery of one message: what became of it, as far as its holder could say. */
export interface Delivery {
  what: 'took' | 'acking' | 'ack' | 'nack' | 'stale'
  /** The lease had an end. */
  limited: boolean
  /** Its holder lived on, and settled whatever it held. */
  settledAll: boolean
}

export interface Books {
  intended: Set<string>
  sent: Set<string>
  /** By message, by the count of its deliveries. */
  deliveries: Map<string, Map<number, Delivery>>
  /** So many deliveries may have gone to those who died before they could say so. */
  unsaid: number
  /** What a single ledger shows to be wrong. */
  wrong: string[]
}

export function emptyBooks(): Books {
  return { intended: new Set(), sent: new Set(), deliveries: new Map(), unsaid: 0, wrong: [] }
}

/** Enters the ledger of one handle that took messages. */
export function enterConsumer(books: Books, lines: readonly string[]): void {
  const settledAll = lines.at(-1) === 'end'
  const latest = new Map<string, number>()
  for (const line of lines) {
    const [what, name, count, marked, limited] = line.split(' ') as [string, string, string, string, string]
    if (what === 'start' && !settledAll) books.unsaid += Number(name)
    if (what === 'start' || what === 'end') continue
    const number = Number(count)
    const all = books.deliveries.get(name) ?? new Map<number, Delivery>()
    books.deliveries.set(name, all)
    const before = all.get(number)
    if (what !== 'took') {
      if (before === undefined || before.what === 'ack')
        books.wrong.push(`${line}: after ${before?.what ?? 'nothing'}`)
      else before.what = what as Delivery['what']
      continue
    }
    if (before !== undefined) books.wrong.push(`${line}: two holders of one delivery`)
    if (marked !== String(number > 1)) books.wrong.push(`${line}: wrongly marked`)
    all.set(number, { what: 'took', limited: limited === 'true', settledAll })
    if (number > 1) continue
    const [producer, incarnation, nth] = name.split('.')
    const key = `${producer}.${incarnation}`
    if ((latest.get(key) ?? 0) >= Number(nth)) books.wrong.push(`${line}: out of order`)
    latest.set(key, Number(nth))
  }
}

export function enterProducer(books: Books, lines: readonly string[]): void {
  for (const line of lines) {
    const [what, name] = line.split(' ') as [string, string]
    if (what === 'intent') books.intended.add(name)
    if (what === 'ok') books.sent.add(name)
  }
}

/** Reads the ledgers of a folder, and counts the threads that were terminated. */
export function readLedgers(folder: string): { books: Books; terminated: number } {
  const books = emptyBooks()
  let terminated = 0
  for (const file of readdirSync(folder)) {
    const lines = readFileSync(join(folder, file), 'utf8').split('\n').slice(0, -1)
    if (file.startsWith('producer')) enterProducer(books, lines)
    else if (file.endsWith('.threads')) terminated += lines.length
    else enterConsumer(books, lines)
  }
  return { books, terminated }
}

/** What is wrong with one delivery, or undefined; `last`: there was none after it. */
function faultOf({ what, limited, settledAll }: Delivery, last: boolean): string | undefined {
  if (what === 'stale' && !limited) return 'stale, and its lease had no end'
  if ((what === 'took' || what === 'acking') && settledAll) return 'never settled'
  if (!last) return what === 'ack' ? 'came after its acknowledgement' : undefined
  // An acknowledgement that was cut short may have been the end of it.
  return what === 'ack' || what === 'acking' ? undefined : `lost after ${what}`
}

/** What breaks a promise, once the queue is empty. */
export function audit({ intended, sent, deliveries, unsaid, wrong }: Books): string[] {
  const faults = [...wrong]
  let gaps = 0
  for (const name of sent) if (!deliveries.has(name)) faults.push(`${name}: lost`)
  for (const [name, all] of deliveries) {
    if (!intended.has(name)) faults.push(`${name}: nobody put it`)
    const last = Math.max(...all.keys())
    gaps += last - all.size
    for (const [count, delivery] of all) {
      const fault = faultOf(delivery, count === last)
      if (fault !== undefined) faults.push(`${name} ${count}: ${fault}`)
    }
  }
  if (gaps > unsaid) faults.push(`${gaps} deliveries that nobody got, and ${unsaid} may have been cut short`)
  return faults
}
