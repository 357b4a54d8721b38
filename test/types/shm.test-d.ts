/** What compiles of queues in shared memory, and what must not. */
import { json, type Lease, type Participant, Queue, type SharedQueue, type ShmQueueStat, text } from 'ipckit'
import { list, unlink } from 'ipckit/shm'

interface Job {
  id: number
}

const jobs = await Queue.openOrCreate('shm:/jobs', {
  codec: json<Job>(),
  capacity: 10,
  maxMessageBytes: 1000,
  capacityBytes: 10_000,
  priorities: 3,
  participants: 8,
  maxDeliveries: 5,
  deadLetters: 10,
  joinable: true,
  prefetch: 2,
  mode: 0o600,
  anyType: true,
  anyOwner: false,
  anyMode: false,
})
jobs satisfies SharedQueue<Job>
;(await Queue.open('shm:/jobs', { codec: json<Job>() })) satisfies SharedQueue<Job>
;(await Queue.create('shm:/jobs', { codec: json<Job>() })) satisfies SharedQueue<Job>

await jobs.put({ id: 1 }, { priority: 2, timeoutMs: 5 })
const lease = await jobs.lease({ leaseMs: 5, timeoutMs: 5, signal: AbortSignal.timeout(5) })
lease satisfies Lease<Job>
lease.value.id satisfies number
lease.deliveryCount satisfies number
lease.redelivered satisfies boolean
lease.ack()
lease.nack({ delayMs: 5 })
lease.extend(5)
jobs.tryLease({ leaseMs: 5 }) satisfies Lease<Job> | undefined
jobs.leaseSync({ timeoutMs: 5 }) satisfies Lease<Job>
;(await jobs.leaseMany(5)) satisfies Lease<Job>[]
for await (const { value } of jobs.leases()) value satisfies Job
jobs.tryGetDeadLetter() satisfies Job | undefined
jobs.taskDone()
await jobs.join({ timeoutMs: 5 })
jobs.shutdown({ immediate: true })
jobs.clear() satisfies number
jobs.stat() satisfies ShmQueueStat
jobs.stat().participants[0] satisfies Participant | undefined
const { deliveryCount, redelivered, priority } = await jobs.receive()
;[deliveryCount, priority] satisfies (number | undefined)[]
redelivered satisfies boolean | undefined
list()[0]?.address satisfies string | undefined
unlink('/jobs')
async function work(): Promise<void> {
  using held = await jobs.lease()
  held.ack()
  await using queue = await Queue.open('shm:/jobs', { codec: text() })
  ;(await queue.get()) satisfies string
}
void work

// @ts-expect-error the value of another queue
await jobs.put({ name: 'x' })
// @ts-expect-error queues in shared memory have no types
await jobs.put({ id: 1 }, { type: 1 })
// @ts-expect-error nor do they select by them
await jobs.get({ type: 1 })
// @ts-expect-error sizes are for making one
await Queue.open('shm:/jobs', { codec: json(), capacity: 5 })
// @ts-expect-error the bytes of it are named capacityBytes
await Queue.create('shm:/jobs', { codec: json(), maxBytes: 5 })
// @ts-expect-error a lease is not asked for with a priority
await jobs.lease({ priority: 1 })
// @ts-expect-error what never waits has no timeout
jobs.tryLease({ timeoutMs: 1 })
// @ts-expect-error the delay has a unit
lease.nack({ delay: 5 })
// @ts-expect-error a limit is given
lease.extend()
// @ts-expect-error a delivery does not change
lease.value = { id: 2 }
// @ts-expect-error a lease belongs to a queue
new Queue('shm:/jobs')

const kernel = await Queue.open('posix:/jobs', { codec: json<Job>() })
// @ts-expect-error a queue of the kernel has no leases
kernel.lease
// @ts-expect-error nor tasks
kernel.taskDone
// @ts-expect-error nor a shutdown
kernel.shutdown
// @ts-expect-error nor dead letters
await Queue.create('posix:/jobs', { codec: json(), deadLetters: 5 })

const any = await Queue.open('shm:/jobs' as string, { codec: json<Job>() })
// @ts-expect-error an address that is not known may be one of the kernel
any.lease
if (any instanceof Queue) (await any.get()) satisfies Job
