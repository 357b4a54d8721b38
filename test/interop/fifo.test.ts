/**
 * Messages in a FIFO between Node, C and Python: every sender with every receiver, small ones, which writers write side
 * by side, and large ones, for which they take turns. Every byte is compared by the receiver.
 */
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { DecodeError, Queue, raw } from 'ipckit'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { newName } from '../helpers/names.ts'
import { buildPeers, python } from './peers.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const commands = {
  Node: [process.execPath, 'test/fixtures/fifo-peer.mjs'],
  C: ['build-interop/fifo-peer'],
  Python: [python, '-B', 'interop/python/fifo_peer.py'],
} satisfies Record<string, string[]>
type Language = keyof typeof commands
const languages = Object.keys(commands) as Language[]
const pairs = languages.flatMap((sender) => languages.map((receiver) => ({ sender, receiver })))

beforeAll(buildPeers)

/** Runs a peer to its end: the lines that it printed. */
function run(language: Language, ...args: (string | number)[]): Promise<string[]> {
  const [program, ...words] = commands[language] as [string, ...string[]]
  const child = spawn(program, [...words, ...args.map(String)], { cwd: root })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  let errors = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output.trimEnd().split('\n'))
      else reject(new Error(`${language} ${args.join(' ')} ended with ${code ?? signal}: ${errors}`))
    })
  })
}

async function makeQueue(options = {}) {
  const path = `${tmpdir()}${newName()}`
  const queue = await Queue.create(`fifo:${path}`, { codec: raw(), ...options })
  onTestFinished(async () => {
    await queue.unlink()
    await queue.close()
  })
  return { path, queue }
}

const lines = (sender: number, count: number, bytes: number) =>
  Array.from({ length: count }, (_, number) => `${sender} ${number} ${bytes}`)

describe.each(pairs)('$sender sends to $receiver', ({ sender, receiver }) => {
  test.each([
    ['small', 24, 200],
    ['of a page', 4084, 60],
    ['of more than PIPE_BUF', 4085, 60],
    ['large', 20_000, 40],
  ])('messages that are %s, %i bytes', async (_, bytes, count) => {
    const { path, queue } = await makeQueue()
    const received = run(receiver, 'recv', path, count)
    await run(sender, 'send', path, 1, count, bytes)
    expect(await received).toEqual(lines(1, count, bytes))
    expect(queue.stat().depth).toBe(0)
  })
})

test('messages of all senders at once, small and large, reach the receivers of all languages whole and once', async () => {
  const { path } = await makeQueue()
  const senders = languages.flatMap((language, at) => [
    { language, sender: at * 2, bytes: 40, count: 90 },
    { language, sender: at * 2 + 1, bytes: 9000, count: 30 },
  ])
  const received = languages.map((language) => run(language, 'recv', path, 120))
  await Promise.all(
    senders.map(({ language, sender, count, bytes }) => run(language, 'send', path, sender, count, bytes)),
  )
  const all = (await Promise.all(received)).flat()
  expect(all.sort()).toEqual(senders.flatMap((each) => lines(each.sender, each.count, each.bytes)).sort())
})

test('half a record that a killed C program left is one error, and the next message comes', async () => {
  const { path, queue } = await makeQueue()
  await expect(run('C', 'half', path, 1000)).rejects.toThrow(/SIGKILL/)
  await queue.put(Buffer.from('next'))
  const error = await queue.get().catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(DecodeError)
  expect((error as DecodeError).bytes.length).toBe(508)
  expect(await queue.get()).toEqual(Buffer.from('next'))
})

test('a record of which a killed C program took a part is one error, and the next message comes', async () => {
  const { path, queue } = await makeQueue()
  await queue.put(Buffer.alloc(300))
  await queue.put(Buffer.from('next'))
  await expect(run('C', 'bite', path, 100)).rejects.toThrow(/SIGKILL/)
  await expect(queue.get()).rejects.toBeInstanceOf(DecodeError)
  expect(await queue.get()).toEqual(Buffer.from('next'))
})
