// What a benchmark says: a line for each result, with the bar beside it, and the same to run.mjs for its
// summary. Missing a bar is no failure, as machines are noisy, unless --strict asks for that.
import { strict } from './options.mjs'
import { spread } from './statistics.mjs'

const suffixes = [
  [1e6, 'M'],
  [1e3, 'k'],
]

/** Three digits, as in 812k. */
export function short(number) {
  const [size, suffix] = suffixes.find(([least]) => number >= least) ?? [1, '']
  const scaled = number / size
  return `${scaled.toFixed(scaled >= 100 || Number.isInteger(scaled) ? 0 : scaled >= 10 ? 1 : 2)}${suffix}`
}

export function describe({ median, min, max }, unit) {
  return `${short(median)} ${unit} [${short(min)} - ${short(max)}]`
}

function judge(value, bar) {
  if (bar === undefined) return ''
  const passed = bar.least === undefined ? value <= bar.most : value >= bar.least
  return passed ? 'PASS' : 'FAIL'
}

function describeBar(bar, unit) {
  if (bar === undefined) return ''
  return bar.least === undefined ? `at most ${bar.most}${unit}` : `at least ${bar.least}${unit}`
}

/**
 * Reports one result: `value` in `unit` against `bar`, which is `{ least }`, `{ most }` or absent; `details` say
 * what it is made of.
 */
export function report({ title, value, unit = '', bar, details }) {
  const verdict = judge(value, bar)
  const shown = `${value.toFixed(2)}${unit}`
  const limit = describeBar(bar, unit)
  console.log(
    [title.padEnd(34), shown.padStart(9), verdict.padEnd(4), limit.padEnd(18), details].join('  ').trimEnd(),
  )
  process.send?.({ title, shown, limit, verdict })
  if (verdict === 'FAIL' && strict) process.exitCode = 1
}

/** Reports the ratio of two series of rounds, Node / C unless other names are given, that were measured in turn. */
export function reportRatio({ title, node, twin, unit, bar, names: [us, them] = ['Node', 'C'] }) {
  const [ours, theirs] = [spread(node), spread(twin)]
  const ratios = spread(node.map((value, round) => value / twin[round]))
  report({
    title,
    value: ours.median / theirs.median,
    bar,
    details: `${us} ${describe(ours, unit)}, ${them} ${describe(theirs, unit)}, ratio by round ${ratios.min.toFixed(2)} - ${ratios.max.toFixed(2)}`,
  })
}

/** Runs what measures a line. When that goes wrong the program fails, but the other lines are still measured. */
export async function attempt(title, measure) {
  try {
    await measure()
  } catch (error) {
    console.log(`${title.padEnd(34)}  ${'broken'.padStart(9)}  ${error.message}`)
    process.send?.({ title, shown: 'broken', limit: '', verdict: 'BROKEN' })
    process.exitCode = 1
  }
}
