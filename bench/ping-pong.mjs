// The round trip of one message between two processes that wait for each other, through two queues: C, Node
// sync and Node async, in turn. Through shared memory also asleep, against two processes that wake each other with
// futex(2) and do nothing else: on one CPU, where every wait is a sleep, and after rests.
import { randomUUID } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { isWanted, placesOr, rounds, scale } from './support/options.mjs'
import { nodePeerOf, Peer, twinOf } from './support/peer.mjs'
import { isPossible, launcher } from './support/placement.mjs'
import { checkEmpty, makeQueue, removeQueue, schemes } from './support/queues.mjs'
import { attempt, report, reportRatio } from './support/report.mjs'
import { alternate, spread } from './support/statistics.mjs'
import { compilePeer, compileTwin } from './support/twins.mjs'

const bytes = 64
const count = Math.max(200, Math.ceil(8000 * scale))

/** A rest is 3 ms. */
const restedCount = Math.max(100, Math.ceil(150 * scale))

/** At most so many times the C program's median round trip. */
const bars = { sync: 1.2, async: 2.2 }
/** At most so many times the median of futex(2), where both ends sleep. */
const asleepBars = { sync: 1.3, async: 2.2 }
/** Microseconds, where both ends of a queue in shared memory spin. */
const spinningBars = { sync: 1, async: 3 }

/** A side: its two queues and the processes between them. */
async function start(mode, scheme, place, first = 'ping') {
  const queues = [await makeQueue(scheme), await makeQueue(scheme)]
  const addresses = queues.map((queue) => queue.address)
  const [ping, pong] = [first, 'pong'].map((role, end) => {
    const wanted = { role, mode, bytes, addresses, place, end }
    return mode === 'C' ? twinOf(compileTwin(scheme), wanted) : nodePeerOf(wanted)
  })
  return { queues, ping, pong }
}

/** One round: the median and the 99th percentile, microseconds. */
async function measure({ ping, pong }, trips = count) {
  await pong.ask(trips)
  const [[p50, p99]] = await Promise.all([ping.ask(trips), pong.answer()])
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
    const [twin, ...ours] = await alternate(sides, rounds, (side) => measure(side))
    await Promise.all(sides.map(finish))
    for (const [at, mode] of modes.entries()) {
      const bound = scheme === 'shm' ? undefined : { most: bars[mode] }
      for (const [key, bar] of [['p50', bound], ['p99']]) {
        const pick = (series) => series.map((round) => round[key])
        const title = `${scheme} ${mode} ${place} ${key}`
        reportRatio({ title, node: pick(ours[at]), twin: pick(twin), unit: 'us', bar })
      }
      if (scheme === 'shm' && place === 'apart') reportTime(mode, ours[at])
    }
  } finally {
    await Promise.all(sides.map(remove))
  }
}

function reportTime(mode, series) {
  const { median, min, max } = spread(series.map(({ p50 }) => p50))
  const details = `median of the rounds, ${min.toFixed(2)} - ${max.toFixed(2)}`
  report({
    title: `shm ${mode} apart time`,
    value: median,
    unit: ' us',
    bar: { most: spinningBars[mode] },
    details,
  })
}

/** Two processes and two words. */
function startFutex(place, first) {
  const path = `/dev/shm/ipckit-bench-${randomUUID()}`
  writeFileSync(path, Buffer.alloc(4096))
  const [ping, pong] = [first, 'pong'].map(
    (role, end) => new Peer(`futex ${role}`, [...launcher(place, end), compilePeer('futex'), role, path]),
  )
  return { queues: [], ping, pong, path }
}

async function compareAsleep(modes, place, how) {
  const [first, trips] = how === 'rested' ? ['rested-ping', restedCount] : ['ping', count]
  const futex = startFutex(place, first)
  const sides = [futex]
  try {
    for (const mode of modes) sides.push(await start(mode, 'shm', place, first))
    const [twin, ...ours] = await alternate(sides, rounds, (side) => measure(side, trips))
    await Promise.all(sides.map(finish))
    for (const [at, mode] of modes.entries()) {
      const [node, c] = [ours[at], twin].map((series) => series.map(({ p50 }) => p50))
      const title = `shm ${mode} ${how} ${place} p50`
      reportRatio({
        title,
        node,
        twin: c,
        unit: 'us',
        bar: { most: asleepBars[mode] },
        names: ['Node', 'futex'],
      })
    }
  } finally {
    await Promise.all(sides.map(remove))
    rmSync(futex.path, { force: true })
  }
}

for (const place of placesOr(['same', 'apart', 'free']).filter(isPossible)) {
  for (const scheme of [...schemes, 'shm']) {
    const modes = Object.keys(bars).filter((mode) => isWanted(`${scheme} ${mode} ${place}`))
    if (modes.length > 0) await attempt(`${scheme} ${place}`, () => compare(modes, scheme, place))
  }
  for (const how of place === 'same' ? ['asleep', 'rested'] : ['rested']) {
    const modes = Object.keys(asleepBars).filter((mode) => isWanted(`shm ${mode} ${how} ${place}`))
    if (modes.length > 0) await attempt(`shm ${how} ${place}`, () => compareAsleep(modes, place, how))
  }
}
