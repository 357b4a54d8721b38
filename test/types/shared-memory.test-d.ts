/** What views of shared memory must infer, and what must not compile. The compiler runs this file; nothing else does. */
import {
  type ArrayView,
  array,
  bool,
  bytes,
  chars,
  f64,
  i32,
  type MemoryView,
  type StructView,
  snapshot,
  struct,
  u64,
} from 'ipckit'
import { type Atomic, Memfd, SharedMemory } from 'ipckit/posix'
import { SharedMemory as SysvMemory } from 'ipckit/sysv'

/** True when two types are the same to the compiler; `any` is the same as nothing but itself. */
type Equal<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false
function expectTrue<_T extends true>(): void {}

const memory = SharedMemory.open('/x')
const point = struct({ x: f64, on: bool })
const type = struct({
  id: i32,
  at: u64,
  sym: chars(8),
  raw: bytes(3),
  pos: array(f64, 3),
  in: point,
  grid: array(point, 2),
})

const view = memory.view(type)
expectTrue<Equal<typeof view.id, number>>()
expectTrue<Equal<typeof view.at, bigint>>()
expectTrue<Equal<typeof view.sym, string>>()
expectTrue<Equal<typeof view.raw, Buffer>>()
expectTrue<Equal<typeof view.pos, ArrayView<number>>>()
expectTrue<Equal<typeof view.in.on, boolean>>()
expectTrue<Equal<typeof view.in, StructView<{ x: number; on: boolean }>>>()
view.id = 5
view.in = { x: 1, on: true }
view.grid.get(1).x = 2
view.grid.set(0, { x: 1, on: false })
view.pos.assign([1, 2, 3])
for (const each of view.grid) each.on = true

// @ts-expect-error a bigint
view.at = 5
// @ts-expect-error no such field
view.foo
// @ts-expect-error an array is assigned by its own method
view.pos = [1, 2, 3]

const numbers = memory.view(array(f64, 10), 64)
expectTrue<Equal<typeof numbers, ArrayView<number>>>()
const copy = snapshot(memory.view(point))
expectTrue<Equal<typeof copy, { x: number; on: boolean }>>()
expectTrue<Equal<MemoryView<Uint8Array>, Uint8Array>>()

const word = memory.atomic(i32)
expectTrue<Equal<typeof word, Atomic<number>>>()
const long = memory.atomic(u64, 8)
expectTrue<Equal<ReturnType<typeof long.add>, bigint>>()
// @ts-expect-error a number
word.add(1n)
// @ts-expect-error no word of text
memory.atomic(chars(4))

const read = memory.readStruct(point)
expectTrue<Equal<typeof read, { x: number; on: boolean }>>()
memory.writeStruct(point, { x: 1, on: true }, 16)
// @ts-expect-error a field is missing
memory.writeStruct(point, { x: 1 })

// @ts-expect-error a size is needed
SharedMemory.create('/x', {})
// @ts-expect-error the size is the memory's own
SharedMemory.open('/x', { sizeBytes: 1 })
// @ts-expect-error made by its functions alone
new SharedMemory('/x')
// @ts-expect-error no such seal
Memfd.create({ sizeBytes: 1, seals: ['growth'] })
SysvMemory.openOrCreate({ path: '/etc/passwd', project: 1 }, { sizeBytes: 1 })
SysvMemory.create('private', { sizeBytes: 1 })
// @ts-expect-error ids are given by the kernel: this compiles as a name, and fails as an option
SysvMemory.create({ id: 5 })
