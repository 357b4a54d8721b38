// Measures messages per second between producers and consumers, Node against C.
import { isWanted, rounds, scale } from './options.mjs'
import { nodePeerOf, twinOf } from './peer.mjs'
import { checkEmpty, makeQueue, removeQueue } from './queues.mjs'
import { attempt, reportRatio } from './report.mjs'
import { alternate } from './statistics.mjs'
import { compileTwin } from './twins.mjs'

/** A side: its queue, its consumers and its producers. */
export async function start(side, { scheme, bytes, mode, producers = 1, consumers = 1, place, options }) {
  const queue = await makeQueue(scheme, options)
  const end = (role, number, at) => {
    const wanted = { role, mode, bytes, number, addresses: [queue.address], place, end: at }
    if (side === 'Node') return nodePeerOf(wanted)
    // The kernel's queues have no batches in C.
    const batched = scheme === 'shm' && mode === 'batch'
    return twinOf(compileTwin(scheme), batched ? { ...wanted, role: `${role}-batches` } : wanted)
  }
  return {
    queue,
    consumers: Array.from({ length: consumers }, () => end('consume', 0, 1)),
    producers: Array.from({ length: producers }, (_, number) => end('produce', number, 0)),
  }
}

/** One round of `count` messages of each producer: messages per second, from the first call of one to the last message. */
export async function measure({ consumers, producers }, count) {
  const all = count * producers.length
  await Promise.all(consumers.map((consumer) => consumer.ask(all / consumers.length)))
  const [got, sent] = await Promise.all([
    Promise.all(consumers.map((consumer) => consumer.answer())),
    Promise.all(producers.map((producer) => producer.ask(count))),
  ])
  return (all * 1e9) / (Math.max(...got.map(([, end]) => end)) - Math.min(...sent.map(([begin]) => begin)))
}

export async function finish({ queue, consumers, producers }) {
  await Promise.all([...consumers, ...producers].map((peer) => peer.end()))
  checkEmpty(queue)
}

export async function remove({ queue, consumers, producers }) {
  for (const peer of [...consumers, ...producers]) peer.kill()
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
