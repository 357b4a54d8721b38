// node examples/streams.mjs
// A queue as Node streams, from end to end with back-pressure.
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Queue, text } from 'ipckit'

const lines = await Queue.openOrCreate('posix:/lines', { codec: text() })

async function* shout(words) {
  for await (const word of words) {
    if (word === 'end') return
    yield `${word.toUpperCase()}!\n`
  }
}

await Promise.all([
  pipeline(Readable.from(['hello', 'from', 'a queue', 'end']), lines.writable()),
  pipeline(lines.readable(), shout, process.stdout, { end: false }),
])

await lines.unlink()
await lines.close()
