// node examples/sync/barrier.mjs
// Three processes begin together; one that dies is noticed by the others, who would wait for it for ever otherwise.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Barrier } from 'ipckit/sync'

const start = Barrier.openOrCreate('/start', { parties: 3 })

if (process.argv[2] === 'runner') {
  process.once('disconnect', () => process.exit())
  for (;;) {
    try {
      process.send(`runs on lane ${await start.wait()}`)
      await once(process, 'message') // the next race
    } catch (error) {
      process.send(error.code)
      break
    }
  }
} else {
  const runners = [1, 2, 3].map(() => fork(process.argv[1], ['runner']))
  const says = (some) => Promise.all(some.map(async (each) => (await once(each, 'message'))[0]))
  console.log((await says(runners)).sort())
  const [tired, ...others] = runners
  tired.kill('SIGKILL')
  for (const each of others) each.send('next')
  console.log(await says(others))
  console.log(`broken: ${start.broken}`)
  start.reset()
  for (const each of others) each.disconnect()
  start.unlink()
}
await start.close()
