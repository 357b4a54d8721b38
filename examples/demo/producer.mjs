// Puts numbered jobs into a queue, in bursts with pauses, so that workers are often waiting. Each job whose put
// has returned is entered in a ledger: these must all be done in the end.
//
//   node producer.mjs ADDRESS FIRST COUNT LEDGER
import { openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { json, Queue } from 'ipckit'

const [address, first, count, ledger] = process.argv.slice(2)
const entries = openSync(ledger, 'a')

const queue = await Queue.open(address, { codec: json() })
for (let id = Number(first); id < Number(first) + Number(count); id++) {
  await queue.put({ id, from: 'node', text: `job ${id}`, price: id / 4 })
  writeSync(entries, `{"id":${id}}\n`)
  if (id % 8 === 7) await sleep(20 + Math.random() * 120)
}
await queue.close()
