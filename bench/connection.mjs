// A connection between two processes, against two C programs with the same framing over the same kind of socket: the
// round trip of one message, and messages one way.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { socketPair } from 'ipckit/pipe'
import { isWanted, placesOr, rounds, scale } from './support/options.mjs'
import { isPossible, launcher } from './support/placement.mjs'
import { attempt, reportRatio } from './support/report.mjs'
import { alternate } from './support/statistics.mjs'

const root = dirname(import.meta.dirname)
const products = join(root, 'build-bench')
const twin = join(products, 'twin-connection')
const nodePeer = join(import.meta.dirname, 'peers/connection.mjs')

/** Messages of a round. */
const counts = { 64: 20_000, 8192: 10_000, 1048576: 300 }

/** At most so many times C's round trip; at least so much of C's rate. */
const bars = {
  'round-trip': { sync: { most: 1.5 }, async: { most: 3 } },
  rate: { sync: { least: 0.5 }, async: { least: 0.35 } },
}

function compile() {
  mkdirSync(products, { recursive: true })
  const source = join(root, 'interop/c/connection_peer.c')
  const flags = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror']
  const gcc = spawnSync('gcc', [...flags, '-o', twin, source], { encoding: 'utf8' })
  if (gcc.status !== 0) throw new Error(`cannot compile the C twin: ${gcc.error?.message ?? gcc.stderr}`)
}

function commandOf(mode, role, count, bytes) {
  const numbers = [String(count), String(bytes)]
  return mode === 'C' ? [twin, '3', role, ...numbers] : [process.execPath, nodePeer, role, ...numbers, mode]
}

/** Runs two processes at the ends of a new pair; what the first one prints, as nanoseconds a message. */
async function measure(mode, roles, count, bytes, place) {
  const ends = socketPair()
  const children = roles.map((role, at) => {
    const [command, ...args] = [...launcher(place, at), ...commandOf(mode, role, count, bytes)]
    return spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit', ends[at].fd] })
  })
  for (const end of ends) await end.close()
  let said = ''
  children[0].stdout.on('data', (chunk) => {
    said += chunk
  })
  const codes = await Promise.all(
    children.map((child) => new Promise((resolve) => child.on('close', (code) => resolve(code)))),
  )
  if (codes.some((code) => code !== 0)) throw new Error(`the peers ended with ${codes}`)
  return Number(said) / count
}

async function compare(what, bytes, place, modes) {
  const count = Math.max(100, Math.ceil(counts[bytes] * scale))
  const roles = what === 'rate' ? ['drain', 'pump'] : ['ping', 'echo']
  const all = await alternate(['C', ...modes], rounds, (mode) => measure(mode, roles, count, bytes, place))
  // As shown: microseconds a round trip, or messages a second.
  const [theirs, ...ours] = all.map((series) => series.map((ns) => (what === 'rate' ? 1e9 / ns : ns / 1000)))
  for (const [at, mode] of modes.entries()) {
    const title = `${what} ${bytes} ${mode} ${place}`
    const unit = what === 'rate' ? 'msg/s' : 'us'
    reportRatio({ title, node: ours[at], twin: theirs, unit, bar: bars[what][mode] })
  }
}

compile()
for (const place of placesOr(['free']).filter(isPossible)) {
  for (const what of Object.keys(bars)) {
    for (const bytes of Object.keys(counts).map(Number)) {
      const modes = Object.keys(bars[what]).filter((mode) => isWanted(`${what} ${bytes} ${mode} ${place}`))
      if (modes.length > 0)
        await attempt(`${what} ${bytes} ${place}`, () => compare(what, bytes, place, modes))
    }
  }
}
