// node:net over a Unix socket, written corked: what is written in one turn leaves in one system call. Bytes with their
// size in front, or a line of JSON for each object.
//
//   node net.mjs ROLE PATH bytes|json
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import {
  bytes,
  checkBytes,
  checkRecord,
  makeMessage,
  makeRecord,
  serveConsumer,
  serveProducer,
} from './serve.mjs'

const [role, path, what] = process.argv.slice(2)

/** So many are written in one turn. */
const turn = 256
const headerBytes = 4

function makeFrames() {
  const number = makeMessage()
  return (sequence) => {
    const frame = Buffer.allocUnsafe(headerBytes + bytes)
    frame.writeUInt32LE(bytes, 0)
    frame.set(number(sequence), headerBytes)
    return frame
  }
}

function makeLines() {
  const number = makeRecord()
  return (sequence) => `${JSON.stringify(number(sequence))}\n`
}

/** Takes the whole frames of a chunk and gives the rest. */
function takeFrames(chunk, took) {
  let at = 0
  while (chunk.length - at >= headerBytes) {
    const length = chunk.readUInt32LE(at)
    if (chunk.length - at - headerBytes < length) break
    took((due) => checkBytes(chunk, at + headerBytes, due))
    at += headerBytes + length
  }
  return chunk.subarray(at)
}

function takeLines(chunk, took) {
  const lines = chunk.split('\n')
  const rest = lines.pop()
  for (const line of lines) took((due) => checkRecord(JSON.parse(line), due))
  return rest
}

if (role === 'produce') {
  const socket = connect(path)
  const make = what === 'bytes' ? makeFrames() : makeLines()
  await once(socket, 'connect')
  await serveProducer(async (count) => {
    for (let sequence = 0; sequence < count; ) {
      socket.cork()
      let room = true
      for (const end = Math.min(count, sequence + turn); sequence < end; sequence++)
        room = socket.write(make(sequence))
      socket.uncork()
      if (!room) await once(socket, 'drain')
    }
  })
  socket.destroy()
} else {
  const take = what === 'bytes' ? takeFrames : takeLines
  const server = createServer().listen(path)
  await once(server, 'listening')
  const connected = once(server, 'connection')
  await serveConsumer(async (count) => {
    const [socket] = await connected
    if (what === 'json') socket.setEncoding('utf8')
    let received = 0
    let rest = what === 'bytes' ? Buffer.alloc(0) : ''
    await new Promise((resolve, reject) => {
      const onData = (chunk) => {
        try {
          const all =
            what === 'bytes' ? (rest.length === 0 ? chunk : Buffer.concat([rest, chunk])) : rest + chunk
          rest = take(all, (checkIt) => checkIt(received++))
        } catch (error) {
          reject(error)
        }
        if (received < count) return
        socket.off('data', onData)
        resolve()
      }
      socket.on('data', onData)
    })
  })
  const [socket] = await connected
  socket.destroy()
  server.close()
}
