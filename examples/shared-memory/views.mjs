// node examples/shared-memory/views.mjs
// Two handles on one memory: bytes, typed arrays, structs and atomic words, and what is left after close().
import { f64, i32, snapshot, struct, u64 } from 'ipckit'
import { SharedMemory } from 'ipckit/posix'

const memory = SharedMemory.create('/sketch', { sizeBytes: 4096 })
const reader = SharedMemory.open('/sketch', { readonly: true })

const point = struct({ id: i32, x: f64, y: f64 })
const view = memory.view(point)
view.x = 3.5
view.y += 1
console.log(reader.view(point).x, snapshot(reader.view(point)))

const samples = new Float64Array(memory.arrayBuffer, 1024, 100)
samples.fill(0.25)
console.log(reader.read(1024, 8).readDoubleLE())

const hits = memory.atomic(u64, 64)
hits.add(5n)
console.log(hits.load(), reader.atomic(u64, 64).load())

memory.unlink()
memory.close()
console.log(view.x, samples[0])
console.log(reader.view(point).x)
reader.close()
