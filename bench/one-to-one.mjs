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

/** At least so much of the C program's rate; undefined where the ratio is only shown. */
const bars = {
  sync: { posix: 0.8, sysv: 0.8, shm: 0.3 },
  batch: { posix: 0.75, sysv: 0.95, fifo: 0.5, shm: 0.5 },
  async: { posix: 0.5, sysv: 0.5, shm: undefined },
}

for (const place of placesOr(['free']).filter(isPossible)) {
  for (const mode of Object.keys(bars)) {
    for (const scheme of [...schemes, 'fifo', 'shm'].filter((each) => each in bars[mode])) {
      for (const { bytes, name, count } of sizes) {
        const title = `${scheme} ${name} ${mode} ${place}`
        const least = bars[mode][scheme]
        const bar = least === undefined ? undefined : { least }
        // A round should last some tenths of a second.
        const messages = scheme === 'shm' ? count * 10 : count
        await compareTraffic({ title, bar, count: messages, scheme, bytes, mode, producers: 1, place })
      }
    }
  }
}
