// Writes the golden file of a queue in shared memory: queue-1.0.gz, bytes of the layout as version 1.0 has it, and
// queue-1.0.json, what is in there. Run again only for a new version of the layout, into files of its own:
//
//   node test/interop/golden/make-queue.mjs 1.0
//
// Messages are those of the peers (queue-peer.mjs). One was given back once; one is on lease while the file is copied,
// so that whoever opens the copy finds a dead holder; one is a dead letter.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { Queue, raw } from 'ipckit'

const [version] = process.argv.slice(2)
if (version === undefined) throw new Error('usage: make-queue.mjs VERSION')

function make(id, size) {
  const bytes = Buffer.alloc(size)
  for (let at = 4; at < size; at++) bytes[at] = (id * 31 + at) & 255
  bytes.writeInt32LE(id)
  return bytes
}

const name = `ipckit-golden-${process.pid}`
const queue = await Queue.create(`shm:/${name}`, {
  codec: raw(),
  capacity: 8,
  maxMessageBytes: 600,
  capacityBytes: 2048,
  priorities: 3,
  participants: 2,
  deadLetters: 2,
})
// What was taken for good and what is returned leave the rings turned and the numbers grown.
for (let id = 100; id < 105; id++) {
  await queue.put(make(id, 300))
  await queue.get()
}
// In the order of delivery; 80 bytes are the most that a cell holds by itself.
const messages = [
  { id: 1, bytes: 600, priority: 2, deliveries: 2 },
  { id: 2, bytes: 4, priority: 2, deliveries: 1 },
  { id: 3, bytes: 80, priority: 1, deliveries: 1 },
  { id: 4, bytes: 81, priority: 0, deliveries: 2 },
  { id: 5, bytes: 257, priority: 0, deliveries: 1 },
]
const dead = { id: 6, bytes: 200, priority: 2 }
const put = ({ id, bytes, priority }) => queue.put(make(id, bytes), { priority })

await put(dead)
queue.tryLease().reject()
await put(messages[3])
queue.tryLease().nack()
await put(messages[4])
await put(messages[2])
await put(messages[0])
const lease = queue.tryLease()
await put(messages[1])

const file = readFileSync(`/dev/shm/ipckit.${name}`)
lease.ack()
await queue.unlink()
await queue.close()

const digest = createHash('sha256').update(file).digest('hex')
const place = new URL(`queue-${version}`, import.meta.url).pathname
writeFileSync(`${place}.gz`, gzipSync(file, { level: 9 }))
writeFileSync(
  `${place}.json`,
  `${JSON.stringify({ bytes: file.length, sha256: digest, messages, dead }, undefined, 2)}\n`,
)
console.log(`${place}.gz: ${file.length} bytes of a queue`)
