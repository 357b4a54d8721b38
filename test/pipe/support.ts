/** What the tests of connections share. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { raw } from 'ipckit'
import { type Connection, type SocketPairOptions, socketPair } from 'ipckit/pipe'
import { onTestFinished } from 'vitest'
import { fixture } from '../helpers/program.ts'

export type Bytes = Connection<Buffer, Uint8Array>

/** More than a socket holds, so that sending it must wait. */
export const large = 4 * 1024 * 1024

/** Two ends that go when the test ends. */
export function newPair<T>(options?: SocketPairOptions<T>): [Connection<T>, Connection<T>] {
  const ends = socketPair<T>(options)
  onTestFinished(async () => {
    for (const end of ends) await end.close()
  })
  return ends
}

export function newBytePair(options?: SocketPairOptions<Buffer, Uint8Array>): [Bytes, Bytes] {
  return newPair({ codec: raw(), ...options } as never) as unknown as [Bytes, Bytes]
}

/** Sends bytes as they are, without a length. */
export function writeRaw(end: Connection<never, never> | Bytes, bytes: Uint8Array): void {
  writeSync(end.fd, bytes)
}

/** The header of a message of so many bytes, as Python writes it. */
export function header(length: number | bigint): Buffer {
  if (length <= 0x7fffffff) {
    const short = Buffer.alloc(4)
    short.writeInt32BE(Number(length))
    return short
  }
  const long = Buffer.alloc(12)
  long.writeInt32BE(-1)
  long.writeBigUInt64BE(BigInt(length), 4)
  return long
}

/** A folder that goes when the test ends. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ipckit-connection-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** Whether a descriptor is closed in programs that are started. */
export function isCloseOnExec(fd: number): boolean {
  const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
  return (Number.parseInt(flags as string, 8) & 0o2000000) !== 0
}

/** What a descriptor is open on; undefined when it is not open. */
export function targetOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return undefined
  }
}

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  errors: string
}

/** Another process that has an end as descriptor 3; see test/fixtures/connection.mjs. */
export class Peer {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly ended: Promise<Ended>

  constructor(command: string, args: string[], fd?: number) {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe', ...(fd === undefined ? [] : [fd])] })
    this.#child = child
    this.#lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> })[
      Symbol.asyncIterator
    ]()
    let errors = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.stdin?.on('error', () => {})
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => resolve({ code, signal, errors }))
    })
    onTestFinished(async () => {
      this.kill('SIGKILL')
      // Who does not read keeps it from closing.
      for (let line = await this.says(); line !== undefined; line = await this.says());
      await this.ended
    })
  }

  /** Starts test/fixtures/connection.mjs with this end, which it takes over. */
  static async start(
    end: Connection<never, never> | Bytes | Connection,
    argument: { step: string; end?: string; path?: string },
  ): Promise<Peer> {
    const peer = new Peer(process.execPath, [fixture('connection.mjs'), JSON.stringify(argument)], end.fd)
    await end.close()
    return peer
  }

  get pid(): number {
    return this.#child.pid as number
  }

  /** The next line that it says; undefined when it ends without. */
  async says(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next()
    return done ? undefined : value
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) process.kill(this.pid, signal)
  }
}

/** Ends well: exit code 0, and nothing on standard error. */
export const well: Ended = { code: 0, signal: null, errors: '' }
