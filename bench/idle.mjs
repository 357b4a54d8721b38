// What waiting costs: 50 open queues of each kernel with 1,000 pending gets in all, and queues in
// shared memory, one and 50, looked at from outside for
// ten seconds: CPU time, wake-ups and threads, against bare Node. Then every get is served, in order.
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue, text } from 'ipckit'
import { isWanted, scale } from './support/options.mjs'
import { attempt, report } from './support/report.mjs'

const peer = join(import.meta.dirname, 'peers/idle.mjs')
const seconds = 10 * scale
const queuesOfEach = 50
const getsOfEach = 10

/** More than bare Node uses, milliseconds of CPU: a thousandth of the time, which is what a machine adds by itself. */
const mostCpuMs = 10 * scale

/** Without it V8 collects garbage once, eight seconds after a program has become idle, for 20 ms. */
const flags = ['--no-memory-reducer']

/** Small, so that the bytes that a user may have in POSIX queues, RLIMIT_MSGQUEUE, last for 50. */
const makers = {
  posix: (name) =>
    Queue.create(`posix:/ipckit-bench-${name}`, { codec: text(), capacity: 4, maxMessageBytes: 16 }),
  sysv: (name) => Queue.create(`sysv:0x${name}`, { codec: text() }),
  shm: (name) =>
    Queue.create(`shm:/ipckit-bench-${name}`, { codec: text(), capacity: 16, maxMessageBytes: 16 }),
}

function makeQueues(schemes, ofEach) {
  const base = randomInt(0x1000_0000, 0x7000_0000)
  return Promise.all(
    schemes.flatMap((scheme, kernel) =>
      Array.from({ length: ofEach }, (_, at) => makers[scheme]((base + kernel * ofEach + at).toString(16))),
    ),
  )
}

/** What the threads of a process have used until now: nanoseconds on a CPU, and times they went to sleep. */
function usage(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`)
  const sum = (numbers) => numbers.reduce((total, number) => total + Number(number), 0)
  return {
    threads: tasks.length,
    cpuNs: sum(tasks.map((task) => readFileSync(`${task}/schedstat`, 'utf8').split(' ')[0])),
    sleeps: sum(
      tasks.map(
        (task) => /^voluntary_ctxt_switches:\s*(\d+)/m.exec(readFileSync(`${task}/status`, 'utf8'))[1],
      ),
    ),
  }
}

/** Runs the peer, looks at it while it is idle, and lets `serve` end its waits. */
async function watch(args, serve) {
  const child = spawn(process.execPath, [...flags, peer, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.on('close', resolve))
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    await lines.next()
    await sleep(1000)
    const before = usage(child.pid)
    await sleep(seconds * 1000)
    const after = usage(child.pid)
    child.stdin.end('go\n')
    await serve()
    const served = Number((await lines.next()).value)
    const code = await ended
    if (code !== 0) throw new Error(`the idle peer ended with ${code}`)
    return {
      cpuMs: (after.cpuNs - before.cpuNs) / 1e6,
      sleeps: after.sleeps - before.sleeps,
      threads: after.threads,
      served,
    }
  } finally {
    child.kill('SIGKILL')
  }
}

async function measure(title, { schemes, ofEach = queuesOfEach, hasBar = true }, bare) {
  const queues = await makeQueues(schemes, ofEach)
  try {
    const idle = await watch([String(getsOfEach), ...queues.map((queue) => queue.address)], () =>
      Promise.all(
        queues.map((queue) => queue.putMany(Array.from({ length: getsOfEach }, (_, at) => String(at)))),
      ),
    )
    const expected = queues.length * getsOfEach
    if (idle.served !== expected) throw new Error(`${idle.served} of ${expected} gets were served in order`)
    report({
      title: `${title} CPU in ${seconds} s`,
      value: idle.cpuMs - bare.cpuMs,
      unit: ' ms',
      bar: hasBar ? { most: mostCpuMs } : undefined,
      details: `${queues.length} queues, ${expected} gets: ${idle.cpuMs.toFixed(2)} ms, ${idle.sleeps} wake-ups; bare Node ${bare.cpuMs.toFixed(2)} ms, ${bare.sleeps} wake-ups`,
    })
    report({
      title: `${title} threads`,
      value: idle.threads - bare.threads,
      // One polls all POSIX queues, one sleeps at all words of shared memory; one for each System V queue and selector
      // waits.
      bar: { most: schemes.includes('sysv') ? 1 + queuesOfEach : 1 },
      details: `beyond the ${bare.threads} of bare Node`,
    })
  } finally {
    await Promise.all(queues.map((queue) => queue.unlink().then(() => queue.close())))
  }
}

let bare
await attempt('bare Node', async () => {
  bare = await watch([], () => {})
})
const subjects = {
  posix: { schemes: ['posix'] },
  'posix sysv': { schemes: ['posix', 'sysv'] },
  'shm 1': { schemes: ['shm'], ofEach: 1 },
  // Each is looked at ten times a second for participants that died: only shown.
  'shm 50': { schemes: ['shm'], hasBar: false },
}
for (const [title, subject] of Object.entries(subjects)) {
  if (bare !== undefined && isWanted(title)) await attempt(title, () => measure(title, subject, bare))
}
