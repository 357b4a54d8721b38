/** Many processes at one lock: nobody starves, and nobody is let in twice. */
import { f64 } from 'ipckit'
import { Barrier, Lock, RawValue } from 'ipckit/sync'
import { expect, onTestFinished, test } from 'vitest'
import { Program } from '../helpers/program.ts'
import { keep, name } from './support.ts'

const processes = 16
const times = 1000

test.each([false, true])(
  `${processes} processes acquire a lock ${times} times each (blocking: %s)`,
  async (sync) => {
    const lock = keep(Lock.create(name()))
    const total = keep(RawValue.create(name(), f64))
    const start = keep(Barrier.create(name(), { parties: processes + 1 }))
    const argument = { name: lock.name, counter: total.name, start: start.name, times, sync }
    const contenders = Array.from(
      { length: processes },
      () => new Program({ onTestFinished }, 'contender.mjs', argument),
    )
    await start.wait()
    const said = await Promise.all(contenders.map(async (each) => JSON.parse(await each.says())))
    for (const each of contenders) expect(await each.ended).toMatchObject({ code: 0, errors: '' })
    expect(total.value).toBe(processes * times)
    const took = said.map((each: { took: number }) => each.took)
    const waits = said.map((each: { longest: number }) => each.longest)
    const round = (value: number) => Math.round(value)
    console.log(
      `${processes} x ${times}, ${sync ? 'blocking' : 'async'}: all done after ${round(Math.min(...took))} to ${round(Math.max(...took))} ms; ` +
        `the longest wait of each was ${round(Math.min(...waits))} to ${round(Math.max(...waits))} ms`,
    )
    // Some seconds are what a hang looks like; a wait that is fair takes a fraction of the whole.
    expect(Math.max(...waits)).toBeLessThan(10_000)
  },
  120_000,
)
