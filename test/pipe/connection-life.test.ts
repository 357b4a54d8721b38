/**
 * The life of connections: processes and worker threads that end, or are ended, at each step, and what is left behind
 * then, which is nothing.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Connection, Listener, socketPair } from 'ipckit/pipe'
import { describe, expect, onTestFinished, test } from 'vitest'
import { settledCounts } from '../helpers/counts.ts'
import { pattern } from '../helpers/pattern.ts'
import { Thread } from '../helpers/thread.ts'
import { newBytePair, newFolder, Peer } from './support.ts'

/** Each leaves a handle in another state. */
const steps = [
  'open',
  'recv',
  'recv with a timeout',
  'poll',
  'recvFd',
  'iterate',
  'send',
  'send and recv',
  'halfMessage',
] as const
const blocked = ['recvSync', 'sendSync'] as const

async function arrive(peer: { says(): Promise<string | undefined> }): Promise<void> {
  for (let line = await peer.says(); line !== 'there'; line = await peer.says()) {
    if (line === undefined) throw new Error('it ended before it was there')
  }
}

/** What this end finds when the other is gone: the end, at a boundary or not. */
async function expectEnd(end: Connection<Buffer, Uint8Array>): Promise<unknown> {
  for (;;) {
    try {
      await end.recvBytes()
    } catch (error) {
      return (error as { code: string }).code
    }
  }
}
const endOf = (step: string) =>
  ['send', 'send and recv', 'halfMessage', 'sendSync'].includes(step) ? 'ERR_IPC_TRUNCATED' : 'ERR_IPC_EOF'

describe('a process', () => {
  // An abandoned message is finished before the process may end, unless it is unref'd.
  test.each(steps)('ends naturally at step %s after unref', async (step) => {
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step })
    await arrive(peer)
    expect(await peer.ended).toEqual({ code: 0, signal: null, errors: '' })
    expect(await expectEnd(ours)).toBe(endOf(step))
  })

  test.each(steps)('exits by process.exit() at step %s', async (step) => {
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step, end: 'exit' })
    expect(await peer.ended).toEqual({ code: 7, signal: null, errors: '' })
    expect(await expectEnd(ours)).toBe(endOf(step))
  })

  test.each(steps)('dies of an uncaught error at step %s', async (step) => {
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step, end: 'throw' })
    const { code, signal, errors } = await peer.ended
    expect({ code, signal }).toEqual({ code: 1, signal: null })
    expect(errors).toContain('thrown on purpose')
    expect(await expectEnd(ours)).toBe(endOf(step))
  })

  test.each([...steps, ...blocked])('is killed at step %s, and the other end hears of it', async (step) => {
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step, end: 'never' })
    await arrive(peer)
    const waiting = ours.poll(Number.POSITIVE_INFINITY)
    // What is blocked in sending says so before it sends.
    if (endOf(step) === 'ERR_IPC_TRUNCATED') await waiting
    peer.kill('SIGKILL')
    expect(await peer.ended).toMatchObject({ signal: 'SIGKILL', errors: '' })
    expect(await waiting).toBe(true)
    expect(await expectEnd(ours)).toBe(endOf(step))
    await expect(ours.sendBytes(Buffer.of(1))).rejects.toMatchObject({
      code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/),
    })
  })

  test('is killed amid a message, and the reader is told how much came', async () => {
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step: 'sendSync', end: 'never' })
    await arrive(peer)
    expect(await ours.poll(30_000)).toBe(true)
    peer.kill('SIGKILL')
    await peer.ended
    const error = await ours.recvBytes().catch((reason) => reason)
    expect(error.code).toBe('ERR_IPC_TRUNCATED')
    const [, came, of] = /after (\d+) of the (\d+) bytes/.exec(error.message) ?? []
    expect(Number(of)).toBe(8 * 1024 * 1024)
    expect(Number(came)).toBeGreaterThan(1000)
    expect(Number(came)).toBeLessThan(8 * 1024 * 1024)
  })

  test('that is stopped amid everything holds nobody up but those who wait for it', async () => {
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step: 'recv', end: 'stopped' })
    await arrive(peer)
    const sending = ours.sendBytes(pattern(4 * 1024 * 1024))
    await expect(ours.recv({ timeoutMs: 20 })).rejects.toMatchObject({ code: 'ERR_IPC_TIMEOUT' })
    peer.kill('SIGCONT')
    await sending
    expect(await peer.says()).toBe(`recv ${4 * 1024 * 1024}`)
  })

  test('is not killed by SIGPIPE', async () => {
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step: 'send', end: 'whenServed' })
    await arrive(peer)
    await ours.close()
    expect(await peer.says()).toMatch(/^send (EPIPE|ECONNRESET)$/)
    expect(await peer.ended).toEqual({ code: 0, signal: null, errors: '' })
  })

  test('stays alive while it waits, until it is served', async () => {
    const [ours, theirs] = newBytePair()
    const peer = await Peer.start(theirs, { step: 'recv', end: 'whenServed' })
    await arrive(peer)
    await ours.sendBytes(Buffer.from('at last'))
    expect(await peer.says()).toBe('recv 7')
    expect(await peer.ended).toEqual({ code: 0, signal: null, errors: '' })
  })

  test('removes the file of its listener when it ends naturally, and leaves it when it exits', async () => {
    const folder = newFolder()
    for (const end of ['naturally', 'exit']) {
      const path = join(folder, end)
      const [, theirs] = newBytePair()
      const peer = await Peer.start(theirs, { step: 'accept', end, path })
      expect(await peer.ended).toMatchObject({ signal: null, errors: '' })
      expect(existsSync(path)).toBe(end === 'exit')
    }
  })
})

