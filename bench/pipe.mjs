// Bytes through a pipe: chunks of 64 KiB, Node streams in two processes against two C programs, in turn.
import { randomInt } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fifo } from 'ipckit/pipe'
import { isWanted, placesOr, rounds, scale } from './support/options.mjs'
import { Peer } from './support/peer.mjs'
import { isPossible, launcher } from './support/placement.mjs'
import { attempt, reportRatio } from './support/report.mjs'
import { alternate } from './support/statistics.mjs'
import { compilePeer } from './support/twins.mjs'

const chunkBytes = 65_536
const chunks = 12_000

/** At least so much of the C program's rate. */
const bar = { least: 0.8 }

const sizes = [
  { capacity: 65_536, name: '64 KiB' },
  { capacity: 2 ** 20, name: '1 MiB' },
]

function start(side, { capacity, place }) {
  const path = join(tmpdir(), `ipckit-bench-${randomInt(2 ** 40).toString(16)}`)
  const fifo = Fifo.create(path)
  fifo.setCapacity(capacity)
  const program =
    side === 'C' ? [compilePeer('pipe')] : [process.execPath, join(import.meta.dirname, 'peers/pipe.mjs')]
  const peer = (role, end) => new Peer(`${side} ${role}`, [...launcher(place, end), ...program, role, path])
  return { fifo, consumer: peer('consume', 1), producer: peer('produce', 0) }
}

/** One round: bytes per second, from the first write to the last read. */
async function measure({ consumer, producer }, count) {
  await consumer.ask(count)
  const [[, end], [begin]] = await Promise.all([consumer.answer(), producer.ask(count)])
  return (count * chunkBytes * 1e9) / (end - begin)
}

async function compare(title, setup) {
  const sides = ['C', 'Node'].map((side) => start(side, setup))
  try {
    const [twin, node] = await alternate(sides, rounds, (side) => measure(side, Math.ceil(chunks * scale)))
    await Promise.all(sides.flatMap(({ consumer, producer }) => [consumer.end(), producer.end()]))
    reportRatio({ title, node, twin, unit: 'B/s', bar })
  } finally {
    for (const { fifo, consumer, producer } of sides) {
      consumer.kill()
      producer.kill()
      fifo.unlink()
      await fifo.close()
    }
  }
}

// Where the scheduler puts the two ends decides more than anything else, and it may put those of one side together
// and those of the other apart: only what is pinned compares like with like.
for (const place of placesOr(['same', 'apart', 'free']).filter(isPossible)) {
  for (const { capacity, name } of sizes) {
    const title = `pipe of ${name} ${place}`
    if (isWanted(title)) await attempt(title, () => compare(title, { capacity, place }))
  }
}
