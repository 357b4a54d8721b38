// Compiles the C twins, which stand in peers/, into build-bench/.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'

const bench = dirname(import.meta.dirname)
const peers = join(bench, 'peers')
const top = dirname(bench)
const products = join(top, 'build-bench')

/** The source that knows the kernel's calls, by scheme. */
const calls = { posix: 'mq.c', sysv: 'msg.c', fifo: 'fifo.c', shm: 'ring.c' }

/** What the queue in shared memory needs beside that: libipckit, compiled into the twin. */
const rooms = ['native/ring', 'native/shared', 'native/sync'].map((room) => join(top, room))
const library = [
  ...['-pthread', '-D_GNU_SOURCE', '-DTWIN_BATCHES', `-I${join(top, 'include')}`, `-I${join(top, 'native')}`],
  ...rooms.flatMap((room) =>
    readdirSync(room)
      .filter((file) => file.endsWith('.c'))
      .map((file) => join(room, file)),
  ),
]

const programs = new Map()

/** The program that is the twin of a scheme, compiled anew by every run of a benchmark. */
export function compileTwin(scheme) {
  return compileOnce(`twin-${scheme}`, ['twin.c', calls[scheme]], scheme === 'shm' ? library : [])
}

/** A program that is made of one source of that name, likewise; with libipckit where it needs that. */
export function compilePeer(name, needsLibrary = false) {
  return compileOnce(name, [`${name}.c`], needsLibrary ? library : [])
}

function compileOnce(name, files, others = []) {
  if (!programs.has(name)) programs.set(name, compile(name, files, others))
  return programs.get(name)
}

function compile(name, files, others) {
  mkdirSync(products, { recursive: true })
  const program = join(products, name)
  const fresh = `${program}.${process.pid}`
  const sources = files.map((file) => join(peers, file))
  const gcc = spawnSync(
    'gcc',
    ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-o', fresh, ...others, ...sources, '-lrt'],
    {
      encoding: 'utf8',
    },
  )
  if (gcc.status !== 0) throw new Error(`cannot compile the C twin: ${gcc.error?.message ?? gcc.stderr}`)
  // Another run may be executing the old one.
  renameSync(fresh, program)
  return program
}
