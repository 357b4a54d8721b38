// The packages that ipckit is compared with: installed and built when they are needed first, into bench/rivals.
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Peer } from './peer.mjs'
import { launcher } from './placement.mjs'

const rivals = join(import.meta.dirname, '../rivals')
/** Those that are compiled here, and what that makes. */
const compiled = {
  'shared-memory-disruptor': 'build/Release/disruptor.node',
  'fs-ext': 'build/Release/fs_ext.node',
}

function run(command, args, cwd) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status === 0) return
  throw new Error(`${command} ${args[0]} failed: ${error?.message ?? `${stdout}${stderr}`.trim()}`)
}

/**
 * Installs what is missing. No install script runs: zeromq brings its binaries in its package, and what has to be
 * compiled is compiled here, with the headers that lie beside Node.
 */
export function install() {
  const folders = Object.keys(compiled).map((name) => join(rivals, 'node_modules', name))
  if (!folders.every((folder) => existsSync(folder)))
    run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], rivals)
  for (const [name, product] of Object.entries(compiled)) compile(join(rivals, 'node_modules', name), product)
}

function compile(folder, product) {
  if (existsSync(join(folder, product))) return
  const gyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')
  const prefix = dirname(dirname(process.execPath))
  const headers = existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : []
  run(process.execPath, [gyp, 'rebuild', '--release', ...headers], folder)
}

/** A package of the rivals. */
export function rival(name) {
  return createRequire(join(rivals, 'package.json'))(name)
}

function start(program, args, place, end) {
  const file = join(rivals, `${program}.mjs`)
  return new Peer(`${program} ${args[0]}`, [...launcher(place, end), process.execPath, file, ...args])
}

/** What each rival is: its program, where it meets, and what else it is told. */
const kinds = {
  'disruptor one': { program: 'disruptor', meets: 'memory', others: ['one'] },
  'disruptor many': { program: 'disruptor', meets: 'memory', others: ['many'] },
  zeromq: { program: 'zeromq', meets: 'path', others: [] },
  net: { program: 'net', meets: 'path', others: ['bytes'] },
  'net json': { program: 'net', meets: 'path', others: ['json'] },
  'process.send': { program: 'process-send', others: [] },
}

/** Starts both ends of a rival: the consumer, and the producer unless the consumer starts it. */
export async function startRival(kind, place) {
  const { program, meets, others } = kinds[kind]
  const name = `ipckit-bench-${randomUUID()}`
  const where = { memory: `/${name}`, path: join(tmpdir(), name) }[meets]
  const args = where === undefined ? others : [where, ...others]
  const consumer = start(program, ['consume', ...args], place, 1)
  const remove = () => {
    if (where !== undefined) rmSync(meets === 'memory' ? `/dev/shm${where}` : where, { force: true })
  }
  try {
    await consumer.answer()
  } catch (error) {
    remove()
    throw error
  }
  const producer = where === undefined ? undefined : start(program, ['produce', ...args], place, 0)
  return { consumer, producer, remove }
}
