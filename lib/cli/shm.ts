/** `ipckit shm`: what is in a shared memory. It is opened to be read only, so looking changes nothing. */
import type { Command } from 'commander'
import { SharedMemory as PosixMemory } from '../posix/index.js'
import { SharedMemory as SysvMemory } from '../sysv/index.js'
import { integer, withExamples } from './arguments.js'
import { formatOf } from './decode.js'
import { CommandError, complain, exitCodes } from './failure.js'
import { hexLines } from './hex-lines.js'
import { print } from './output.js'

interface DumpOptions {
  struct?: string
  offset: number
  length?: number
  all?: boolean
  json?: boolean
}

type Memory = PosixMemory | SysvMemory

/** How much is read, and held, at a time; a multiple of a line of hex. */
const stepBytes = 65_536

const byteCount = integer(0, Number.MAX_SAFE_INTEGER)

/** Defines the command. */
export function define(command: Command): void {
  const dump = command
    .command('dump')
    .description('Print what is in a shared memory, as hex or as C structs.')
    .argument('<memory>', '/name, posix:/name, sysv:0x1234, sysv:id=5 or sysv:/path?proj=1')
    .option('--struct <fields>', "it holds C structs, such as 'id:i32,px:f64,sym:char[8]'")
    .option('--offset <bytes>', 'where to begin', byteCount, 0)
    .option('--length <bytes>', 'how much; default all, and with --struct one of it', byteCount)
    .option('-v, --all', 'print lines that repeat the one before, instead of one *')
    .option('--json', 'one JSON object a line: value or hex, offset, bytes')
    .action(run)
  withExamples(
    dump,
    ['As hexdump -C shows files', 'ipckit shm dump /frames --length 64'],
    ['A C struct', "ipckit shm dump sysv:0x1234 --struct 'id:i32,px:f64'"],
    ['Ten of them, one a line', "ipckit shm dump /quotes --struct 'id:i32,px:f64' --length 160 --json"],
  )
}

async function run(address: string, options: DumpOptions): Promise<void> {
  const memory = open(address)
  try {
    const { offset } = options
    if (offset > memory.sizeBytes) throw outside('offset', offset, memory.sizeBytes)
    const left = memory.sizeBytes - offset
    const { length } = options
    if (length !== undefined && length > left) throw outside('length', length, left)
    if (options.struct !== undefined) await dumpStructs(memory, options, options.struct)
    else await dumpBytes(memory, options, length ?? left)
  } finally {
    memory.close()
  }
}

function outside(name: string, value: number, most: number): CommandError {
  return new CommandError(`Expected at most ${most} for --${name}, received ${value}`, exitCodes.usage)
}

async function dumpBytes(memory: Memory, options: DumpOptions, length: number): Promise<void> {
  const { offset } = options
  const lines = hexLines(offset, options.all)
  for (let done = 0; done < length; done += stepBytes) {
    const bytes = memory.read(offset + done, Math.min(stepBytes, length - done))
    if (options.json) {
      const facts = { offset: offset + done, bytes: bytes.length, hex: bytes.toString('hex') }
      await print(`${JSON.stringify(facts)}\n`)
    } else {
      await print(lines.next(bytes))
    }
  }
  if (!options.json) await print(lines.end())
}

async function dumpStructs(memory: Memory, options: DumpOptions, struct: string): Promise<void> {
  const format = formatOf({ struct })
  const { size } = format.codec as unknown as { size: number }
  const begin = options.offset
  const end = begin + (options.length ?? size)
  if (end > memory.sizeBytes || end - begin < size) {
    throw new CommandError(
      `Expected room for a struct of ${size} bytes, received ${Math.min(end, memory.sizeBytes) - begin} bytes from ${begin} on`,
      exitCodes.usage,
    )
  }
  for (let at = begin; at + size <= end; at += size) {
    const bytes = memory.read(at, size)
    try {
      const { plain, json } = format.show(bytes)
      const facts = { offset: at, bytes: size }
      await print(options.json ? `{"value":${json},${JSON.stringify(facts).slice(1)}\n` : `${plain}\n`)
    } catch (error) {
      process.exitCode = exitCodes.partly
      complain(`Cannot decode the ${size} bytes at ${at}: ${(error as Error).message}`)
    }
  }
}

/** Whoever runs the command sees whose memory it is, so it may be anyone's. */
function open(address: string): Memory {
  const options = { readonly: true }
  const name = address.replace(/^posix:/, '')
  if (name.startsWith('/')) return PosixMemory.open(name, { ...options, owner: 'anyone' })
  const [, key, id, path, project] =
    /^sysv:(?:(0x[0-9a-f]{1,8}|\d+)|id=(\d+)|(\/.*)\?proj=(\d+))$/i.exec(address) ?? []
  if (key !== undefined) return SysvMemory.open(Number(key), options)
  if (id !== undefined) return SysvMemory.open({ id: Number(id) }, options)
  if (path !== undefined) return SysvMemory.open({ path, project: Number(project) }, options)
  throw new CommandError(
    `Expected /name, posix:/name, sysv:0x1234, sysv:id=5 or sysv:/path?proj=1, received ${address}`,
    exitCodes.usage,
  )
}
