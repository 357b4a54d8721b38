// Compiles the C twins, which stand in peers/, into build-bench/.
import { spawnSync } from 'node:child_process'
import { mkdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'

const bench = dirname(import.meta.dirname)
const peers = join(bench, 'peers')
const products = join(dirname(bench), 'build-bench')

/** The source that knows the kernel's calls, by scheme. */
const calls = { posix: 'mq.c', sysv: 'msg.c' }

const programs = new Map()

/** The program that is the twin of a scheme, compiled anew by every run of a benchmark. */
export function compileTwin(scheme) {
  if (!programs.has(scheme)) programs.set(scheme, compile(`twin-${scheme}`, ['twin.c', calls[scheme]]))
  return programs.get(scheme)
}

/** A twin that is one file. */
export function compileProgram(file) {
  if (!programs.has(file)) programs.set(file, compile(`twin-${file.replace(/\.c$/, '')}`, [file]))
  return programs.get(file)
}

function compile(name, files) {
  mkdirSync(products, { recursive: true })
  const program = join(products, name)
  const fresh = `${program}.${process.pid}`
  const sources = files.map((file) => join(peers, file))
  const gcc = spawnSync(
    'gcc',
    ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-o', fresh, ...sources, '-lrt', '-pthread'],
    {
      encoding: 'utf8',
    },
  )
  if (gcc.status !== 0) throw new Error(`cannot compile the C twin: ${gcc.error?.message ?? gcc.stderr}`)
  // Another run may be executing the old one.
  renameSync(fresh, program)
  return program
}
