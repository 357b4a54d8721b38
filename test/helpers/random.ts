/** Random numbers that come again: the seed is in the title of the test, and in the environment if you want. */

/** IPCKIT_SEED=7 repeats the run that printed 7. */
export const seed = Number(process.env.IPCKIT_SEED ?? Math.floor(Math.random() * 2 ** 31))

/** Integers from 0 to `below` - 1. Mulberry32, by Tommy Ettinger, public domain. */
export function randomFrom(start: number): (below: number) => number {
  let state = start
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** IPCKIT_LONG=1 runs soaks instead of samples. */
export const long = process.env.IPCKIT_LONG === '1'
