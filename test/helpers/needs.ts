/** What tests need of the machine beside Node. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

/** Whether a command line works here. */
export function works(...line: string[]): boolean {
  return spawnSync(line[0] as string, line.slice(1)).status === 0
}

const missing = new Set<string>()

/**
 * Whether what is needed is there; for `runIf`, outside of tests. Where it is not, the file gets a test of that name: it
 * is skipped like the others, but fails where CI is set, so that no proof is left out there unseen.
 */
export function needs(what: string, there: boolean): boolean {
  if (there || missing.has(what)) return there
  missing.add(what)
  test(`NOT here: ${what}`, ({ skip }) => {
    skip(process.env.CI === undefined, what)
    expect.unreachable(`.ci/run has what the tests need, so it must be there: ${what}`)
  })
  return false
}
