// The options that all programs here take.
import { parseArgs } from 'node:util'

export const optionsHelp = `  --rounds=N      measured rounds of each contestant (default: 7)
  --scale=F       F times as many messages (default: 1)
  --only=A,B      only lines whose title has all these words
  --place=P,Q     where the processes run: free, same (one CPU), apart (two CPUs)
  --profile=DIR   write a CPU profile of each Node peer into DIR
  --strict        a missed bar is a failure`

const known = {
  rounds: { type: 'string', default: '7' },
  scale: { type: 'string', default: '1' },
  only: { type: 'string', default: '' },
  place: { type: 'string' },
  profile: { type: 'string' },
  strict: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
}

function parse() {
  try {
    return parseArgs({ options: known, allowPositionals: true })
  } catch (error) {
    console.error(error.message)
    process.exit(2)
  }
}

const { values, positionals } = parse()

export const names = positionals
export const { strict, profile, help } = values
export const rounds = Math.max(1, Math.trunc(Number(values.rounds)) || 7)
export const scale = Number(values.scale) || 1

/** The placements that were asked for, or those given. */
export function placesOr(places) {
  return values.place === undefined ? places : values.place.split(',')
}

const words = values.only.split(',').filter((word) => word !== '')

/** Whether the line of that title was asked for. */
export function isWanted(title) {
  const have = title.split(' ')
  return words.every((word) => have.includes(word))
}
