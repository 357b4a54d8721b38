// node examples/cancel-and-timeout.mjs
// Every wait can be limited or cancelled. It took nothing then: what comes later stays in the queue.
import { Queue, TimeoutError, text } from 'ipckit'

const letters = await Queue.openOrCreate('posix:/letters', { codec: text() })

try {
  await letters.get({ timeoutMs: 100 })
} catch (error) {
  if (!(error instanceof TimeoutError)) throw error
  console.log(error.message)
}

const controller = new AbortController()
setTimeout(() => controller.abort('the user went away'), 100)
await letters.get({ signal: controller.signal }).catch((reason) => console.log(reason))

await letters.put('a letter')
console.log(await letters.get())

await letters.unlink()
await letters.close()
