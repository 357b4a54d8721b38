// One end of a measured connection, in Node, on descriptor 3; interop/c/connection_peer.c is the same in C.
//
//   node connection.mjs ROLE COUNT BYTES MODE
//
// ping sends messages and waits for each to come back, echo sends them back; pump sends, drain receives. ping and drain
// print the nanoseconds of COUNT messages, after as many as V8 needs to compile what it runs.
import { raw } from 'ipckit'
import { Connection } from 'ipckit/pipe'

const [role, counted, bytes, mode] = process.argv.slice(2)
const count = Number(counted)
const warm = Math.min(count, 3000)
// Like the C program, it is done with a message before it receives the next.
const end = Connection.fromFd(3, { codec: raw({ view: true }) })
const message = Buffer.alloc(Number(bytes), 7)
const now = () => process.hrtime.bigint()

function check(received) {
  if (received.length !== message.length) throw new Error(`a message of ${received.length} bytes came`)
}

const roles = {
  sync: {
    ping(times) {
      for (let at = 0; at < times; at++) {
        end.sendBytesSync(message)
        check(end.recvSync())
      }
    },
    echo(times) {
      for (let at = 0; at < times; at++) end.sendBytesSync(end.recvSync())
    },
    pump(times) {
      for (let at = 0; at < times; at++) end.sendBytesSync(message)
    },
    drain(times) {
      for (let at = 0; at < times; at++) check(end.recvSync())
    },
  },
  async: {
    async ping(times) {
      for (let at = 0; at < times; at++) {
        await end.sendBytes(message)
        check(await end.recv())
      }
    },
    async echo(times) {
      for (let at = 0; at < times; at++) await end.sendBytes(await end.recv())
    },
    async pump(times) {
      for (let at = 0; at < times; at++) await end.sendBytes(message)
    },
    async drain(times) {
      for (let at = 0; at < times; at++) check(await end.recv())
    },
  },
}

const run = roles[mode][role]
await run(warm)
const start = now()
await run(count)
if (role === 'ping' || role === 'drain') console.log(String(now() - start))
// The sender stays until everything was received.
if (role === 'drain') await end.sendBytes(Buffer.alloc(0))
if (role === 'pump') await end.recvBytes()
await end.close()
