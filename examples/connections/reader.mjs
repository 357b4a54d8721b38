// node examples/connections/reader.mjs
// Reads a file that another program opens for it; start opener.mjs first.
import { closeSync, readFileSync } from 'node:fs'
import { Connection } from 'ipckit/pipe'

const opener = await Connection.connect('/tmp/ipckit-opener.sock', { timeoutMs: 1000 })
for (const path of ['/etc/passwd', '/etc/shadow']) {
  await opener.send({ path })
  const { error } = await opener.recv()
  if (error !== undefined) {
    console.log(error)
    continue
  }
  const { fd } = await opener.recvFd()
  console.log(path, readFileSync(fd, 'utf8').split('\n')[0])
  closeSync(fd)
}
await opener.close()
