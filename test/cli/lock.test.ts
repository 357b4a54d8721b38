/** The command with locks: it runs others under them, and shows who holds them. */
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Barrier, Event, Lock, RWLock, Semaphore } from 'ipckit/sync'
import { describe, expect, onTestFinished, test } from 'vitest'
import { newName } from '../helpers/names.ts'
import { until } from '../helpers/waiting.ts'
import { ipckit, start } from './command.ts'

function name(): string {
  const fresh = newName()
  onTestFinished(() => rmSync(`/dev/shm/ipckit.${fresh.slice(1)}`, { force: true }))
  return fresh
}

function keep<O extends { close(): Promise<void> }>(object: O): O {
  onTestFinished(() => object.close())
  return object
}

const listed = async () => JSON.parse((await ipckit(['ls', '--sync', '--json'])).stdout)

describe('ipckit lock', () => {
  test('runs a command, and ends as it does', async () => {
    const fresh = name()
    const outcome = await ipckit(['lock', fresh, '--', 'sh', '-c', 'cat; echo done; exit 7'], {
      input: 'in, ',
    })
    expect(outcome).toMatchObject({ code: 7, stdout: 'in, done\n', stderr: '' })
    expect(await ipckit(['lock', fresh, '--', 'sh', '-c', 'kill -9 $$'])).toMatchObject({ code: 137 })
    expect(await ipckit(['lock', fresh, '--', 'no-such-command'])).toMatchObject({ code: 127 })
    expect(keep(RWLock.open(fresh)).locked).toBe(false)
  })

  test('the lock is held while the command runs, and others wait, or do not', async () => {
    const fresh = name()
    const lock = keep(Lock.create(fresh))
    const running = start(['lock', `shm:${fresh}`, '--', 'cat'])
    await until(() => lock.locked)
    expect(await ipckit(['lock', fresh, '--timeout', '0', '--', 'true'])).toMatchObject({ code: 3 })
    const busy = await ipckit(['lock', fresh, '--timeout', '50', '-E', '9', '--', 'true'])
    expect(busy).toMatchObject({ code: 9, stderr: expect.stringContaining('within 50 ms') })
    expect((await ipckit(['lock', fresh, '--shared', '--', 'true'])).code).toBe(2)
    const waiting = ipckit(['lock', fresh, '--', 'echo', 'next'])
    await until(() => lock.stat().waiters === 1)
    running.child.stdin.end()
    expect(await running.ended).toMatchObject({ code: 0 })
    expect(await waiting).toMatchObject({ code: 0, stdout: 'next\n' })
  })

  test('--shared runs several at a time, and keeps out those who do not share', async () => {
    const fresh = name()
    const lock = keep(RWLock.create(fresh))
    const readers = [0, 1].map(() => start(['lock', '--shared', fresh, '--', 'cat']))
    await until(() => lock.stat().value === 2)
    expect((await ipckit(['lock', fresh, '--timeout', '0', '--', 'true'])).code).toBe(3)
    for (const { child } of readers) child.stdin.end()
    for (const { ended } of readers) expect((await ended).code).toBe(0)
  })

  test('signals go to the command; a wait that is interrupted acquires nothing', async () => {
    const fresh = name()
    const lock = keep(Lock.create(fresh))
    const running = start([
      'lock',
      fresh,
      '--',
      'sh',
      '-c',
      'trap "echo told; exit 5" TERM; echo up; while :; do sleep 0.05; done',
    ])
    await new Promise((resolve) => running.child.stdout.once('data', resolve))
    const waiting = start(['lock', fresh, '--', 'true'])
    await until(() => lock.stat().waiters === 1)
    waiting.child.kill('SIGINT')
    expect(await waiting.ended).toMatchObject({ code: 130 })
    running.child.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ code: 5, stdout: expect.stringContaining('told') })
    expect(lock.locked).toBe(false)
  })

  test('when it is killed its command keeps the lock, and then the next one is told', async () => {
    const fresh = name()
    const lock = keep(Lock.create(fresh))
    const running = start(['lock', fresh, '--', 'sh', '-c', 'sleep 1'])
    await until(() => lock.locked)
    await sleep(300)
    running.child.kill('SIGKILL')
    await sleep(100)
    expect(lock.tryAcquire()).toBeUndefined()
    const next = await ipckit(['lock', fresh, '--', 'echo', 'mine'])
    expect(next).toMatchObject({
      code: 0,
      stdout: 'mine\n',
      stderr: expect.stringMatching(/last holder .* died/),
    })
  })

  test('--strict does not run the command after a death; --close lets the lock die with this process', async () => {
    const fresh = name()
    const lock = keep(Lock.create(fresh))
    const running = start(['lock', '--close', fresh, '--', 'cat'])
    await until(() => lock.locked)
    await sleep(300)
    running.child.kill('SIGKILL')
    const refused = await ipckit(['lock', '--strict', fresh, '--', 'echo', 'mine'])
    expect(refused).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('ERR_IPC_OWNER_DIED'),
    })
    expect((await ipckit(['lock', '--strict', fresh, '--', 'echo', 'mine'])).stdout).toBe('mine\n')
    running.child.stdin.end()
  })

  test('what is no lock, or not there, is refused', async () => {
    const fresh = name()
    expect((await ipckit(['lock', fresh, '--no-create', '--', 'true'])).code).toBe(4)
    keep(Semaphore.create(fresh))
    expect(await ipckit(['lock', fresh, '--', 'true'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is a Semaphore'),
    })
    expect((await ipckit(['lock', name()])).code).toBe(2)
  })
})

