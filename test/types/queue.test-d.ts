/** What compiles of typed queues, over every transport, and what must not: no method gives `any`. */
import { pipeline } from 'node:stream/promises'
import {
  type Capabilities,
  type Envelope,
  json,
  Queue,
  type QueueReadable,
  type QueueStat,
  type QueueWritable,
  type Scheme,
  type SharedQueue,
  text,
} from 'ipckit'

/** True when two types are the same to the compiler; `any` is the same as nothing but itself. */
type Equal<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false
function expectTrue<_T extends true>(): void {}

interface Job {
  id: number
}
const codec = json<Job>()
const job: Job = { id: 1 }
const signal = AbortSignal.timeout(5)

// Opening: the scheme of the address decides what the options are, and what the queue can do.
const posix = await Queue.open('posix:/jobs', { codec })
const sysv = await Queue.open('sysv:0x1234', { codec, priorities: true })
const fifo = await Queue.open('fifo:/run/jobs', { codec, owner: 'any' })
const shm = await Queue.open('shm:/jobs', { codec, prefetch: 2, anyType: true })
const memory = await Queue.open('memory:jobs', { codec })
const unknown = await Queue.open('posix:/jobs' as string, { codec })

expectTrue<Equal<typeof posix, Queue<Job, 'posix'>>>()
expectTrue<Equal<typeof sysv, Queue<Job, 'sysv'>>>()
expectTrue<Equal<typeof fifo, Queue<Job, 'fifo'>>>()
expectTrue<Equal<typeof shm, SharedQueue<Job>>>()
expectTrue<Equal<typeof memory, Queue<Job, 'memory'>>>()
expectTrue<Equal<typeof unknown, Queue<Job>>>()
expectTrue<Equal<Queue<Job>, Queue<Job, Scheme, Job>>>()

const posixMade = await Queue.create('posix:/jobs', { codec, capacity: 5, maxMessageBytes: 5, mode: 0o600 })
const sysvMade = await Queue.create('sysv:private', { codec, maxBytes: 5, mode: 0o600, priorities: true })
const fifoMade = await Queue.create('fifo:/run/jobs', { codec, maxBytes: 5, mode: 0o600 })
const shmMade = await Queue.create('shm:/jobs', { codec, capacity: 5, capacityBytes: 5, joinable: true })
const memoryMade = await Queue.create('memory:jobs', { codec, capacity: 5, maxMessageBytes: 5 })
expectTrue<Equal<typeof posixMade, typeof posix>>()
expectTrue<Equal<typeof sysvMade, typeof sysv>>()
expectTrue<Equal<typeof fifoMade, typeof fifo>>()
expectTrue<Equal<typeof shmMade, typeof shm>>()
expectTrue<Equal<typeof memoryMade, typeof memory>>()

const posixEither = await Queue.openOrCreate('posix:/jobs', { codec, capacity: 5 })
const sysvEither = await Queue.openOrCreate('sysv:/etc/passwd?proj=1', { codec, maxBytes: 5 })
const fifoEither = await Queue.openOrCreate('fifo:/run/jobs', { codec, maxBytes: 5 })
const shmEither = await Queue.openOrCreate('shm:/jobs', { codec, capacity: 5 })
const memoryEither = await Queue.openOrCreate('memory:jobs', { codec, capacity: 5 })
expectTrue<Equal<typeof posixEither, typeof posix>>()
expectTrue<Equal<typeof sysvEither, typeof sysv>>()
expectTrue<Equal<typeof fifoEither, typeof fifo>>()
expectTrue<Equal<typeof shmEither, typeof shm>>()
expectTrue<Equal<typeof memoryEither, typeof memory>>()

// A queue over any transport is a `Queue<Job>`.
const each: Queue<Job>[] = [posix, sysv, fifo, shm, memory, unknown]
const opened: Queue<Job> = await Queue.open('shm:/jobs', { codec })
const made: Queue<Job> = await Queue.create('shm:/jobs', { codec })
const either: Queue<Job> = await Queue.openOrCreate('shm:/jobs', { codec })
async function work(queue: Queue<Job>): Promise<void> {
  await queue.put(job, { priority: 3, timeoutMs: 5 })
  await queue.put(job, { type: 3 })
  await queue.get({ type: 3 })
  for await (const { id } of queue) id satisfies number
}
for (const queue of [...each, opened, made, either]) await work(queue)
await work(shm)

