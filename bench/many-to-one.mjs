// Four producer processes, one consumer process: messages per second of Node to Node, against C to C. Beyond
// one-to-one it shows what producers that wait for the same room cost each other.
import { placesOr } from './support/options.mjs'
import { isPossible } from './support/placement.mjs'
import { schemes } from './support/queues.mjs'
import { compareTraffic } from './support/traffic.mjs'

for (const place of placesOr(['free']).filter(isPossible)) {
  for (const mode of ['sync', 'batch', 'async']) {
    for (const scheme of schemes) {
      const title = `${scheme} 64 B ${mode} ${place}`
      await compareTraffic({ title, count: 25_000, scheme, bytes: 64, mode, producers: 4, place })
    }
  }
}
