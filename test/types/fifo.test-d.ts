/** What compiles of queues over FIFOs, and what must not. */
import { json, Queue } from 'ipckit'
import { Fifo, pipe } from 'ipckit/pipe'

const jobs = await Queue.openOrCreate('fifo:/run/jobs', {
  codec: json<{ id: number }>(),
  maxBytes: 1,
  maxMessageBytes: 1,
  mode: 0o600,
  owner: 'any',
})
await jobs.put({ id: 1 }, { timeoutMs: 5 })
const { value } = await jobs.receive({ signal: AbortSignal.timeout(5) })
value.id satisfies number
await Queue.open('fifo:/run/jobs', { codec: json(), owner: 5 })

// @ts-expect-error a FIFO has no priorities
await jobs.put({ id: 1 }, { priority: 1 })
// @ts-expect-error nor types
await jobs.get({ type: 1 })
// @ts-expect-error nor a capacity in messages
await Queue.create('fifo:/run/jobs', { codec: json(), capacity: 5 })
// @ts-expect-error sizes are for making one
await Queue.open('fifo:/run/jobs', { codec: json(), maxBytes: 5 })
// @ts-expect-error an envelope has the value alone
;(await jobs.receive()).priority satisfies number

const { reader, writer } = pipe({ packets: true, capacity: 4096 })
;(await reader.read()) satisfies Buffer | null
reader.tryRead() satisfies Buffer | null | undefined
;(await writer.write(Buffer.alloc(1))) satisfies number
// @ts-expect-error the reading end does not write
reader.write
// @ts-expect-error the writing end does not read
writer.read
// @ts-expect-error bytes are no text
await writer.write('text')

const fifo = Fifo.open('/run/lines', { access: 'read' })
fifo.readable({ eof: 'stay', reuseMemory: true })
// @ts-expect-error a mode is for making one
Fifo.open('/run/lines', { mode: 0o600 })
