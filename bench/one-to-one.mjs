// One producer process, one consumer process: messages per second of Node to Node, against C to C over the
// same kind of queue, in turn.
import { placesOr } from './support/options.mjs'
import { isPossible } from './support/placement.mjs'
import { schemes } from './support/queues.mjs'
import { compareTraffic } from './support/traffic.mjs'

const sizes = [
  { bytes: 64, name: '64 B', count: 100_000 },
  { bytes: 8192, name: '8 KiB', count: 20_000 },
]

/** At least so much of the C program's rate. */
const bars = {
  sync: { posix: 0.8, sysv: 0.8 },
  batch: { posix: 0.75, sysv: 0.95, fifo: 0.5 },
  async: { posix: 0.5, sysv: 0.5 },
}

for (const place of placesOr(['free']).filter(isPossible)) {
  for (const mode of Object.keys(bars)) {
    for (const scheme of [...schemes, 'fifo'].filter((each) => each in bars[mode])) {
      for (const { bytes, name, count } of sizes) {
        const title = `${scheme} ${name} ${mode} ${place}`
        const bar = { least: bars[mode][scheme] }
        await compareTraffic({ title, bar, count, scheme, bytes, mode, producers: 1, place })
      }
    }
  }
}
