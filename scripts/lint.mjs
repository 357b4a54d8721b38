// Checks layout and lints every language of the repository; with --write it repairs what it can.
// A tool that is not installed is named and skipped; in CI (environment variable CI) that is a failure.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'

process.chdir(dirname(import.meta.dirname))
const write = process.argv.includes('--write')

/** Every file that git knows or would add. */
const files = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .stdout.split('\n')
  .filter((file) => existsSync(file))
const ending = (...ends) => files.filter((file) => ends.some((end) => file.endsWith(end)))

const native = ending('.c', '.cc', '.h')
const python = ending('.py')
const nodeHeaders = join(dirname(dirname(process.execPath)), 'include/node')
const compilerFlags = [
  ...['-std=c++20', '-fno-exceptions', '-Inative', '-Iinclude', '-isystem', 'node_modules/node-addon-api'],
  ...['-isystem', nodeHeaders, '-DNAPI_VERSION=9', '-DNAPI_DISABLE_CPP_EXCEPTIONS'],
  '-DNODE_ADDON_API_DISABLE_DEPRECATED',
]

/** Each job is a command line; a tool with many jobs runs as many at once as there are cores. */
const tools = [
  {
    name: 'biome',
    command: 'node_modules/.bin/biome',
    jobs: [['check', '--error-on-warnings', ...(write ? ['--write'] : [])]],
    remedy: 'npm ci',
  },
  {
    name: 'clang-format',
    jobs: native.length > 0 ? [[...(write ? ['-i'] : ['--dry-run', '--Werror']), ...native]] : [],
    remedy: 'apt-get install clang-format',
  },
  {
    name: 'clang-tidy',
    jobs: ending('.cc')
      .filter((file) => file.startsWith('native/'))
      .map((file) => ['--quiet', file, '--', ...compilerFlags]),
    remedy: 'apt-get install clang-tidy',
  },
  {
    name: 'black',
    jobs: python.length > 0 ? [['--quiet', ...(write ? [] : ['--check', '--diff']), ...python]] : [],
    remedy: 'apt-get install black',
  },
  {
    name: 'flake8',
    jobs: python.length > 0 ? [python] : [],
    remedy: 'apt-get install flake8',
  },
]

/** Resolves to whether the command succeeded; prints its output only when it did not. */
function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    child.stderr.on('data', (chunk) => {
      output += chunk
    })
    child.on('close', (code) => {
      if (code !== 0) process.stderr.write(output)
      resolve(code === 0)
    })
  })
}

async function runAll(command, jobs) {
  const waiting = [...jobs]
  let clean = true
  const worker = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      if (!(await run(command, job))) clean = false
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return clean
}

const failed = []
for (const { name, command = name, jobs, remedy } of tools) {
  if (spawnSync(command, ['--version'], { stdio: 'ignore' }).status !== 0) {
    console.error(`lint: ${name} is MISSING, its files are not checked: ${remedy}`)
    if (process.env.CI) failed.push(name)
  } else if (await runAll(command, jobs)) {
    console.log(`lint: ${name} is content`)
  } else {
    console.error(`lint: ${name} failed`)
    failed.push(name)
  }
}
if (failed.length > 0) {
  console.error(`lint: failed: ${failed.join(', ')}`)
  process.exit(1)
}
