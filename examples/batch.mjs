// node examples/batch.mjs
// Many messages in few calls.
import { f64, Queue, struct, u32 } from 'ipckit'

const samples = await Queue.openOrCreate('sysv:0x5a3e', { codec: struct({ number: u32, value: f64 }) })
const count = 10_000

const sent = samples.putMany(
  Array.from({ length: count }, (_, number) => ({ number, value: Math.sqrt(number) })),
)

let taken = 0
let calls = 0
while (taken < count) {
  const batch = await samples.getMany(256)
  taken += batch.length
  calls++
}
console.log(`sent ${await sent}, took ${taken}, ${Math.round(taken / calls)} at a time`)

await samples.unlink()
await samples.close()
