/** The examples of queues in shared memory do what they say, alone and one beside the other. */
import { existsSync, rmSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Example } from './stranger.ts'

const content = (...lines: string[]) => ({
  code: 0,
  signal: null,
  output: lines.map((line) => `${line}\n`).join(''),
  errors: '',
})

const fileOf = (name: string) => `/dev/shm/ipckit.${name}`
const removeFinally = (name: string) => onTestFinished(() => rmSync(fileOf(name), { force: true }))

describe('shm', () => {
  test.each(['worker', 'jobs'])(
    'jobs.mjs and worker.mjs work together when %s.mjs is started first',
    async (first) => {
      removeFinally('thumbnails')
      const start = (name: string) => new Example(`shm/${name}.mjs`)
      const running = { [first]: start(first) }
      while (!existsSync(fileOf('thumbnails'))) await new Promise((resolve) => setTimeout(resolve, 2))
      const second = first === 'worker' ? 'jobs' : 'worker'
      running[second] = start(second)
      const { worker, jobs } = running as Record<'worker' | 'jobs', Example>
      expect(await jobs.ended).toEqual(content('3 done, 0 of them again, 0 given up'))
      expect(await worker.ended).toEqual(content('cat.jpg is done', 'dog.jpg is done', 'cow.jpg is done'))
      expect(existsSync(fileOf('thumbnails'))).toBe(false)
    },
  )

  test('survivor.mjs gets the message of a process that was killed', async () => {
    removeFinally('survivor')
    expect(await new Example('shm/survivor.mjs').ended).toEqual(
      content('a letter, delivery 1, and then this:', 'SIGKILL', 'a letter, delivery 2, redelivered: true'),
    )
    expect(existsSync(fileOf('survivor'))).toBe(false)
  })

  test('dead-letters.mjs gives up what nobody can work on', async () => {
    removeFinally('orders')
    const attempts = [1, 2, 3].map((count) => `a unicorn: out of stock, delivery ${count}`)
    expect(await new Example('shm/dead-letters.mjs').ended).toEqual(
      content(...attempts, 'given up: a unicorn'),
    )
    expect(existsSync(fileOf('orders'))).toBe(false)
  })
})
