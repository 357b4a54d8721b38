/** The examples of `ipckit/sync` do what they say, and leave nothing behind. */
import { existsSync, rmSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { Example } from './stranger.ts'

test.each([
  ['lock', ['free now: false', 'it is ours; the last holder died: true'], ['accounts']],
  ['leader', ['first leads', 'second leads', 'second leads no more: EIDRM'], ['leader']],
  ['rate-limit', ['12 mails, and none too early: true'], ['mails-a-second']],
  [
    'barrier',
    [
      "[ 'runs on lane 0', 'runs on lane 1', 'runs on lane 2' ]",
      "[ 'ERR_IPC_BROKEN', 'ERR_IPC_BROKEN' ]",
      'broken: true',
    ],
    ['start'],
  ],
  ['condition', ['seven loaves, please', '3 are left'], ['stock', 'stock-changed']],
])('%s.mjs', async (name, says, uses) => {
  const files = uses.map((each) => `/dev/shm/ipckit.${each}`)
  onTestFinished(() => {
    for (const file of files) rmSync(file, { force: true })
  })
  expect(await new Example(`sync/${name}.mjs`).ended).toEqual({
    code: 0,
    signal: null,
    output: says.map((line) => `${line}\n`).join(''),
    errors: '',
  })
  for (const file of files) expect(existsSync(file)).toBe(false)
})
