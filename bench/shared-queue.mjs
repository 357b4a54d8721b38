// What only the queue in shared memory is measured for: leases against plain gets, many producers and consumers
// against one of each, and large messages against copying alone.
import { isWanted, placesOr, rounds, scale } from './support/options.mjs'
import { Peer } from './support/peer.mjs'
import { isPossible, launcher } from './support/placement.mjs'
import { attempt, reportRatio } from './support/report.mjs'
import { alternate } from './support/statistics.mjs'
import { finish, measure, remove, start } from './support/traffic.mjs'
import { compilePeer } from './support/twins.mjs'

const mebibyte = 2 ** 20
const many = 16

/** One side of a comparison: how it starts, runs a round of so many messages, and ends. */
function queueSide(setup) {
  const shm = { scheme: 'shm', bytes: 64, mode: 'sync', ...setup }
  return { start: (place) => start('Node', { ...shm, place }), measure, finish, remove }
}

const copies = {
  start: (place) => new Peer('memcpy', [...launcher(place, 0), compilePeer('memcpy')]),
  async measure(peer, count) {
    const [begin, end] = await peer.ask(count)
    return (count * 1e9) / (end - begin)
  },
  finish: (peer) => peer.end(),
  remove: (peer) => peer.kill(),
}

const lines = [
  {
    title: 'lease and ack / get',
    least: 0.5,
    ours: { ...queueSide({ mode: 'lease' }), name: 'lease', count: 500_000 },
    theirs: { ...queueSide({}), name: 'get', count: 500_000 },
  },
  {
    title: '16 to 16 / 1 to 1',
    least: 0.5,
    ours: {
      ...queueSide({ mode: 'crowd', producers: many, consumers: many }),
      name: '16 to 16',
      count: 50_000,
    },
    theirs: { ...queueSide({}), name: '1 to 1', count: 800_000 },
  },
  {
    title: '1 MiB / two copies',
    least: 0.5,
    ours: {
      ...queueSide({
        bytes: mebibyte,
        options: { capacity: 8, maxMessageBytes: mebibyte, capacityBytes: 8 * mebibyte },
      }),
      name: 'queue',
      count: 5000,
    },
    theirs: { ...copies, name: 'memcpy', count: 5000 },
  },
]

async function compare({ title, least, ours, theirs }, place) {
  const sides = []
  try {
    for (const side of [ours, theirs]) sides.push({ side, running: await side.start(place) })
    const [node, twin] = await alternate(sides, rounds, ({ side, running }) =>
      side.measure(running, Math.ceil(side.count * scale)),
    )
    await Promise.all(sides.map(({ side, running }) => side.finish(running)))
    reportRatio({ title, node, twin, names: [ours.name, theirs.name], unit: '/s', bar: { least } })
  } finally {
    await Promise.all(sides.map(({ side, running }) => side.remove(running)))
  }
}

for (const place of placesOr(['free']).filter(isPossible)) {
  for (const line of lines) {
    const title = `${line.title} ${place}`
    if (isWanted(title)) await attempt(title, () => compare({ ...line, title }, place))
  }
}
