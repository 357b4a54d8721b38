// Unrelated processes in three languages work on two kernel queues, known to each other by name alone: Node
// producers, and a Node, a C and a Python worker for each queue. Workers are killed with SIGKILL while they wait and
// messages arrive. In the end every job that was queued must have been done, once.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { json, Queue } from 'ipckit'
import { killWaiting } from './kill-waiting.mjs'
import { audit, readIds } from './ledger.mjs'
import { Screen, verdict } from './screen.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ipckit-demo-'))
const jobsPerProducer = 400
const producersPerQueue = 2
const languages = ['node', 'c', 'python']

/** One queue with its producers and workers. */
class Site {
  killed = 0
  #workers = new Map()
  #producers = []
  #ledgers = { queued: [], node: [], c: [], python: [] }
  #counts = 0

  constructor(address, workerCommand) {
    this.address = address
    this.workerCommand = workerCommand
  }

  async start() {
    this.queue = await Queue.create(this.address, { codec: json() })
    for (const language of languages) await this.#startWorker(language)
    for (let at = 0; at < producersPerQueue; at++) {
      const ledger = this.#newLedger('queued')
      const first = at * jobsPerProducer
      const script = join(root, 'examples/demo/producer.mjs')
      this.#producers.push(run([process.execPath, script, this.address, first, jobsPerProducer, ledger]))
    }
  }

  get producing() {
    return this.#producers.some(({ exitCode }) => exitCode === null)
  }

  /** Kills one worker that waits, while at least one more job arrives, and starts another in its place. */
  async killOne(language) {
    const worker = this.#workers.get(language)
    const queuedBefore = this.queued.length
    const arrives = async () => {
      while (this.producing && this.queued.length === queuedBefore) await sleep(2)
    }
    if (!(await killWaiting(worker.pid, arrives))) return
    this.killed++
    await this.#startWorker(language)
  }

  get queued() {
    return readIds(this.#ledgers.queued)
  }

  done(...which) {
    return readIds(which.flatMap((language) => this.#ledgers[language]))
  }

  get row() {
    const { depth } = this.queue.stat()
    const queued = Math.max(this.queued.length, depth)
    const done = languages.map((language) => this.done(language).length)
    return [this.address, queued, depth, queued - depth, ...done, this.killed]
  }

  async stop() {
    const ends = [...this.#workers.values()].map((worker) => {
      worker.kill('SIGTERM')
      return ended(worker)
    })
    await Promise.all(ends)
    await this.queue.unlink()
    await this.queue.close()
  }

  killAll() {
    for (const child of [...this.#workers.values(), ...this.#producers]) child.kill('SIGKILL')
  }

  async #startWorker(language) {
    const ledger = this.#newLedger(language)
    const worker = run(this.workerCommand(language, this.address, ledger), 'pipe')
    this.#workers.set(language, worker)
    await isReady(worker)
  }

  #newLedger(kind) {
    const file = join(folder, `${this.address.replaceAll(/\W/g, '-')}-${kind}-${this.#counts++}`)
    this.#ledgers[kind].push(file)
    return file
  }
}

function run(command, output = 'ignore') {
  const [program, ...args] = command.map(String)
  return spawn(program, args, { cwd: root, stdio: ['ignore', output, 'inherit'] })
}

/** A worker says a line when its queue is open; at its end it says what it did, which nobody reads. */
function isReady(worker) {
  return new Promise((resolve, reject) => {
    worker.stdout.on('data', resolve)
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`${worker.spawnargs.join(' ')} ended with ${code}`)))
  })
}

function ended(child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once('exit', resolve)
  })
}

function peers(kind, nameOf) {
  return (language, address, ledger) => {
    const options = [...nameOf(address), '--format', 'json', '--ledger', ledger]
    if (language === 'c') return [join(root, `build-interop/${kind}-peer`), 'worker', ...options]
    if (language === 'python') return ['python3', 'interop/python/peer.py', kind, 'worker', ...options]
    return [process.execPath, 'examples/demo/worker.mjs', address, ledger]
  }
}

console.log('Building the C worker …')
if (spawnSync('make', ['-s', '-C', 'interop/c'], { cwd: root, stdio: 'inherit' }).status !== 0)
  process.exit(1)

const random = Math.floor(Math.random() * 0x7fffff00) + 1
const sites = [
  new Site(
    `posix:/ipckit-demo-${process.pid}`,
    peers('mq', (address) => ['--queue', address.slice('posix:'.length)]),
  ),
  new Site(
    `sysv:0x${random.toString(16)}`,
    peers('msg', (address) => ['--key', address.slice('sysv:'.length)]),
  ),
]
const screen = new Screen()
const rows = () => sites.map((site) => site.row)
let good = true

process.once('SIGINT', () => process.exit(130))
process.once('exit', () => {
  for (const site of sites) site.killAll()
  rmSync(folder, { recursive: true, force: true })
})

console.log(
  `${producersPerQueue} producers and a Node, a C and a Python worker for each of two queues; workers that wait are killed with SIGKILL.\n`,
)
try {
  for (const site of sites) await site.start()

  for (let turn = 0; sites.some((site) => site.producing); turn++) {
    const site = sites[turn % sites.length]
    if (site.producing) await site.killOne(languages[Math.floor(turn / 2) % languages.length])
    screen.show(rows())
    await sleep(100)
  }
  // A queue that stays empty for a moment, while its workers write their ledgers, is done.
  while (sites.some((site) => audit(site.queued, site.done(...languages)).missing.length > 0)) {
    if (sites.every((site) => site.queue.stat().depth === 0)) {
      await sleep(500)
      break
    }
    screen.show(rows())
    await sleep(100)
  }
  screen.end(rows())

  for (const site of sites) good = verdict(site.address, audit(site.queued, site.done(...languages))) && good
} finally {
  await Promise.allSettled(sites.map((site) => site.stop()))
}
process.exitCode = good ? 0 : 1
