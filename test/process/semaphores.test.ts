/**
 * The functional programs of the Open POSIX Test Suite (functional/semaphores): sem_conpro, sem_lock,
 * sem_philosopher, sem_readerwriter, sem_sleepingbarber; and multi_con_pro (stress/semaphores). Each is several
 * processes that share semaphores, of either kind, and a file in which they would find that these do not keep them
 * apart.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Semaphore } from 'ipckit/posix'
import { SemaphoreSet } from 'ipckit/sysv'
import { describe, expect, type TestContext, test } from 'vitest'
import { newName } from '../helpers/names.ts'
import { Program } from '../helpers/program.ts'
import { long } from '../helpers/random.ts'

const rounds = long ? 2000 : 60

interface Table {
  argument: object
  values(): number[]
  post(at: number): void
  words(): number[]
  setWord(at: number, value: number): void
}

/** Semaphores with these values, and a file of words that are 0. */
function lay(here: TestContext, kind: string, values: number[]): Table {
  const folder = mkdtempSync(join(tmpdir(), 'ipckit-test-'))
  here.onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'words')
  writeFileSync(file, Buffer.alloc(64))
  const words = () => Array.from(new Int32Array(new Uint8Array(readFileSync(file)).buffer))
  const setWord = (at: number, value: number) => {
    const now = Int32Array.from(words())
    now[at] = value
    writeFileSync(file, new Uint8Array(now.buffer))
  }
  if (kind === 'sysv') {
    const set = SemaphoreSet.create('private', { values })
    here.onTestFinished(async () => {
      set.unlink()
      await set.close()
    })
    const post = (semaphore: number) => set.release({ semaphore })
    return { argument: { set: set.stat().id, file }, values: () => set.values(), post, words, setWord }
  }
  const opened = values.map((value) => Semaphore.create(newName(), { value }))
  here.onTestFinished(async () => {
    for (const semaphore of opened) {
      semaphore.unlink()
      await semaphore.close()
    }
  })
  const names = opened.map(({ address }) => address.slice('posix:'.length))
  return {
    argument: { semaphores: names, file },
    values: () => opened.map(({ value }) => value),
    post: (at) => opened[at]?.release(),
    words,
    setWord,
  }
}

function startAll(here: TestContext, program: string, roles: number, table: Table): Program[] {
  return Array.from(
    { length: roles },
    (_, role) => new Program(here, 'stress.mjs', { program, role, rounds, ...table.argument }),
  )
}

async function endWell(programs: Program[]): Promise<void> {
  const ends = await Promise.all(programs.map(({ ended }) => ended))
  for (const end of ends) expect(end).toMatchObject({ code: 0, errors: '' })
}

describe.each(['posix', 'sysv'])('%s', (kind) => {
  test('sem_lock: four processes are never inside together', async (here) => {
    const table = lay(here, kind, [1])
    await endWell(startAll(here, 'lock', 4, table))
    expect(table.values()).toEqual([1])
    expect(table.words().slice(0, 2)).toEqual([0, 4 * rounds])
  })

  test('sem_conpro: two producers and two consumers share a ring of four places', async (here) => {
    const table = lay(here, kind, [4, 0, 1])
    await endWell(startAll(here, 'conpro', 4, table))
    expect(table.values()).toEqual([4, 0, 1])
    expect(table.words().slice(0, 3)).toEqual([2 * rounds, 2 * rounds, rounds * (rounds + 1)])
  })

  test('multi_con_pro: many producers and as many consumers share a ring of four places', {
    timeout: 0,
  }, async (here) => {
    const many = long ? 20 : 6
    const table = lay(here, kind, [4, 0, 1])
    await endWell(startAll(here, 'conpro', 2 * many, table))
    expect(table.values()).toEqual([4, 0, 1])
    const sum = (many * rounds * (rounds + 1)) / 2
    expect(table.words().slice(0, 3)).toEqual([many * rounds, many * rounds, sum])
  })

  test('sem_philosopher: five eat with five forks, and nobody starves', async (here) => {
    const table = lay(here, kind, [1, 1, 1, 1, 1, 4])
    await endWell(startAll(here, 'philosopher', 5, table))
    expect(table.values()).toEqual([1, 1, 1, 1, 1, 4])
    expect(table.words().slice(8, 13)).toEqual(Array(5).fill(rounds))
  })

  test('sem_readerwriter: readers see what a writer has written whole', async (here) => {
    const table = lay(here, kind, [1, 1])
    await endWell(startAll(here, 'readerwriter', 4, table))
    expect(table.values()).toEqual([1, 1])
    expect(table.words().slice(0, 3)).toEqual([0, 2 * rounds, 2 * rounds])
  })

  test('sem_sleepingbarber: each customer is served or turned away', async (here) => {
    const table = lay(here, kind, [0, 0, 1])
    const [barber, ...customers] = startAll(here, 'sleepingbarber', 4, table)
    await endWell(customers)
    // Closing time.
    table.setWord(3, 1)
    table.post(0)
    await endWell([barber as Program])
    const [waiting, served = 0, turnedAway = 0] = table.words()
    expect([waiting, served + turnedAway]).toEqual([0, 3 * rounds])
    expect(served).toBeGreaterThan(0)
  })
})
