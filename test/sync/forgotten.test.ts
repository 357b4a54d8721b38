/** Handles that are dropped without being closed are closed by the garbage collector, unless they hold something. */
import { Event, Lock, RLock, Semaphore } from 'ipckit/sync'
import { expect, onTestFinished, test } from 'vitest'
import { Program } from '../helpers/program.ts'
import { keep, name } from './support.ts'

test.each([
  ['idle', Lock],
  ['used', Lock],
  ['used again', RLock],
  ['waited', Event],
  ['permits', Semaphore],
] as const)('%s: they are collected and closed', async (what, type) => {
  expect(await forget(what, type)).toEqual({ open: 2, locked: false })
})

test('a lock that is held stays held, and its handle open', async () => {
  expect(await forget('held', Lock)).toEqual({ open: 3, locked: true })
})

async function forget(
  what: string,
  type: { create(fresh: string): Lock | Event | Semaphore },
): Promise<unknown> {
  const fresh = name()
  keep(type.create(fresh))
  const argument = { name: fresh, case: what }
  const program = new Program({ onTestFinished }, 'sync-forgotten.mjs', argument, { node: ['--expose-gc'] })
  const said = JSON.parse(await program.says())
  expect(await program.ended).toMatchObject({ code: 0, errors: '' })
  return said
}
