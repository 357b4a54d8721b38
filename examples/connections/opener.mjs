// node examples/connections/opener.mjs
// Opens files for programs that may not: it knows who asks, and hands over a descriptor, open for reading only. Ctrl-C
// ends it.
import { closeSync, openSync } from 'node:fs'
import { Listener } from 'ipckit/pipe'

const listener = Listener.listen('/tmp/ipckit-opener.sock', { mode: 0o600, replaceStale: true })
process.once('SIGINT', () => listener.close())
const allowed = new Set(['/etc/hostname', '/etc/passwd'])

async function serve(connection) {
  const { uid } = connection.peerCredentials()
  for await (const { path } of connection) {
    if (!allowed.has(path)) {
      await connection.send({ error: `user ${uid} may not read ${path}` })
      continue
    }
    const fd = openSync(path, 'r')
    await connection.send({ path })
    await connection.sendFd(fd)
    closeSync(fd) // Ours; the other side has its own.
  }
  await connection.close()
}

for await (const connection of listener) serve(connection).catch((error) => console.error(error.message))
