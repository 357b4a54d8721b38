// node examples/shared-memory/feed.mjs
// Writes a table of quotes that look.c and look.py read, and leaves it to them.
import { array, chars, f64, i32, offsetOf, struct, u32 } from 'ipckit'
import { SharedMemory } from 'ipckit/posix'

const quote = struct({ id: i32, px: f64, sym: chars(8) })
const table = struct({ count: u32, quotes: array(quote, 16) })

const memory = SharedMemory.openOrCreate('/quotes', { sizeBytes: table.size })
const { quotes } = memory.view(table)
const count = memory.atomic(u32, offsetOf(table, 'count'))

count.store(0)
for (const [id, sym] of ['ACME', 'HAL', 'ÄÖÜ'].entries()) {
  quotes.set(id, { id, px: 100 + id / 8, sym })
  // Only now: who sees the new count sees the quote too.
  count.add(1)
}
console.log(`${count.load()} quotes are in ${memory.name}`)
memory.close()