describe('a worker thread', () => {
  test.each(steps)('ends naturally at step %s after unref', async (step) => {
    const path = join(newFolder(), 'socket')
    const thread = new Thread({ onTestFinished }, 'connection.mjs', { step, path })
    expect(await thread.ended).toMatchObject({ code: 0, error: undefined })
  })

  test.each([...steps, 'accept', ...blocked])('is terminated at step %s', async (step) => {
    const path = join(newFolder(), 'socket')
    const thread = new Thread({ onTestFinished }, 'connection.mjs', { step, end: 'never', path })
    await arrive(thread)
    thread.terminate()
    expect(await thread.ended).toMatchObject({ code: 1, error: undefined })
    expect(existsSync(path)).toBe(false)
  })

  test('leaves no descriptor and no thread behind', async () => {
    const round = async () => {
      for (const step of [...steps, 'accept', ...blocked]) {
        const path = join(newFolder(), 'socket')
        const thread = new Thread({ onTestFinished }, 'connection.mjs', { step, end: 'never', path })
        await arrive(thread)
        thread.terminate()
        await thread.ended
      }
    }
    await round()
    const before = await settledCounts()
    await round()
    expect(await settledCounts()).toEqual(before)
  })
})

describe('a thousand', () => {
  test('pairs, each used and closed while it waits, leave no descriptor and no thread behind', async () => {
    const use = async () => {
      const [first, second] = socketPair<number>()
      const waits = Promise.allSettled([first.recv(), second.recv(), second.recv(), second.poll(10_000)])
      await first.send(1)
      await second.close()
      await first.close()
      await waits
    }
    await use()
    const before = await settledCounts()
    for (let round = 0; round < 1000; round++) await use()
    expect(await settledCounts()).toEqual(before)
  })

  test('connections to a listener leave no descriptor and no thread behind', async () => {
    const path = join(newFolder(), 'socket')
    await using listener = Listener.listen<number>(path)
    const use = async () => {
      const [client, server] = await Promise.all([Connection.connect<number>(path), listener.accept()])
      await client.send(1)
      expect(await server.recv()).toBe(1)
      await client.close()
      await expect(server.recv()).rejects.toMatchObject({ code: 'ERR_IPC_EOF' })
      await server.close()
    }
    await use()
    const before = await settledCounts()
    for (let round = 0; round < 1000; round++) await use()
    expect(await settledCounts()).toEqual(before)
  })

  test('pairs that are open at once wait on one thread', async () => {
    const pairs = Array.from({ length: 300 }, () => socketPair<number>())
    const before = await settledCounts()
    const received = pairs.map(([, second]) => second.recv())
    expect((await settledCounts()).threads).toBe(before.threads)
    await Promise.all(pairs.map(([first], at) => first.send(at)))
    expect(await Promise.all(received)).toEqual(pairs.map((_, at) => at))
    for (const end of pairs.flat()) await end.close()
  })
})
