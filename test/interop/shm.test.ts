/**
 * Queues in shared memory between Node, C and Python: every sender with every receiver, and every death of a holder
 * with every survivor. C stands on libipckit itself, Python on the package of interop/python.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { json, Queue, raw } from 'ipckit'
import { unlink } from 'ipckit/shm'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { newName } from '../helpers/names.ts'
import { needs } from '../helpers/needs.ts'
import { until } from '../helpers/waiting.ts'
import { buildPeers } from './peers.ts'
import { runPython, runPythonTests } from './python-package.ts'
import {
  environment,
  type Language,
  languages,
  library,
  pairs,
  peers,
  QueuePeer,
  root,
  tick,
} from './ring-peers.ts'

beforeAll(buildPeers)

const patience = 60_000

/** A name whose queue goes with the test. */
function ownName(): string {
  const name = newName()
  onTestFinished(() => {
    if (existsSync(`/dev/shm/ipckit.${name.slice(1)}`)) unlink(name)
  })
  return name
}

async function twoOf(a: Language, b: Language, type = 'json', how: 'create' | 'join' = 'create') {
  const name = ownName()
  const maker = await QueuePeer.start(a, how, name, type)
  return { name, maker, other: await QueuePeer.start(b, 'open', name, type) }
}

describe.each(pairs)('from $a to $b', ({ a, b }) => {
  test.each([
    ['json', 60],
    ['json', 300_000],
    ['raw', 4],
    ['raw', 79],
    ['raw', 81],
    ['raw', 5000],
    ['raw', 1 << 20],
    ['text', 200],
    [tick, 0],
  ] as const)('%s of about %i bytes arrives as it was sent', async (type, size) => {
    const { maker, other } = await twoOf(a, b, type)
    for (const id of [1, 2]) {
      const sent = await maker.ask('put', id, size, 0)
      expect(sent).toMatchObject({ id, digest: expect.any(String) })
      expect(await other.ask('get', patience)).toMatchObject(sent)
    }
  })

  test('more messages than the queue holds come in their order, and all are there', async () => {
    const { maker, other } = await twoOf(a, b)
    const sent = maker.ask('send', 500, 100)
    const received = await other.ask('receive', 500)
    expect(received).toEqual({ ...(await sent), ordered: true })
  })

  test('the highest priority comes first, and equal ones in their order', async () => {
    const { maker, other } = await twoOf(a, b)
    for (const [id, priority] of [0, 9, 3, 9, 0].entries()) await maker.ask('put', id, 0, priority)
    const seen = []
    for (let at = 0; at < 5; at++) {
      const { id, priority } = await other.ask('lease', patience)
      await other.ask('ack')
      seen.push([id, priority])
    }
    expect(seen).toEqual([
      [1, 9],
      [3, 9],
      [2, 3],
      [0, 0],
      [4, 0],
    ])
  })

  test('one that waits for a message is woken by it', async () => {
    const { maker, other } = await twoOf(a, b)
    const waiting = other.ask('get', patience)
    await sleep(150)
    const sent = await maker.ask('put', 7, 0, 0)
    expect(await waiting).toMatchObject(sent)
  })

  test('one that waits for room is woken by a get', async () => {
    const { maker, other } = await twoOf(a, b)
    for (let id = 0; id < 16; id++) await maker.ask('put', id, 0, 0)
    expect(await maker.ask('put', 16, 0, 0)).toEqual({ error: 'AGAIN' })
    const waiting = maker.ask('put', 16, 0, 0, patience)
    await sleep(150)
    expect(await other.ask('get')).toMatchObject({ id: 0 })
    expect(await waiting).toMatchObject({ id: 16 })
  })

  test('what a killed holder had on lease is delivered again, and says so', async () => {
    const { maker, other } = await twoOf(a, b)
    await maker.ask('put', 1, 3000, 0)
    await maker.ask('put', 2, 0, 0)
    expect(await maker.ask('lease', patience)).toMatchObject({ id: 1, deliveries: 1, redelivered: false })
    await maker.kill()
    const again = await other.ask('lease', patience)
    // Whoever looks before the death was noticed gets the next one first.
    const first = again.id === 1 ? again : await other.ask('lease', patience)
    expect(first).toMatchObject({ id: 1, deliveries: 2, redelivered: true })
    expect(await other.ask('ack')).toEqual({ ok: 0 })
  })

  test('a lease that ran out goes to the other, and its holder is told that it is over', async () => {
    const { maker, other } = await twoOf(a, b)
    await maker.ask('put', 1, 0, 0)
    expect(await maker.ask('lease', patience, 50)).toMatchObject({ id: 1 })
    expect(await other.ask('lease', patience)).toMatchObject({ id: 1, deliveries: 2, redelivered: true })
    expect(await maker.ask('ack')).toEqual({ error: 'STALE' })
    expect(await other.ask('ack')).toEqual({ ok: 0 })
  })

  test('what one gives back, the other gets; after the delay when there is one', async () => {
    const { maker, other } = await twoOf(a, b)
    await maker.ask('put', 1, 0, 0)
    await maker.ask('lease', patience)
    await maker.ask('nack')
    expect(await other.ask('lease')).toMatchObject({ id: 1, redelivered: true })
    await other.ask('nack', 300)
    const begun = performance.now()
    expect(await maker.ask('lease', patience)).toMatchObject({ id: 1, deliveries: 3 })
    // The delay began before the answer was here.
    expect(performance.now() - begun).toBeGreaterThan(150)
    expect(await maker.ask('extend', 60_000)).toEqual({ ok: 0 })
    expect(await maker.ask('reject')).toEqual({ ok: 0 })
    expect(await other.ask('qsize')).toEqual({ ok: 0 })
  })

  test('tasks of one are joined by the other', async () => {
    const { maker, other } = await twoOf(a, b, 'json', 'join')
    await maker.ask('put', 1, 0, 0)
    await maker.ask('put', 2, 0, 0)
    expect(await other.ask('done')).toEqual({ error: 'TASKS' })
    await other.ask('get', patience)
    await other.ask('get', patience)
    await other.ask('done')
    expect(await maker.ask('wait', 100)).toEqual({ error: 'AGAIN' })
    const joining = maker.ask('wait', patience)
    await sleep(100)
    await other.ask('done')
    expect(await joining).toEqual({ ok: 0 })
    expect(await other.ask('done')).toEqual({ error: 'TASKS' })
  })

  test('tasks of a killed getter are got again by the other', async () => {
    const { maker, other } = await twoOf(a, b, 'json', 'join')
    await maker.ask('put', 1, 0, 0)
    await maker.ask('get', patience)
    await maker.kill()
    expect(await other.ask('get', patience)).toMatchObject({ id: 1 })
    await other.ask('done')
    expect(await other.ask('wait', patience)).toEqual({ ok: 0 })
  })

  test('a shutdown by one is seen by the other: puts end, gets drain the queue', async () => {
    const { maker, other } = await twoOf(a, b)
    await maker.ask('put', 1, 0, 0)
    await maker.ask('shutdown', 'drain')
    expect(await other.ask('put', 2, 0, 0)).toEqual({ error: 'SHUTDOWN' })
    expect(await other.ask('get', patience)).toMatchObject({ id: 1 })
    expect(await other.ask('get', patience)).toEqual({ error: 'SHUTDOWN' })
  })

  test('an immediate shutdown by one wakes the other, and leaves what is there', async () => {
    const { maker, other } = await twoOf(a, b)
    const waiting = other.ask('get', patience)
    await sleep(150)
    await maker.ask('shutdown', 'immediate')
    expect(await waiting).toEqual({ error: 'SHUTDOWN' })
    expect(await maker.ask('get')).toEqual({ error: 'SHUTDOWN' })
  })

  test('a queue of another type is not opened', async () => {
    const name = ownName()
    await QueuePeer.start(a, 'create', name, 'json')
    await expect(QueuePeer.start(b, 'open', name, 'raw')).rejects.toThrow('TYPE')
    await expect(QueuePeer.start(b, 'open', name, tick)).rejects.toThrow('TYPE')
  })

  test('what one clears is gone for the other', async () => {
    const { maker, other } = await twoOf(a, b)
    for (let id = 0; id < 3; id++) await maker.ask('put', id, 0, 0)
    expect(await other.ask('clear')).toEqual({ ok: 3 })
    expect(await maker.ask('get')).toEqual({ error: 'AGAIN' })
  })
})

