/** The command with FIFOs, whose messages last as long as somebody has them open. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { Queue, text } from 'ipckit'
import { expect, onTestFinished, test } from 'vitest'
import { newName } from '../helpers/names.ts'
import { until } from '../helpers/waiting.ts'
import { ipckit, start } from './command.ts'

async function make() {
  const queue = await Queue.create(`fifo:${tmpdir()}${newName()}`, { codec: text() })
  onTestFinished(async () => {
    await queue.unlink().catch(() => {})
    await queue.close()
  })
  return queue
}

test('send and recv carry messages through a FIFO that somebody has open', async () => {
  const queue = await make()
  expect(await ipckit(['send', queue.address, 'one', 'two'])).toMatchObject({ code: 0, stderr: '' })
  expect(queue.stat().depth).toBe(2)
  expect(await ipckit(['recv', queue.address, '-n', '2'])).toMatchObject({ code: 0, stdout: 'one\ntwo\n' })
})

test('send waits until a receiver has the messages, which would go with it', async () => {
  const queue = await make()
  await queue.close()
  const sender = start(['send', queue.address, 'kept'])
  const received = await ipckit(['recv', queue.address])
  expect(received).toMatchObject({ code: 0, stdout: 'kept\n' })
  expect(await sender.ended).toMatchObject({ code: 0, stderr: '' })
})

test('send says that nobody came in time', async () => {
  const queue = await make()
  await queue.close()
  const outcome = await ipckit(['send', queue.address, 'lost', '--timeout', '50'])
  expect(outcome).toMatchObject({ code: 3, stderr: expect.stringContaining('start a receiver first') })
})

test('send makes a FIFO of the size and mode that it is told, and refuses what a FIFO has not', async () => {
  const address = `fifo:${tmpdir()}${newName()}`
  const path = address.slice('fifo:'.length)
  const receiver = until(() => existsSync(path)).then(() => ipckit(['recv', address]))
  const sent = await ipckit(['send', address, 'x', '--create', '--max-bytes', '131072', '--mode', '640'])
  expect(sent).toMatchObject({ code: 0 })
  expect(await receiver).toMatchObject({ code: 0, stdout: 'x\n' })
  const queue = await Queue.open(address, { codec: text() })
  expect(queue.stat().mode).toBe(0o640)
  await queue.unlink()
  await queue.close()
  expect(await ipckit(['send', address, 'x', '--create', '--capacity', '5'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--capacity'),
  })
})

test('peek is refused, and tail follows the depth', async () => {
  const queue = await make()
  expect(await ipckit(['peek', queue.address])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('use recv'),
  })
  const tail = start(['tail', queue.address, '--interval', '5', '--json'])
  await tail.says(/depth/)
  await queue.put('x')
  await tail.says(/"depth":1/)
  await queue.unlink()
  expect(await tail.ended).toMatchObject({ signal: null })
})

const statOf = async (address: string) => JSON.parse((await ipckit(['stat', address, '--json'])).stdout)

test('stat tells what is in a FIFO, and who has it open', async () => {
  const queue = await make()
  await queue.put('hello')
  expect(await statOf(queue.address)).toEqual({
    ...{ object: 'queue', address: queue.address, kind: 'fifo', depth: 1 },
    ...{ bytes: expect.any(Number), maxBytes: 65_536, maxMessageBytes: expect.any(Number) },
    ...{ owner: expect.any(String), uid: process.getuid?.(), gid: process.getgid?.(), mode: '0600' },
    openBy: [process.pid],
  })
  expect(queue.stat().depth).toBe(1)
})

test('stat and doctor of a FIFO that nobody has open let nobody go who waits for the other end', async () => {
  const queue = await make()
  const path = queue.address.slice('fifo:'.length)
  await queue.close()
  const reader = spawn('cat', [path])
  const ended = new Promise((resolve) => reader.once('close', resolve))
  onTestFinished(async () => {
    reader.kill('SIGKILL')
    await ended
  })
  // Asleep in open(2): wait_for_partner of the kernel.
  await until(() => readFileSync(`/proc/${reader.pid}/stat`, 'utf8').includes(') S '))
  const facts = await statOf(queue.address)
  expect(facts).toMatchObject({ kind: 'fifo', mode: '0600', depth: null, maxBytes: null, openBy: [] })
  const { code, stdout } = await ipckit(['doctor', queue.address])
  expect(stdout).toMatch(/ok +open by +nobody that is seen from here/)
  expect(code).toBe(stdout.includes(': 0 bad') ? 0 : 1)
  expect(reader.exitCode).toBe(null)
  expect(await ipckit(['rm', queue.address])).toMatchObject({ code: 0 })
  expect(reader.exitCode).toBe(null)
})

test('doctor tells how full a FIFO is', async () => {
  const queue = await make()
  await queue.put('x'.repeat(60_000))
  const { checks } = JSON.parse((await ipckit(['doctor', queue.address, '--json'])).stdout)
  const room = checks.find((check: { group: string; name: string }) => check.group === queue.address)
  expect(room).toMatchObject({ name: 'room', value: 65_536, unit: 'bytes', verdict: 'warn' })
})

test('rm removes a FIFO, and nothing that is none', async () => {
  const queue = await make()
  expect(await ipckit(['rm', queue.address])).toMatchObject({ code: 0, stdout: `${queue.address}\n` })
  expect(await ipckit(['rm', queue.address])).toMatchObject({ code: 4 })
  expect(await ipckit(['stat', queue.address])).toMatchObject({ code: 4 })
  expect(await ipckit(['rm', '-f', queue.address])).toMatchObject({ code: 0, stdout: '' })
  const path = `${tmpdir()}${newName()}`
  writeFileSync(path, 'a file')
  onTestFinished(() => rmSync(path))
  expect(await ipckit(['rm', `fifo:${path}`])).toMatchObject({ code: 1, stdout: '' })
  expect(readFileSync(path, 'utf8')).toBe('a file')
})
