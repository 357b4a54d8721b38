// Measures messages per second from some producers to one consumer, Node against C.
import { isWanted, rounds, scale } from './options.mjs'
import { nodePeerOf, twinOf } from './peer.mjs'
import { checkEmpty, makeQueue, removeQueue } from './queues.mjs'
import { attempt, reportRatio } from './report.mjs'
import { alternate } from './statistics.mjs'
import { compileTwin } from './twins.mjs'

/** A side: its queue, its consumer and its producers. */
async function start(side, { scheme, bytes, mode, producers, place }) {
  const queue = await makeQueue(scheme)
  const end = (role, number, at) => {
    const wanted = { role, mode, bytes, number, addresses: [queue.address], place, end: at }
    if (side === 'Node') return nodePeerOf(wanted)
    // The kernel's queues have no batches in C.
    const batched = scheme === 'shm' && mode === 'batch'
    return twinOf(compileTwin(scheme), batched ? { ...wanted, role: `${role}-batches` } : wanted)
  }
  return {
    queue,
    consumer: end('consume', 0, 1),
    producers: Array.from({ length: producers }, (_, number) => end('produce', number, 0)),
  }
}

/** One round: messages per second, from the first call of a producer to the last message. */
async function measure({ consumer, producers }, count) {
  await consumer.ask(count * producers.length)
  const [[, end], ...sent] = await Promise.all([
    consumer.answer(),
    ...producers.map((producer) => producer.ask(count)),
  ])
  return (count * producers.length * 1e9) / (end - Math.min(...sent.map(([start]) => start)))
}

async function finish({ queue, consumer, producers }) {
  await Promise.all([consumer, ...producers].map((peer) => peer.end()))
  checkEmpty(queue)
}

async function remove({ queue, consumer, producers }) {
  for (const peer of [consumer, ...producers]) peer.kill()
  await removeQueue(queue)
}

async function compare({ title, bar, count, ...setup }) {
  const sides = await Promise.all(['C', 'Node'].map((side) => start(side, setup)))
  try {
    const [twin, node] = await alternate(sides, rounds, (side) => measure(side, Math.ceil(count * scale)))
    await Promise.all(sides.map(finish))
    reportRatio({ title, node, twin, unit: '/s', bar })
  } finally {
    await Promise.all(sides.map(remove))
  }
}

/** `count` messages of each producer in a round; `bar` as in report.mjs. */
export async function compareTraffic(line) {
  if (isWanted(line.title)) await attempt(line.title, () => compare(line))
}
