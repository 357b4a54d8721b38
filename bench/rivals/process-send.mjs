// process.send: text of 64 characters from a child to its parent, as JSON. The consumer starts its producer itself,
// since only relatives can talk so.
//
//   node process-send.mjs consume
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { bytes, check, now, serveConsumer } from './serve.mjs'

/** So many are under way before the sender waits for the last of them. */
const ahead = 256

const padding = 'x'.repeat(bytes - 10)

if (process.argv[2] === 'consume') {
  const child = fork(import.meta.filename, ['produce'])
  await once(child, 'spawn')
  await serveConsumer(
    (count) =>
      new Promise((resolve, reject) => {
        let received = 0
        const onMessage = (message) => {
          if (typeof message !== 'string') {
            child.off('message', onMessage)
            resolve(message.start)
            return
          }
          try {
            check(Number(message.slice(0, 10)), message.length === bytes ? received : -1, received)
            received++
          } catch (error) {
            reject(error)
          }
        }
        child.on('message', onMessage)
        child.send(count)
      }),
  )
  child.disconnect()
} else {
  process.on('message', async (count) => {
    const start = String(now())
    for (let sequence = 0; sequence < count; sequence++) {
      const message = String(sequence).padStart(10, '0') + padding
      if ((sequence + 1) % ahead !== 0) process.send(message)
      else await new Promise((resolve) => process.send(message, resolve))
    }
    process.send({ start })
  })
}
