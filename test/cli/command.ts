/** Runs the real command in a process of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { unlink } from 'ipckit/posix'
import { MessageQueue } from 'ipckit/sysv'
import { onTestFinished } from 'vitest'
import { newKey, newName } from '../helpers/names.ts'
import { works } from '../helpers/needs.ts'

export const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
/** How a shell starts the command. */
export const command = `'${process.execPath}' '${main}'`

export interface Outcome {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

interface RunOptions {
  input?: string | Uint8Array
  env?: NodeJS.ProcessEnv
  /** A command line that starts the rest of its arguments. */
  through?: string[]
}

/** Runs the command to its end. */
export function ipckit(args: string[], options: RunOptions = {}): Promise<Outcome> {
  const running = start(args, options)
  running.child.stdin.end(options.input ?? '')
  return running.ended
}

/** Runs a line of bash in which `ipckit` is the command. */
export function shell(line: string): Promise<Outcome> {
  const script = `ipckit() { ${command} "$@"; }\n${line}`
  return watch(spawn('bash', ['-c', script])).ended
}

export interface Running {
  child: ChildProcessWithoutNullStreams
  ended: Promise<Outcome>
  /** Resolves when stdout or stderr holds the pattern. */
  says(pattern: RegExp): Promise<void>
}

/** Starts the command; it is killed when the test ends. */
export function start(args: string[], { env = {}, through = [] }: RunOptions = {}): Running {
  const [file, ...rest] = [...through, process.execPath, main, ...args]
  return watch(spawn(file as string, rest, { env: { ...process.env, ...env } }))
}

function watch(child: ChildProcessWithoutNullStreams): Running {
  let stdout = ''
  let stderr = ''
  let onOutput = () => {}
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    onOutput()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    onOutput()
  })
  // Whoever has ended does not read.
  child.stdin.on('error', () => {})
  const ended = new Promise<Outcome>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const says = async (pattern: RegExp) => {
    let over = false
    ended.then(() => {
      over = true
      onOutput()
    })
    while (!pattern.test(stdout) && !pattern.test(stderr)) {
      if (over) throw new Error(`it ended and never said ${pattern}: ${stdout}${stderr}`)
      await new Promise<void>((resolve) => {
        onOutput = resolve
      })
    }
  }
  return { child, ended, says }
}

/** The address of a POSIX queue that does not exist yet, and is removed when the test ends. */
export function posixAddress(): string {
  const name = newName()
  onTestFinished(() => quietly(() => unlink(name)))
  return `posix:${name}`
}

/** The same of a System V queue. */
export function sysvAddress(): string {
  const key = newKey()
  onTestFinished(() =>
    quietly(() => {
      const queue = MessageQueue.open(key)
      queue.unlink()
      void queue.close()
    }),
  )
  return `sysv:0x${key.toString(16)}`
}

/** Both, for what both can do. */
export const kinds = [
  ['POSIX', posixAddress],
  ['System V', sysvAddress],
] as const

function quietly(action: () => void): void {
  try {
    action()
  } catch {}
}

/** The number of messages in a queue. */
export async function depthOf(address: string): Promise<number> {
  const { stdout } = await ipckit(['stat', address, '--json'])
  return JSON.parse(stdout).depth
}

/** The lines of what was printed. */
export function lines(text: string): string[] {
  return text.split('\n').slice(0, -1)
}

/** Starts the rest as a user without rights. */
export const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
export const canBeNobody = works(...asNobody, process.execPath, main, '--version')

/** Starts the rest without the right to mount, as root otherwise. */
export const withoutMounting = ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin']
/** Starts the rest where no mqueue file system is mounted. */
export const withoutMqueue = [
  ...['unshare', '--mount', 'sh', '-c'],
  'while umount /dev/mqueue 2> /dev/null; do :; done; exec "$@"',
  ...['sh', ...withoutMounting],
]
export const canUnmount = works(...withoutMqueue, 'sh', '-c', '! grep -q " - mqueue " /proc/self/mountinfo')
