// zeromq, PUSH to PULL over a Unix socket.
//
//   node zeromq.mjs ROLE PATH
import { Pull, Push } from 'zeromq'
import { checkBytes, makeMessage, serveConsumer, serveProducer } from './serve.mjs'

const [role, path] = process.argv.slice(2)

if (role === 'produce') {
  const socket = new Push()
  socket.connect(`ipc://${path}`)
  const number = makeMessage()
  await serveProducer(async (count) => {
    // It sends from where the bytes lie, later.
    for (let sequence = 0; sequence < count; sequence++) await socket.send(Buffer.from(number(sequence)))
  })
  socket.close()
} else {
  const socket = new Pull()
  await socket.bind(`ipc://${path}`)
  await serveConsumer(async (count) => {
    let received = 0
    for await (const [message] of socket) {
      checkBytes(message, 0, received++)
      if (received === count) break
    }
  })
  socket.close()
}
