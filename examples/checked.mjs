// node examples/checked.mjs
// A schema, here of zod, checks what goes into a queue and what comes out of it.
import { checked, DecodeError, json, Queue, text } from 'ipckit'
import { z } from 'zod'

const Order = z.object({ item: z.string(), pieces: z.int().positive() })

const orders = await Queue.openOrCreate('posix:/orders', { codec: checked(Order, json()) })
await orders.put({ item: 'chair', pieces: 4 })
console.log(await orders.get())

await orders.put({ item: 'table', pieces: -1 }).catch((error) => console.log(error.message))

// Another program, which has another idea of an order:
const other = await Queue.open('posix:/orders', { codec: text() })
await other.put('{ "item": "lamp" }')
await other.close()

const error = await orders.get().catch((reason) => reason)
console.log(error instanceof DecodeError, Buffer.from(error.bytes).toString())

await orders.unlink()
await orders.close()
