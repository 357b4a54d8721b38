// A process at one end of a measured queue: node.mjs, or the C twin. It stays for all rounds, so that Node
// is measured warm, and sleeps while others are measured.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { profile } from './options.mjs'
import { launcher } from './placement.mjs'

const nodePeer = join(import.meta.dirname, '../peers/node.mjs')

/** A round in which nothing arrives any more ends so; the slowest honest one takes seconds. */
const patienceMs = 30_000

export class Peer {
  #child
  #lines
  #errors = ''
  #title
  #exit

  constructor(title, [command, ...args]) {
    this.#title = title
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    this.#child.stderr.on('data', (chunk) => {
      this.#errors += chunk
    })
    this.#child.stdin.on('error', () => {})
    this.#exit = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        this.#errors += error.message
        resolve(1)
      })
      this.#child.on('close', (code, signal) => resolve(code ?? signal))
    })
  }

  get pid() {
    return this.#child.pid
  }

  /** Starts a round of so many messages and resolves with the first answer. */
  ask(count) {
    this.#child.stdin.write(`${count}\n`)
    return this.answer()
  }

  /** The next line, as numbers, unless it is a word. */
  async answer() {
    const overdue = setTimeout(() => {
      this.#errors += `no answer for ${patienceMs / 1000} s: messages were lost, or the peer hangs`
      this.kill()
    }, patienceMs)
    const { value, done } = await this.#lines.next()
    clearTimeout(overdue)
    if (done) {
      const code = await this.#exit
      throw new Error(`${this.#title} ended (${code}): ${this.#errors.trim()}`)
    }
    return value.split(' ').map((word) => (/^\d+$/.test(word) ? Number(word) : word))
  }

  /** Lets it end by itself; throws when it fails then. */
  async end() {
    this.#child.stdin.end()
    const code = await this.#exit
    if (code !== 0) throw new Error(`${this.#title} ended (${code}): ${this.#errors.trim()}`)
  }

  kill() {
    this.#child.kill('SIGKILL')
  }
}

/** Starts a Node peer. `addresses` are those of ipckit. */
export function nodePeerOf({ role, mode, bytes, number = 0, addresses, place, end }) {
  const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  const args = [role, bytes, number, mode, ...addresses].map(String)
  return new Peer(`Node ${role}`, [
    ...launcher(place, end),
    process.execPath,
    ...profiling,
    nodePeer,
    ...args,
  ])
}

/** Starts the C twin of it. */
export function twinOf(program, { role, bytes, number = 0, addresses, place, end }) {
  const bare = addresses.map((address) => address.slice(address.indexOf(':') + 1))
  const args = [role, bytes, number, ...bare].map(String)
  return new Peer(`C ${role}`, [...launcher(place, end), program, ...args])
}
