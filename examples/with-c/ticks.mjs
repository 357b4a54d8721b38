// node examples/with-c/ticks.mjs
// Takes five ticks from the queue of daemon.c, which runs already.
import { chars, f64, i32, Queue, struct } from 'ipckit'

const tick = struct({ id: i32, px: f64, sym: chars(8) })
const ticks = await Queue.open('sysv:0x1234', { codec: tick })

for (let count = 0; count < 5; count++) {
  const { id, px, sym } = await ticks.get({ type: 5 })
  console.log(`#${id} ${sym} ${px}`)
}
await ticks.close()