// @ts-expect-error sizes are for making one
await Queue.open('posix:/jobs', { codec, capacity: 5 })
// @ts-expect-error sizes are for making one
await Queue.open('sysv:0x1234', { codec, maxBytes: 5 })
// @ts-expect-error permissions as well
await Queue.open('sysv:0x1234', { codec, mode: 0o600 })
// @ts-expect-error sizes are for making one
await Queue.open('memory:jobs', { codec, capacity: 5 })
// @ts-expect-error there is nothing to say of opening one in memory
await Queue.open('memory:jobs', { codec, typo: 5 })
// @ts-expect-error a POSIX queue is limited in messages
await Queue.create('posix:/jobs', { codec, maxBytes: 5 })
// @ts-expect-error and has priorities in any case
await Queue.create('posix:/jobs', { codec, priorities: true })
// @ts-expect-error a System V queue is limited in bytes
await Queue.create('sysv:0x1234', { codec, capacity: 5 })
// @ts-expect-error and its largest message is the kernel's to say
await Queue.create('sysv:0x1234', { codec, maxMessageBytes: 5 })
// @ts-expect-error it has priorities or not
await Queue.create('sysv:0x1234', { codec, priorities: 3 })
// @ts-expect-error memory has no owner
await Queue.create('memory:jobs', { codec, mode: 0o600 })
// @ts-expect-error permissions are a number
await Queue.openOrCreate('posix:/jobs', { codec, mode: '600' })
// @ts-expect-error a misspelled option
await Queue.openOrCreate('posix:/jobs', { codec, maxMessageSize: 5 })
// @ts-expect-error no transport has this name
await Queue.open('nats://host/jobs', { codec })
// @ts-expect-error an address has a scheme
await Queue.open('jobs', { codec })
// @ts-expect-error a codec is needed
await Queue.open('posix:/jobs', {})
// @ts-expect-error JSON is none
await Queue.open('posix:/jobs', { codec: JSON })
// @ts-expect-error json is a function that makes one
await Queue.open('posix:/jobs', { codec: json })
// @ts-expect-error another codec
await Queue.open<'posix:/jobs', Job>('posix:/jobs', { codec: text() })
// @ts-expect-error another codec
;(await Queue.open('posix:/jobs', { codec: text() })) satisfies Queue<Job>
// @ts-expect-error a queue of jobs is none of texts
posix satisfies Queue<string>
// @ts-expect-error nor over shared memory
shm satisfies Queue<string>
// @ts-expect-error one transport is not the other
posix satisfies Queue<Job, 'sysv'>
// @ts-expect-error what nobody checked is unknown
;(await Queue.open('posix:/jobs', { codec: json() })).tryGet()?.id
// @ts-expect-error queues are opened
new Queue()

// Putting
const fits = { timeoutMs: 5, signal }
expectTrue<Equal<ReturnType<typeof posix.put>, Promise<void>>>()
expectTrue<Equal<ReturnType<typeof posix.tryPut>, boolean>>()
expectTrue<Equal<ReturnType<typeof posix.putSync>, void>>()
expectTrue<Equal<ReturnType<typeof posix.putMany>, Promise<number>>>()
await posix.put(job, { priority: 3, ...fits })
await sysv.put(job, { priority: 3, ...fits })
await sysv.put(job, { type: 3, ...fits })
await fifo.put(job, fits)
await shm.put(job, { priority: 3, ...fits })
await memory.put(job, { priority: 3, ...fits })
posix.tryPut(job, { priority: 3 })
sysv.tryPut(job, { type: 3 })
fifo.tryPut(job)
fifo.tryPut(job, {})
posix.putSync(job, { priority: 3, timeoutMs: 5 })
sysv.putSync(job, { type: 3, timeoutMs: 5 })
fifo.putSync(job, { timeoutMs: 5 })
await posix.putMany(new Set([job]), { priority: 3, ...fits })
await fifo.putMany([job], fits)

// @ts-expect-error the value of another queue
await posix.put('job')
// @ts-expect-error the values of another queue
await posix.putMany(['job'])
// @ts-expect-error one value is not many
await posix.putMany(job)
// @ts-expect-error a POSIX queue has no types
await posix.put(job, { type: 1 })
// @ts-expect-error a POSIX queue has no types
posix.tryPut(job, { type: 1 })
// @ts-expect-error a POSIX queue has no types
posix.putSync(job, { type: 1 })
// @ts-expect-error a POSIX queue has no types
await posix.putMany([job], { type: 1 })
// @ts-expect-error a misspelled option
posix.tryPut(job, { typo: 1 })
// @ts-expect-error what never waits has no timeout
posix.tryPut(job, { timeoutMs: 1 })
// @ts-expect-error what blocks cannot be aborted
posix.putSync(job, { signal })
// @ts-expect-error a type is the priority
await sysv.put(job, { type: 1, priority: 1 })
// @ts-expect-error a type is the priority
await unknown.put(job, { type: 1, priority: 1 })
// @ts-expect-error a number
await sysv.put(job, { type: '1' })
// @ts-expect-error a misspelled option
sysv.tryPut(job, { typo: 1 })
// @ts-expect-error a FIFO has no priorities
await fifo.put(job, { priority: 1 })
// @ts-expect-error a FIFO has no priorities
fifo.tryPut(job, { priority: 1 })
// @ts-expect-error a FIFO has no priorities
fifo.putSync(job, { priority: 1 })
// @ts-expect-error a FIFO has no types
fifo.tryPut(job, { type: 1 })
// @ts-expect-error a misspelled option
fifo.tryPut(job, { typo: 1 })
// @ts-expect-error what never waits has no timeout
fifo.tryPut(job, { timeoutMs: 1 })
// @ts-expect-error queues in shared memory have no types
shm.tryPut(job, { type: 1 })
// @ts-expect-error queues in memory have no types
memory.tryPut(job, { type: 1 })