test('workers in all three languages are killed again and again, and no message is lost', async () => {
  const count = 300
  const name = ownName()
  const queue = await Queue.create(`shm:${name}`, { codec: json<{ id: number }>(), capacity: 1024 })
  onTestFinished(() => queue.close())
  for (let id = 0; id < count; id++) queue.tryPut({ id })
  const done = new Set<number>()
  const work = async (language: Language) => {
    for (let turn = 0; done.size < count; turn++) {
      const peer = await QueuePeer.start(language, 'open', name)
      for (let job = 0; job < 20; job++) {
        const { id } = await peer.ask('lease', 50)
        if (id === undefined) break
        const killed = job > 3 + turn
        if (killed) break
        if ((await peer.ask('ack')).ok === 0) done.add(id)
      }
      await peer.kill()
    }
  }
  await Promise.all(languages.map(work))
  expect(done.size).toBe(count)
  expect(queue.stat()).toMatchObject({ depth: 0, totals: { put: count, done: count } })
  expect(queue.stat().totals.redelivered).toBeGreaterThan(0)
})

test('256 participants at once, in all three languages, exchange messages, and another one is refused', async () => {
  const name = ownName()
  const queue = await Queue.create(`shm:${name}`, { codec: json<{ id: number }>(), capacity: 64 })
  onTestFinished(() => queue.close())
  const others: Language[] = Array.from({ length: 255 }, (_, at) =>
    at < 8 ? 'Node' : at < 24 ? 'Python' : 'C',
  )
  const started: QueuePeer[] = []
  for (let at = 0; at < others.length; at += 16)
    started.push(
      ...(await Promise.all(
        others.slice(at, at + 16).map((language) => QueuePeer.start(language, 'open', name)),
      )),
    )
  expect(queue.stat().participants.filter(({ alive }) => alive)).toHaveLength(256)
  await expect(QueuePeer.start('C', 'open', name)).rejects.toThrow('PARTICIPANTS')
  await expect(QueuePeer.start('Node', 'open', name)).rejects.toThrow('PARTICIPANTS')
  await expect(Queue.open(`shm:${name}`, { codec: json() })).rejects.toThrow('as many handles are open')
  // Everybody puts one and gets one, all at the same time.
  const puts = started.map((peer, id) => peer.ask('put', id, 100, 0, patience))
  const gets = started.map((peer) => peer.ask('get', patience))
  expect((await Promise.all(puts)).filter(({ error }) => error !== undefined)).toEqual([])
  const ids = (await Promise.all(gets)).map(({ id }) => id as number)
  expect(ids.sort((a, b) => a - b)).toEqual(started.map((_, id) => id))
  expect(queue.stat()).toMatchObject({ depth: 0, totals: { put: 255, done: 255 } })
  await started[0]?.ask('close')
  await QueuePeer.start('Python', 'open', name)
})

