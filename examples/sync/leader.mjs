// node examples/sync/leader.mjs
// Of several processes one leads, for as long as it lives: it holds a lock and never releases it. The others wait for it,
// and the next one leads when it dies. A leader whose lock is removed stops leading.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Lock } from 'ipckit/sync'

const election = Lock.openOrCreate('/leader')

async function candidate(name) {
  await election.acquire({
    onLost: (reason) => {
      process.send(`${name} leads no more: ${reason.code}`)
      process.exit()
    },
  })
  process.send(`${name} leads`)
  setInterval(() => {}, 1000) // what a leader does
}

async function watch() {
  const says = async (child) => console.log((await once(child, 'message'))[0])
  const first = fork(process.argv[1], ['first'])
  await says(first)
  const second = fork(process.argv[1], ['second'])
  first.kill('SIGKILL')
  await says(second)
  election.unlink()
  await says(second)
  await election.close()
}

await (process.argv[2] ? candidate(process.argv[2]) : watch())
