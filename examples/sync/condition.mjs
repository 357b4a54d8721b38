// node examples/sync/condition.mjs
// Waits until another process has made enough of something: a number in shared memory, and a condition beside it.
import { fork } from 'node:child_process'
import { i32 } from 'ipckit'
import { Condition, Value } from 'ipckit/sync'

const changed = Condition.openOrCreate('/stock-changed')
const stock = Value.openOrCreate('/stock', i32)

if (process.argv[2] === 'baker') {
  for (let loaf = 0; loaf < 5; loaf++) {
    await changed.run(() => {
      stock.value += 2
      changed.notifyAll()
    })
  }
} else {
  fork(process.argv[1], ['baker'])
  await changed.run(async () => {
    await changed.waitFor(() => stock.value >= 7, { timeoutMs: 10_000 })
    stock.value -= 7
    console.log('seven loaves, please')
  })
  await changed.run(() => changed.waitFor(() => stock.value === 3, { timeoutMs: 10_000 }))
  console.log(`${stock.value} are left`)
  changed.unlink()
  stock.unlink()
}
await changed.close()
await stock.close()
