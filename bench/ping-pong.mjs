// The round trip of one message between two processes that wait for each other, through two queues: C, Node
// sync and Node async, in turn.
import { isWanted, placesOr, rounds, scale } from './support/options.mjs'
import { nodePeerOf, twinOf } from './support/peer.mjs'
import { isPossible } from './support/placement.mjs'
import { checkEmpty, makeQueue, removeQueue, schemes } from './support/queues.mjs'
import { attempt, reportRatio } from './support/report.mjs'
import { alternate } from './support/statistics.mjs'
import { compileTwin } from './support/twins.mjs'

const bytes = 64
const count = Math.max(200, Math.ceil(8000 * scale))

/** At most so many times the C program's median round trip; in shared memory both spin where they can, no bar. */
const bars = { sync: 1.2, async: 2.2 }

/** A side: its two queues and the processes between them. */
async function start(mode, scheme, place) {
  const queues = [await makeQueue(scheme), await makeQueue(scheme)]
  const addresses = queues.map((queue) => queue.address)
  const [ping, pong] = ['ping', 'pong'].map((role, end) => {
    const wanted = { role, mode, bytes, addresses, place, end }
    return mode === 'C' ? twinOf(compileTwin(scheme), wanted) : nodePeerOf(wanted)
  })
  return { queues, ping, pong }
}

/** One round: the median and the 99th percentile, microseconds. */
async function measure({ ping, pong }) {
  await pong.ask(count)
  const [[p50, p99]] = await Promise.all([ping.ask(count), pong.answer()])
  return { p50: p50 / 1000, p99: p99 / 1000 }
}

async function finish({ queues, ping, pong }) {
  await Promise.all([ping.end(), pong.end()])
  queues.forEach(checkEmpty)
}

async function remove({ queues, ping, pong }) {
  for (const peer of [ping, pong]) peer.kill()
  await Promise.all(queues.map(removeQueue))
}

async function compare(modes, scheme, place) {
  const sides = await Promise.all(['C', ...modes].map((mode) => start(mode, scheme, place)))
  try {
    const [twin, ...ours] = await alternate(sides, rounds, measure)
    await Promise.all(sides.map(finish))
    for (const [at, mode] of modes.entries()) {
      const bound = scheme === 'shm' ? undefined : { most: bars[mode] }
      for (const [key, bar] of [['p50', bound], ['p99']]) {
        const pick = (series) => series.map((round) => round[key])
        const title = `${scheme} ${mode} ${place} ${key}`
        reportRatio({ title, node: pick(ours[at]), twin: pick(twin), unit: 'us', bar })
      }
    }
  } finally {
    await Promise.all(sides.map(remove))
  }
}

for (const place of placesOr(['same', 'apart', 'free']).filter(isPossible)) {
  for (const scheme of [...schemes, 'shm']) {
    const modes = Object.keys(bars).filter((mode) => isWanted(`${scheme} ${mode} ${place}`))
    if (modes.length > 0) await attempt(`${scheme} ${place}`, () => compare(modes, scheme, place))
  }
}
