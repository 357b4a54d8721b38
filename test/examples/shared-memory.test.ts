/** The examples of shared memory do what they say, alone and one after the other. */
import { existsSync } from 'node:fs'
import { SharedMemory } from 'ipckit/posix'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Example } from './stranger.ts'

const content = (...lines: string[]) => ({
  code: 0,
  signal: null,
  output: lines.map((line) => `${line}\n`).join(''),
  errors: '',
})

function removeFinally(name: string): void {
  onTestFinished(() => {
    if (existsSync(`/dev/shm${name}`)) SharedMemory.unlink(name)
  })
}

describe('shared-memory', () => {
  test('look.c and look.py print the quotes that feed.mjs has left', async () => {
    removeFinally('/quotes')
    expect(await new Example('shared-memory/feed.mjs').ended).toEqual(content('3 quotes are in /quotes'))
    const quotes = content('#0 ACME 100', '#1 HAL 100.125', '#2 ÄÖÜ 100.25')
    expect(await new Example('shared-memory/look.py').ended).toEqual(quotes)
    expect(await new Example('shared-memory/look.c').ended).toEqual(quotes)
    expect(SharedMemory.list().map(({ name }) => name)).toContain('/quotes')
  })

  test('views.mjs shows each way to the bytes, and leaves nothing', async () => {
    removeFinally('/sketch')
    expect(await new Example('shared-memory/views.mjs').ended).toEqual(
      content('3.5 { id: 0, x: 3.5, y: 1 }', '0.25', '5n 5n', '0 0', '3.5'),
    )
    expect(existsSync('/dev/shm/sketch')).toBe(false)
  })
})
