// Makes a fresh clone ready: packages, addon, dist/. Called by `npm test` and `npm run demo`; does only
// what is out of date, says each step in one line, and shows the whole output of a step that fails.
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
process.chdir(root)

/** When the file, or anything in the directory, last changed; a directory changes when a file is deleted. */
function changed(path) {
  const status = statSync(path, { throwIfNoEntry: false })
  if (status === undefined) return 0
  if (!status.isDirectory()) return status.mtimeMs
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => changed(join(path, name))))
}

function isStale(product, sources) {
  return !existsSync(product) || changed(product) < Math.max(...sources.map(changed))
}

function run(command, args, env) {
  const directory = mkdtempSync(join(tmpdir(), 'ipckit-setup-'))
  const log = openSync(join(directory, 'log'), 'w+')
  const step = spawnSync(command, args, { stdio: ['ignore', log, log], env: { ...process.env, ...env } })
  const output = readFileSync(join(directory, 'log'), 'utf8')
  closeSync(log)
  rmSync(directory, { recursive: true })
  if (step.status === 0) return
  process.stderr.write(output)
  const how = step.error?.message ?? (step.signal ? `ended by ${step.signal}` : `exit code ${step.status}`)
  console.error(`setup: failed: ${[command, ...args].join(' ')}: ${how}`)
  process.exit(step.status || 1)
}

function step(title, product, sources, make) {
  if (!isStale(product, sources)) return
  console.log(`setup: ${title}`)
  make()
}

/** A step whose product is dated back to its start, so that a source saved while it ran counts as newer. */
function compile(title, product, sources, make) {
  step(title, product, sources, () => {
    const start = new Date()
    make()
    utimesSync(product, start, start)
  })
}

step('installing packages (npm ci)', 'node_modules/.package-lock.json', ['package-lock.json'], () =>
  run('npm', ['ci', '--no-audit', '--no-fund']),
)
compile('building the addon', 'build/Release/ipckit.node', ['native', 'binding.gyp'], () =>
  run(process.execPath, ['scripts/build-native.mjs'], { IPCKIT_WERROR: '1' }),
)
compile('compiling TypeScript', 'dist/index.js', ['lib', 'tsconfig.json', 'rolldown.config.mjs'], () =>
  run(process.execPath, ['scripts/build.mjs']),
)
