/**
 * The bytes of a queue in shared memory as version 1.0 of the layout has them (golden/queue-1.0.gz, which
 * golden/make-queue.mjs wrote on x86-64): Node, C and Python read them, with the dead holder that is in there; and
 * files of other versions and byte orders are refused, and left as they are.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { Queue, raw } from 'ipckit'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { newName } from '../helpers/names.ts'
import { buildPeers } from './peers.ts'
import { runPython } from './python-package.ts'
import { type Language, languages, peers, QueuePeer } from './ring-peers.ts'

interface Message {
  id: number
  bytes: number
  priority: number
  deliveries: number
}
const golden = (name: string) => readFileSync(new URL(`golden/queue-1.0.${name}`, import.meta.url))
const known = JSON.parse(golden('json').toString()) as {
  bytes: number
  sha256: string
  messages: Message[]
  dead: Omit<Message, 'deliveries'>
}
const file = gunzipSync(golden('gz'))

// Where these stand is part of the layout.
const magicAt = 0
const versionAt = 8
const orderAt = 12

function bytesOf({ id, bytes }: { id: number; bytes: number }): Buffer {
  const all = Buffer.alloc(bytes)
  for (let at = 4; at < bytes; at++) all[at] = (id * 31 + at) & 255
  all.writeInt32LE(id)
  return all
}

function digestOf(bytes: Uint8Array): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash.toString(16).padStart(16, '0')
}

/** Puts bytes where a queue of that name lies. */
function plant(bytes: Uint8Array): { name: string; path: string } {
  const name = newName()
  const path = `/dev/shm/ipckit.${name.slice(1)}`
  onTestFinished(() => rmSync(path, { force: true }))
  writeFileSync(path, bytes, { mode: 0o600 })
  return { name, path }
}

function changed(change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(file)
  change(bytes)
  return bytes
}

/** What each language says when it opens the queue; undefined when it does. */
const complaints: Record<Language, (name: string) => Promise<string | undefined>> = {
  async Node(name) {
    try {
      const queue = await Queue.open(`shm:${name}`, { codec: raw() })
      await queue.close()
      return undefined
    } catch (error) {
      const { code, message } = error as { code: string; message: string }
      return `${code} ${message}`
    }
  },
  async C(name) {
    const [command] = peers.C
    const { stdout } = spawnSync(command, ['open', name, 'raw'], { encoding: 'utf8', input: '' })
    const { error } = JSON.parse(stdout.split('\n')[0] as string) as { error?: string }
    return error
  },
  async Python(name) {
    const script = 'import ipckit, sys; ipckit.Queue.open(sys.argv[1], "raw").close()'
    const { status, stderr } = runPython(['-c', script, name])
    return status === 0 ? undefined : stderr.trimEnd().split('\n').at(-1)
  },
}

beforeAll(buildPeers)

test('the golden file is the one that was made', () => {
  expect(file).toHaveLength(known.bytes)
  expect(createHash('sha256').update(file).digest('hex')).toBe(known.sha256)
  expect(file.subarray(0, 8).toString('latin1')).toBe('\n\ripcktq')
})

describe.each(languages)('%s', (language) => {
  test('reads the golden queue: order, bytes, priorities, and what a dead holder had', async () => {
    const { name } = plant(file)
    const peer = await QueuePeer.start(language, 'open', name, 'raw')
    for (const message of known.messages) {
      const { id, bytes, priority, deliveries } = message
      const redelivered = deliveries > 1
      const digest = digestOf(bytesOf(message))
      expect(await peer.ask('lease')).toEqual({ id, bytes, digest, priority, deliveries, redelivered })
      expect(await peer.ask('ack')).toEqual({ ok: 0 })
    }
    expect(await peer.ask('lease')).toEqual({ error: 'AGAIN' })
    // And it is a queue as any other.
    expect(await peer.ask('put', 7, 600, 1)).toMatchObject({ id: 7 })
    expect(await peer.ask('get')).toMatchObject({ id: 7, bytes: 600 })
  })

  test('opens a file of a later minor version', async () => {
    const { name } = plant(changed((bytes) => bytes.writeUInt32LE(0x0001_0007, versionAt)))
    expect(await complaints[language](name)).toBeUndefined()
  })

  const swap = (bytes: Buffer) => {
    bytes.subarray(magicAt, 8).swap64()
    bytes.subarray(versionAt, 12).swap32()
    bytes.subarray(orderAt, 16).swap32()
  }
  const refusals: [string, (bytes: Buffer) => void, string, RegExp][] = [
    [
      'a later major version',
      (bytes) => bytes.writeUInt32LE(0x0002_0000, versionAt),
      'VERSION',
      /another layout/,
    ],
    [
      'an earlier major version',
      (bytes) => bytes.writeUInt32LE(0x0000_0009, versionAt),
      'VERSION',
      /another layout/,
    ],
    ['a file that was never finished', (bytes) => bytes.writeUInt32LE(0, versionAt), 'CORRUPT', /damaged/i],
    ['the other byte order', swap, 'BYTE_ORDER', /other byte order/],
    [
      'the other byte order in one word',
      (bytes) => bytes.subarray(orderAt, 16).swap32(),
      'BYTE_ORDER',
      /other byte order/,
    ],
    ['another magic number', (bytes) => bytes.writeUInt8(0, magicAt), 'NOT_A_QUEUE', /no queue of ipckit/],
  ]
  test.each(refusals)('refuses %s, and does not write to it', async (_, change, code, why) => {
    const bytes = changed(change)
    const { name, path } = plant(bytes)
    const before = statSync(path, { bigint: true })
    expect(await complaints[language](name)).toMatch(language === 'C' ? new RegExp(`^${code}$`) : why)
    const after = statSync(path, { bigint: true })
    expect(readFileSync(path).equals(bytes)).toBe(true)
    expect([after.mtimeNs, after.ctimeNs, after.size]).toEqual([before.mtimeNs, before.ctimeNs, before.size])
  })
})

test('the dead letter of the golden queue is there', async () => {
  const { name } = plant(file)
  const queue = await Queue.open(`shm:${name}`, { codec: raw() })
  onTestFinished(() => queue.close())
  expect(queue.stat()).toMatchObject({ capacity: 8, priorities: 3, deadLetters: 1, totals: { put: 11 } })
  expect(Buffer.from(queue.tryGetDeadLetter() as Uint8Array).equals(bytesOf(known.dead))).toBe(true)
})
