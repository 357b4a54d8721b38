// Builds the addon into build/Release/ipckit.node with node-gyp. Also what a user runs where no prebuilt
// binary fits: it needs nothing but Node, npm's own node-gyp, a C++20 compiler, make and Python.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
const prefix = dirname(dirname(process.execPath))

function fail(message) {
  console.error(`build-native: ${message}`)
  process.exit(1)
}

/** Ours when devDependencies are installed, else the one inside npm, wherever npm lies. */
function findNodeGyp() {
  const npmCli = process.env.npm_execpath
  const places = [
    root,
    ...(npmCli ? [npmCli] : []),
    join(prefix, 'lib/node_modules/npm/bin/npm-cli.js'),
    '/usr/share/nodejs/npm/bin/npm-cli.js',
  ]
  for (const place of places) {
    try {
      return createRequire(join(place, 'package.json')).resolve('node-gyp/bin/node-gyp.js')
    } catch {}
  }
  return fail('found no node-gyp; npm install -g node-gyp, then run it here: node-gyp rebuild')
}

function runs(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
}

const missing = [
  [process.env.CXX?.split(' ')[0] ?? 'g++', 'g++'],
  ['make', 'make'],
  [process.env.npm_config_python ?? process.env.PYTHON ?? 'python3', 'python3'],
].filter(([command]) => !runs(command))
if (missing.length > 0) {
  const packages = missing.map(([, name]) => name).join(' ')
  fail(
    `cannot run ${missing.map(([command]) => command).join(', ')}; on Debian and Ubuntu: apt-get install ${packages}`,
  )
}

// Most installs of Node bring their headers along; with them nothing is fetched.
const headers = existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : []
const built = spawnSync(
  process.execPath,
  [findNodeGyp(), 'configure', 'build', '--release', '--jobs=max', '--loglevel=warn', ...headers],
  { cwd: root, stdio: 'inherit' },
)
if (built.error) fail(built.error.message)
process.exit(built.status ?? 1)