// Getting
for (const queue of [posix, fifo, memory] as const) {
  expectTrue<Equal<Awaited<ReturnType<typeof queue.get>>, Job>>()
}
const got = [await posix.get(fits), await sysv.get({ type: 3, ...fits }), await shm.get(fits)]
expectTrue<Equal<typeof got, Job[]>>()
const tried = [posix.tryGet(), sysv.tryGet({ maxType: 3 }), fifo.tryGet({}), shm.tryGet(), memory.tryGet()]
expectTrue<Equal<typeof tried, (Job | undefined)[]>>()
const blocked = [
  posix.getSync({ timeoutMs: 5 }),
  sysv.getSync({ except: 3 }),
  shm.getSync(),
  memory.getSync(),
]
expectTrue<Equal<typeof blocked, Job[]>>()
const several = [await posix.getMany(5, fits), await sysv.getMany(5, { type: 3 }), await fifo.getMany(5)]
expectTrue<Equal<typeof several, Job[][]>>()
const peeked = [posix.peek(), sysv.peek(3), fifo.peek(), shm.peek(), memory.peek(3), unknown.peek()]
expectTrue<Equal<typeof peeked, (Job | undefined)[]>>()

// @ts-expect-error a POSIX queue has no types
await posix.get({ type: 5 })
// @ts-expect-error nor is a priority asked for
await posix.get({ priority: 5 })
// @ts-expect-error a POSIX queue has no types
posix.tryGet({ type: 5 })
// @ts-expect-error a misspelled option
posix.tryGet({ typo: 5 })
// @ts-expect-error what never waits has no timeout
posix.tryGet({ timeoutMs: 5 })
// @ts-expect-error a POSIX queue has no types
posix.getSync({ type: 5 })
// @ts-expect-error what blocks cannot be aborted
posix.getSync({ signal })
// @ts-expect-error a POSIX queue has no types
await posix.getMany(5, { type: 5 })
// @ts-expect-error how many is said
await posix.getMany()
// @ts-expect-error one selector at a time
await sysv.get({ type: 1, except: 1 })
// @ts-expect-error one selector at a time
sysv.tryGet({ type: 1, maxType: 1 })
// @ts-expect-error a misspelled option
sysv.tryGet({ typo: 1 })
// @ts-expect-error a FIFO has no types
fifo.tryGet({ type: 5 })
// @ts-expect-error a misspelled option
fifo.tryGet({ typo: 5 })
// @ts-expect-error queues in shared memory have no types
shm.tryGet({ type: 5 })
// @ts-expect-error a misspelled option
shm.tryGet({ typo: 5 })
// @ts-expect-error queues in memory have no types
memory.tryGet({ type: 5 })
// @ts-expect-error a misspelled option
memory.tryGet({ typo: 5 })
// @ts-expect-error a misspelled option
unknown.tryGet({ typo: 5 })
// @ts-expect-error there may be nothing
posix.tryGet().id
// @ts-expect-error there may be nothing
posix.peek().id
// @ts-expect-error a position is a number
posix.peek('next')

// Receiving: what the transport knows of the message
const ofPosix = await posix.receive(fits)
expectTrue<Equal<typeof ofPosix, { readonly value: Job; readonly priority: number }>>()
const ofSysv = await sysv.receive({ type: 3 })
ofSysv.value satisfies Job
ofSysv.type satisfies number
ofSysv.priority satisfies number | undefined
const ofFifo = await fifo.receive()
expectTrue<Equal<typeof ofFifo, { readonly value: Job }>>()
const ofShm = await shm.receive()
ofShm.deliveryCount satisfies number
expectTrue<Equal<typeof ofShm.value, Job>>()
const ofMemory = await memory.receive()
expectTrue<Equal<typeof ofMemory, typeof ofPosix>>()
const ofAny = await unknown.receive()
expectTrue<Equal<typeof ofAny, Envelope<Job>>>()
expectTrue<Equal<typeof ofAny.value, Job>>()
// @ts-expect-error a POSIX queue has no types
await posix.receive({ type: 5 })
// @ts-expect-error a POSIX queue has no types
ofPosix.type
// @ts-expect-error there are none without `priorities`
ofSysv.priority satisfies number
// @ts-expect-error an address that is not known may be of a FIFO
ofAny.priority