test('the structures of the package in Python are as large as those of the header', () => {
  const sizes = (language: Language) => {
    const [command, ...words] = peers[language]
    return JSON.parse(execFileSync(command, [...words, 'sizes'], { env: environment, encoding: 'utf8' }))
  }
  expect(Object.keys(sizes('C'))).toHaveLength(6)
  expect(sizes('Python')).toEqual(sizes('C'))
})

test('the example worker in C works on what Node puts, and gives up what was delivered too often', async () => {
  const name = ownName()
  const queue = await Queue.create(`shm:${name}`, { codec: json(), deadLetters: 2 })
  onTestFinished(() => queue.close())
  queue.tryPut({ job: 'poison' })
  for (let turn = 0; turn < 3; turn++) queue.tryLease()?.nack()
  queue.tryPut({ job: 'żółw' })
  queue.tryPut({ job: 'x'.repeat(8000) })
  const worker = spawn(`${root}/build-interop/shm-worker`, [name], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  worker.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const ended = new Promise((resolve) => worker.once('close', resolve))
  onTestFinished(() => {
    worker.kill('SIGKILL')
  })
  await queue.join()
  worker.kill('SIGTERM')
  expect(await ended).toBe(0)
  expect(output).toBe(`{"job":"żółw"}\n{"job":"${'x'.repeat(8000)}"}\n`)
  expect(queue.tryGetDeadLetter()).toEqual({ job: 'poison' })
})

test('the example worker in C ends when Node shuts the queue down, and refuses another type', async () => {
  const name = ownName()
  const queue = await Queue.create(`shm:${name}`, { codec: raw() })
  onTestFinished(() => queue.close())
  const program = `${root}/build-interop/shm-worker`
  const refused = spawnSync(program, [name], { encoding: 'utf8' })
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('the queue carries raw') })
  const worker = spawn(program, [name, 'raw'], { stdio: 'ignore' })
  const ended = new Promise((resolve) => worker.once('close', resolve))
  onTestFinished(() => {
    worker.kill('SIGKILL')
  })
  await until(() => queue.stat().participants.length === 2)
  queue.shutdown()
  expect(await ended).toBe(0)
})

test('the package in Python does what its own tests say', () => {
  expect(runPythonTests('ipckit_test')).toMatch(/Ran [1-9]\d+ tests/)
})

test('without libipckit the package in Python says how to build it', () => {
  const { status, stderr } = runPython(['-c', 'import ipckit; ipckit.Queue.open("shm:/x")'], {
    env: { IPCKIT_LIBRARY: '/nowhere/libipckit.so.1' },
  })
  expect(status).toBe(1)
  expect(stderr).toContain('LibraryNotFoundError: Cannot load libipckit')
  expect(stderr).toContain('make -C interop/c')
})

const hasPip = needs('python3-pip', runPython(['-m', 'pip', '--version']).status === 0)

test('pip installs the package from its folder without a network, and it finds the library beside itself', ({
  skip,
}) => {
  skip(!hasPip)
  const folder = mkdtempSync(join(tmpdir(), 'ipckit-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const pip = ['-m', 'pip', '--disable-pip-version-check', 'install', '--quiet', '--no-index']
  const installed = runPython([...pip, '--target', folder, `${root}/interop/python`], {
    env: { IPCKIT_LIBRARY: library },
  })
  expect(installed.status, installed.stderr).toBe(0)
  const name = ownName()
  const script =
    'import ipckit, sys; q = ipckit.Queue.create(sys.argv[1]); q.put(1); print(q.get(), ipckit.__file__)'
  const ran = runPython(['-c', script, name], {
    cwd: folder,
    env: { IPCKIT_LIBRARY: '', PYTHONPATH: folder },
  })
  expect(ran.status, ran.stderr).toBe(0)
  expect(ran.stdout).toBe(`1 ${folder}/ipckit/__init__.py\n`)
})
