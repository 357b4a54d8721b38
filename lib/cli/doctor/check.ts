/** What the doctor says of one thing. */
import type { Remedy } from './remedies.js'

export type Verdict = 'ok' | 'warn' | 'bad'

export interface Check {
  /** The heading that it stands under. */
  readonly group: string
  readonly name: string
  /** What it is set to; null where it is not known or there is nothing to set. */
  readonly value: number | string | null
  /** In what `value` is counted. */
  readonly unit?: string
  /** How much of it is used; null where it is not known, absent where nothing is. */
  readonly used?: number | null
  /** By whom, those first who use most. */
  readonly by?: readonly User[]
  readonly verdict: Verdict
  readonly remark?: string
  /** The exact commands that raise or repair it. */
  readonly raise?: readonly Remedy[]
}

/** Who uses something up. */
export interface User {
  readonly address: string
  readonly used: number
  /** What it is and whose, where that is not the same of all. */
  readonly object?: string
  readonly owner?: string
}

/** How a limit is doing: bad when it is used up, a warning from four fifths on. */
export function byUse(used: number, limit: number): Verdict {
  if (used >= limit) return 'bad'
  return used >= limit * 0.8 ? 'warn' : 'ok'
}

/** The worst of some verdicts. */
export function worst(checks: readonly Check[]): Verdict {
  if (checks.some(({ verdict }) => verdict === 'bad')) return 'bad'
  return checks.some(({ verdict }) => verdict === 'warn') ? 'warn' : 'ok'
}