// Loops
for await (const value of posix) expectTrue<Equal<typeof value, Job>>()
for await (const value of shm) expectTrue<Equal<typeof value, Job>>()
for await (const value of sysv.values({ type: 5, ...fits })) expectTrue<Equal<typeof value, Job>>()
const next = await posix[Symbol.asyncIterator]().next()
expectTrue<Equal<typeof next.value, Job | undefined>>()
if (next.done !== true) expectTrue<Equal<typeof next.value, Job>>()
const last = await fifo.values().return?.()
expectTrue<Equal<NonNullable<typeof last>['value'], Job | undefined>>()
const leased = await shm.leases().next()
leased.value?.value satisfies Job | undefined
// @ts-expect-error a loop may have ended
leased.value.value
// @ts-expect-error a loop may have ended
next.value.id
// @ts-expect-error a POSIX queue has no types
posix.values({ type: 5 })
// @ts-expect-error a misspelled option
memory.values({ typo: 5 })

// Streams
const readable = posix.readable({ highWaterMark: 3, ...fits })
expectTrue<Equal<typeof readable, QueueReadable<Job>>>()
for (const queue of each) expectTrue<Equal<ReturnType<typeof queue.readable>, QueueReadable<Job>>>()
for await (const value of readable) expectTrue<Equal<typeof value, Job>>()
for await (const value of readable.iterator({ destroyOnReturn: false }))
  expectTrue<Equal<typeof value, Job>>()
const read = readable.read()
expectTrue<Equal<typeof read, Job | null>>()
const all = await readable.toArray()
expectTrue<Equal<typeof all, Job[]>>()
readable
  .on('data', (value) => expectTrue<Equal<typeof value, Job>>())
  .once('data', (value) => expectTrue<Equal<typeof value, Job>>())
  .addListener('data', (value) => expectTrue<Equal<typeof value, Job>>())
  .on('error', (error) => error.message satisfies string)
  .once('end', () => {})
  .addListener('close', () => {})
sysv.readable({ type: 5 })
// @ts-expect-error nothing may be there
readable.read().id
// @ts-expect-error it has no such property
readable.on('data', (value) => value.name)
// @ts-expect-error a POSIX queue has no types
posix.readable({ type: 5 })
// @ts-expect-error a misspelled option
fifo.readable({ typo: 5 })

const writable = posix.writable({ priority: 3, ...fits })
expectTrue<Equal<typeof writable, QueueWritable<Job>>>()
expectTrue<Equal<ReturnType<typeof writable.write>, boolean>>()
writable.write(job)
writable.write(job, (error) => error satisfies Error | null | undefined)
writable.write(job, 'utf8', () => {})
writable.end(job)
writable.end(job, () => {})
writable.end(() => {})
writable.end()
sysv.writable({ type: 5 })
// @ts-expect-error no job
writable.write('not a job')
// @ts-expect-error no job
writable.write('not a job', () => {})
// @ts-expect-error no job
writable.write(Buffer.alloc(5), 'utf8')
// @ts-expect-error no job
writable.end('not a job')
// @ts-expect-error no job
writable.end(5, () => {})
// @ts-expect-error a FIFO has no priorities
fifo.writable({ priority: 5 })
// @ts-expect-error a POSIX queue has no types
posix.writable({ type: 5 })

// Node's own functions take them for what they are.
await pipeline(posix.readable(), memory.writable())
await pipeline(
  posix.readable(),
  async function* (jobs: AsyncIterable<Job>) {
    for await (const { id } of jobs) yield { id: id + 1 }
  },
  memory.writable(),
)
await pipeline([job], memory.writable())
posix
  .readable()
  .pipe(memory.writable())
  .on('finish', () => {})

// The rest
expectTrue<Equal<typeof posix.address, string>>()
expectTrue<Equal<typeof posix.capabilities, Capabilities>>()
expectTrue<Equal<typeof posix.maxMessageBytes, number>>()
expectTrue<Equal<typeof posix.closed, boolean>>()
for (const queue of each) expectTrue<Equal<ReturnType<typeof queue.stat>, QueueStat>>()
posix.ref().unref() satisfies Queue<Job, 'posix'>
shm.ref().unref() satisfies SharedQueue<Job>
expectTrue<Equal<ReturnType<typeof posix.close>, Promise<void>>>()
expectTrue<Equal<ReturnType<typeof posix.unlink>, Promise<void>>>()
expectTrue<Equal<ReturnType<(typeof posix)[typeof Symbol.asyncDispose]>, Promise<void>>>()
// @ts-expect-error a queue is looked at, not changed
posix.maxMessageBytes = 5
// @ts-expect-error an address stays
posix.address = 'posix:/other'
