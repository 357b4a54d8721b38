// node examples/background.mjs
// Listens for commands beside its work. After unref() the queue does not keep the process alive. It stays for
// those who send commands: ipckit rm posix:/commands
import { setTimeout as work } from 'node:timers/promises'
import { Queue, text } from 'ipckit'

const commands = await Queue.openOrCreate('posix:/commands', { codec: text() })
commands.unref()

await commands.put('hurry up') // which another program would do

async function listen() {
  for await (const command of commands) console.log(`told to ${command}`)
}
listen()

await work(200)
console.log('work done')
