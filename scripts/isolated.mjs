// Runs a command in IPC and mount namespaces of its own, and fails when it leaves anything behind: files in
// /dev/shm, POSIX queues, System V objects, processes.
//
//   node scripts/isolated.mjs COMMAND [ARGUMENT...]
//
// Where namespaces are not allowed the command runs directly, and what is new of our own afterwards counts
// as left behind. Exit code: that of the command (128 + n for signal n), or 1 for leftovers.
import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

const inner = '--inside'
const marker = 'IPCKIT_ISOLATED_RUN'
const lingerMs = 2000

function attempt(action, fallback) {
  try {
    return action()
  } catch {
    return fallback
  }
}

/** Runs a command to its end and passes signals on to it; what it returns is its exit code. */
function run(command, args, env) {
  return new Promise((resolve) => {
    let child
    // Before the command exists: a signal in between would end us and leave it alone.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
      // On a terminal the kernel gives Ctrl-C and Ctrl-\ to the command as well; twice would be too much.
      const fromTerminal = process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT')
      process.on(signal, () => fromTerminal || child.kill(signal))
    }
    child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...env } })
    child.on('error', (error) => {
      console.error(`isolated: cannot run ${command}: ${error.message}`)
      resolve(127)
    })
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]))
  })
}

/** What exists now: readable names with the uid of their owner. */
function listObjects() {
  return new Map([
    ...['/dev/shm', '/dev/mqueue'].flatMap(listFiles),
    ...[
      ['msg', 'msqid'],
      ['sem', 'semid'],
      ['shm', 'shmid'],
    ].flatMap(([kind, idColumn]) => listSystemV(kind, idColumn)),
  ])
}

function listFiles(directory) {
  return attempt(() => readdirSync(directory), [])
    .map((name) => `${directory}/${name}`)
    .map((path) => [path, attempt(() => lstatSync(path).uid)])
}

function listSystemV(kind, idColumn) {
  const table = attempt(() => readFileSync(`/proc/sysvipc/${kind}`, 'utf8'), '')
  const [columns, ...rows] = table
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
  return rows.map((row) => {
    const cell = (column) => row[columns.indexOf(column)]
    const key = (Number(cell('key')) >>> 0).toString(16)
    return [`System V ${kind} id=${cell(idColumn)} key=0x${key}`, Number(cell('uid'))]
  })
}

/** Processes for which `belongs(pid)` holds. A zombie has neither namespace nor environment: never listed. */
function listProcesses(belongs) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid && belongs(name))
    .map((pid) => {
      const command = attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'), '')
      return { pid: Number(pid), command: command.replaceAll('\0', ' ').trim() }
    })
}

/** Runs the command, then names, and ends, what it left behind. */
async function runAndInspect(command, args, env, belongs, isOurs) {
  let code = await run(command, args, env)
  const deadline = Date.now() + lingerMs
  while (listProcesses(belongs).length > 0 && Date.now() < deadline) await sleep(20)

  const left = [...listObjects()].filter(([name, uid]) => isOurs(name, uid)).map(([name]) => name)
  for (const { pid, command: line } of listProcesses(belongs)) {
    left.push(`process ${pid}: ${line} (killed now)`)
    attempt(() => process.kill(pid, 'SIGKILL'))
  }
  if (left.length > 0) {
    console.error(`isolated: left behind:\n${left.map((line) => `  ${line}`).join('\n')}`)
    code ||= 1
  }
  return code
}

function mount(...args) {
  const mounted = spawnSync('mount', args, { encoding: 'utf8' })
  if (mounted.status !== 0) console.error(`isolated: ${mounted.error?.message ?? mounted.stderr.trim()}`)
}

/** What runs in the new namespaces: everything in them but this process is the command's. */
function runInside(command, args) {
  mount('-t', 'tmpfs', '-o', 'mode=1777,nosuid,nodev', 'tmpfs', '/dev/shm')
  attempt(() => mkdirSync('/dev/mqueue', { recursive: true }))
  mount('-t', 'mqueue', 'mqueue', '/dev/mqueue')
  const ours = readlinkSync('/proc/self/ns/ipc')
  const inOurNamespace = (pid) => attempt(() => readlinkSync(`/proc/${pid}/ns/ipc`) === ours, false)
  return runAndInspect(command, args, { IPCKIT_ISOLATED: '1' }, inOurNamespace, () => true)
}

function runDirectly(command, args) {
  const id = randomUUID()
  const uid = process.getuid()
  const before = listObjects()
  const carriesMarker = (pid) =>
    attempt(() => readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${marker}=${id}`), false)
  const isNewAndOurs = (name, owner) => owner === uid && !before.has(name)
  return runAndInspect(command, args, { [marker]: id }, carriesMarker, isNewAndOurs)
}

function runIsolated(command, args) {
  const namespaces = ['--ipc', '--mount', ...(process.getuid() === 0 ? [] : ['--user', '--map-root-user'])]
  const probe = spawnSync('unshare', [...namespaces, 'mount', '-t', 'tmpfs', 'tmpfs', '/dev/shm'])
  if (probe.status === 0) {
    const self = import.meta.filename
    return run('unshare', [...namespaces, process.execPath, self, inner, command, ...args])
  }
  console.error('isolated: NOT isolated, this system does not let us make namespaces with unshare(1)')
  return runDirectly(command, args)
}

const [first, ...rest] = process.argv.slice(2)
if (first === undefined) {
  console.error('usage: node scripts/isolated.mjs COMMAND [ARGUMENT...]')
  process.exit(2)
} else if (first === inner) {
  process.exit(await runInside(rest[0], rest.slice(1)))
} else if (process.env.IPCKIT_ISOLATED === '1') {
  process.exit(await run(first, rest))
} else {
  process.exit(await runIsolated(first, rest))
}
