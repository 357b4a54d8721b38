/** Reads the ledgers of test/fixtures/producer.mjs and consumer.mjs, and audits them. */
import { readFileSync } from 'node:fs'

export interface Books {
  /** Ledgers of producers and of consumers. */
  producers: string[]
  consumers: string[]
  /** Names of the messages that were still in the queue. */
  left: string[]
}

export interface Audit {
  intended: number
  sent: number
  taken: number
  left: number
  /** Sent, and neither taken by somebody who could say so nor in the queue. */
  missing: string[]
  /** Handles that waited, or had just taken a message, when they died: each may have held one message. */
  diedInGet: number
  /** Seen and never intended. */
  phantoms: string[]
  /** Seen more than once. */
  doubled: string[]
  /** Taken by one handle of one consumer after a later message of the same producer. */
  outOfOrder: string[]
}

const linesOf = (path: string) => readFileSync(path, 'utf8').split('\n').slice(0, -1)

export function audit({ producers, consumers, left }: Books): Audit {
  const intended = new Set<string>()
  const sent = new Set<string>()
  for (const line of producers.flatMap(linesOf)) {
    const [what, name] = line.split(' ') as [string, string]
    if (what === 'intent') intended.add(name)
    if (what === 'ok') sent.add(name)
  }

  const seen = new Map<string, number>()
  const see = (name: string) => seen.set(name, (seen.get(name) ?? 0) + 1)
  const outOfOrder: string[] = []
  let taken = 0
  let diedInGet = 0
  for (const ledger of consumers) {
    const waiting = new Set<string>()
    const latest = new Map<string, number>()
    for (const line of linesOf(ledger)) {
      const [what, handle, name] = line.split(' ') as [string, string, string]
      if (what === 'wait') waiting.add(handle)
      if (what === 'took' || what === 'nothing') waiting.delete(handle)
      if (what !== 'took') continue
      taken++
      see(name)
      const [producer, incarnation, number] = name.split('.').map(Number) as [number, number, number]
      const key = `${handle} ${producer}.${incarnation}`
      if ((latest.get(key) ?? 0) >= number) outOfOrder.push(name)
      latest.set(key, number)
    }
    diedInGet += waiting.size
  }
  for (const name of left) see(name)

  return {
    intended: intended.size,
    sent: sent.size,
    taken,
    left: left.length,
    missing: [...sent].filter((name) => !seen.has(name)),
    diedInGet,
    phantoms: [...seen.keys()].filter((name) => !intended.has(name)),
    doubled: [...seen].filter(([, times]) => times > 1).map(([name]) => name),
    outOfOrder,
  }
}
