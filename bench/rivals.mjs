// The queue in shared memory against what a Node program can use today: messages per second from one process to
// another, 64 B, and objects of about 100 B.
import { join } from 'node:path'
import { isWanted, placesOr, rounds, scale } from './support/options.mjs'
import { nodePeerOf, Peer } from './support/peer.mjs'
import { isPossible, launcher } from './support/placement.mjs'
import { checkEmpty, makeQueue, removeQueue } from './support/queues.mjs'
import { attempt, reportRatio } from './support/report.mjs'
import { install, startRival } from './support/rivals.mjs'
import { alternate } from './support/statistics.mjs'

const objects = join(import.meta.dirname, 'peers/objects.mjs')

/** A round should last some tenths of a second. */
const counts = {
  sync: 1_000_000,
  batch: 2_000_000,
  async: 500_000,
  json: 200_000,
  struct: 500_000,
  numbers: 1_000_000,
  alone: 200_000,
  'disruptor one': 200_000,
  'disruptor many': 500_000,
  zeromq: 50_000,
  net: 200_000,
  'net json': 50_000,
  'process.send': 50_000,
}

/** Ours, the rivals, and at least so many times their rate. */
const lines = [
  ['sync', { 'disruptor one': 5, zeromq: 20, 'process.send': 20 }],
  ['batch', { 'disruptor many': 5 }],
  ['async', { zeromq: 8, net: 2 }],
  ['json', { alone: 0.7, 'net json': 2.5 }],
  ['struct', { 'net json': 6 }],
  ['numbers', { 'net json': 20 }],
]

function objectPeerOf(role, kind, place, end, ...address) {
  return new Peer(`${kind} ${role}`, [
    ...launcher(place, end),
    process.execPath,
    objects,
    role,
    kind,
    ...address,
  ])
}

async function startOurs(mode, place) {
  const isObjects = ['json', 'struct', 'numbers'].includes(mode)
  const queue = await makeQueue('shm', { anyType: isObjects })
  const { address } = queue
  const end = (role, at) =>
    isObjects
      ? objectPeerOf(role, mode, place, at, address)
      : nodePeerOf({ role, mode, bytes: 64, addresses: [address], place, end: at })
  return {
    consumer: end('consume', 1),
    producer: end('produce', 0),
    check: () => checkEmpty(queue),
    remove: () => removeQueue(queue),
  }
}

async function start(side, place) {
  const ours = lines.some(([mode]) => mode === side)
  const ends =
    side === 'alone'
      ? { consumer: objectPeerOf('alone', 'json', place, 1), remove: () => {} }
      : await (ours ? startOurs(side, place) : startRival(side, place))
  return { side, count: Math.ceil(counts[side] * scale), ...ends }
}

/** One round: messages per second. A consumer that starts its producer itself tells when that began. */
async function measure({ side, count, consumer, producer }) {
  const first = await consumer.ask(count)
  const answers = side === 'alone' ? [first] : await Promise.all([consumer.answer(), producer?.ask(count)])
  const [[told, end], sent] = answers
  return (count * 1e9) / (end - (sent?.[0] ?? told))
}

async function compare(mode, bars, place) {
  const sides = []
  try {
    for (const side of [mode, ...Object.keys(bars)]) sides.push(await start(side, place))
    const [ours, ...theirs] = await alternate(sides, rounds, measure)
    await Promise.all(sides.flatMap(({ consumer, producer }) => [consumer.end(), producer?.end()]))
    sides[0].check()
    for (const [at, [rival, least]] of Object.entries(bars).entries()) {
      const title = `${mode} / ${rival} ${place}`
      reportRatio({
        title,
        node: ours,
        twin: theirs[at],
        names: ['ipckit', rival],
        unit: '/s',
        bar: { least },
      })
    }
  } finally {
    for (const { consumer, producer } of sides) {
      consumer.kill()
      producer?.kill()
    }
    await Promise.all(sides.map(({ remove }) => remove()))
  }
}

await attempt('install', async () => install())
for (const place of placesOr(['free']).filter(isPossible)) {
  for (const [mode, bars] of lines) {
    const wanted = Object.entries(bars).filter(([rival]) => isWanted(`${mode} / ${rival} ${place}`))
    if (wanted.length > 0)
      await attempt(`${mode} ${place}`, () => compare(mode, Object.fromEntries(wanted), place))
  }
}