describe('ipckit sem with a command', () => {
  test('runs as many as there are permits', async () => {
    const fresh = name()
    expect(await ipckit(['sem', fresh, '-n', '2', '--', 'echo', 'made'])).toMatchObject({ stdout: 'made\n' })
    const slots = keep(Semaphore.open(fresh))
    expect(slots.stat()).toMatchObject({ value: 2, limit: 2 })
    const first = start(['sem', `shm:${fresh}`, '--', 'cat'])
    await until(() => slots.value === 1)
    const second = start(['sem', fresh, '--', 'cat'])
    await until(() => slots.value === 0)
    expect((await ipckit(['sem', fresh, '--timeout', '0', '--', 'true'])).code).toBe(3)
    first.child.stdin.end()
    await first.ended
    expect(await ipckit(['sem', fresh, '--', 'sh', '-c', 'exit 4'])).toMatchObject({ code: 4 })
    second.child.kill('SIGKILL')
    second.child.stdin.end()
    await until(() => slots.value === 2)
  })

  test('the actions and a command are told apart', async () => {
    expect((await ipckit(['sem', 'wait', 'posix:/x', '-n', '2'])).code).toBe(2)
    expect((await ipckit(['sem', 'posix:/x', '--', 'true'])).code).toBe(2)
    expect((await ipckit(['sem', name(), '--json', '--', 'true'])).code).toBe(2)
    expect((await ipckit(['sem', 'get', 'posix:/x', 'posix:/y'])).code).toBe(2)
  })
})

describe('ls, stat and rm', () => {
  test('show what there is with its holders, and remove it', async () => {
    const names = [name(), name(), name()] as [string, string, string]
    const lock = keep(Lock.create(names[0]))
    keep(Event.create(names[1])).set()
    keep(Barrier.create(names[2], { parties: 3 }))
    await lock.acquire()
    const found = (await listed()).filter((each: { address: string }) =>
      names.includes(each.address.slice(4)),
    )
    expect(found).toHaveLength(3)
    const of = (at: number) => found.find((each: { address: string }) => each.address === `shm:${names[at]}`)
    expect(of(0)).toMatchObject({
      object: 'sync',
      type: 'Lock',
      state: 'held',
      holder: process.pid,
      waiters: 0,
    })
    expect(of(1)).toMatchObject({ type: 'Event', state: 'set', holder: null })
    expect(of(2)).toMatchObject({ type: 'Barrier', state: '0 of 3', participantCount: 1 })
    const table = await ipckit(['ls', '--shm'])
    expect(table.stdout).toContain(`shm:${names[0]}`)
    expect((await ipckit(['ls', '--memory', '--json'])).stdout).not.toContain(names[0].slice(1))
    expect((await ipckit(['ls', '--queue', '--json'])).stdout).not.toContain(names[0].slice(1))
    const stat = JSON.parse((await ipckit(['stat', lock.address, '--json'])).stdout)
    expect(stat).toMatchObject({ holder: process.pid, participants: [{ pid: process.pid, holds: 1 }] })
    expect((await ipckit(['stat', '--sync', lock.address])).stdout).toContain('held')
    expect(await ipckit(['rm', ...names.map((each) => `shm:${each}`)])).toMatchObject({ code: 0 })
    expect((await ipckit(['stat', '--sync', lock.address])).code).toBe(4)
    expect((await ipckit(['stat', '--sync', 'posix:/x'])).code).toBe(2)
  })
})

test('the doctor names a holder that is stopped, and how to let it go on', async () => {
  const fresh = name()
  const lock = keep(Lock.create(fresh))
  const running = start(['lock', fresh, '--', 'cat'])
  await until(() => lock.locked)
  const checksOf = async () =>
    JSON.parse((await ipckit(['doctor', lock.address, '--json'])).stdout).checks.filter(
      ({ group }: { group: string }) => group === lock.address,
    )
  expect(
    (await checksOf()).map(({ name: what, verdict }: { name: string; verdict: string }) => [what, verdict]),
  ).toEqual([
    ['kind', 'ok'],
    ['owner and mode', 'ok'],
    ['holder', 'ok'],
    ['participants', 'ok'],
    ['waiting', 'ok'],
  ])
  running.child.kill('SIGSTOP')
  const waiting = lock.acquire().catch(() => {})
  await until(() => lock.stat().waiters === 1)
  const holder = (await checksOf()).find(({ name: what }: { name: string }) => what === 'holder')
  expect(holder).toMatchObject({
    verdict: 'bad',
    remark: expect.stringContaining(`kill -CONT ${running.child.pid}`),
  })
  running.child.kill('SIGKILL')
  running.child.stdin.end()
  await lock.close()
  await waiting
})
