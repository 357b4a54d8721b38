/**
 * IPC namespaces, as containers have them: a name or key means another queue in each. After the tests of the Linux
 * Test Project (testcases/kernel/containers/mqns, sysvipc): mqns_01 to 04, mesgq_nstest, msg_comm.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { list as listPosix, MessageQueue as PosixQueue, unlink } from 'ipckit/posix'
import { list as listSysv, MessageQueue as SysvQueue } from 'ipckit/sysv'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Agent, endAgents } from '../helpers/agent.ts'
import { newKey, newName } from '../helpers/names.ts'
import { needs, works } from '../helpers/needs.ts'

endAgents()

const asRoot = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
const isolated = ['unshare', '--ipc', ...asRoot]
const mayIsolate = needs('unshare(1), and the right to make IPC namespaces', works(...isolated, 'true'))
/** In a mount namespace that scripts/isolated.mjs made for this run. */
const mayMount = process.env.IPCKIT_ISOLATED === '1' && mayIsolate

const small = { capacity: 2, maxMessageBytes: 64 }
const ours = Buffer.from('ours')
const theirs = Buffer.from('theirs')
const missing = { code: 'ENOENT' }

/** A new queue of ours, by name. */
function createPosix(): { name: string; queue: PosixQueue } {
  const name = newName()
  const queue = PosixQueue.create(name, small)
  onTestFinished(async () => {
    unlink(name)
    await queue.close()
  })
  return { name, queue }
}

/** A new queue of ours, by key. */
function createSysv(): { key: number; queue: SysvQueue } {
  const key = newKey()
  const queue = SysvQueue.create(key)
  onTestFinished(async () => {
    queue.unlink()
    await queue.close()
  })
  return { key, queue }
}

/** A folder to mount something at. */
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ipckit-test-'))
  onTestFinished(() => rmdirSync(folder))
  return folder
}

const names = (entries: unknown) => (entries as { name: string }[]).map(({ name }) => name)
const keys = (entries: unknown) => (entries as { key: number }[]).map(({ key }) => key)

describe.runIf(mayIsolate)('POSIX queues', () => {
  test('mqns_01: a queue is there for a process of the same namespace, and not for one of another', async () => {
    const { name, queue } = createPosix()
    await queue.send(ours)
    const outsider = await Agent.start({ through: isolated })
    await expect(outsider.open('posix.MessageQueue', 'open', name)).rejects.toMatchObject(missing)
    await expect(outsider.call('posix', 'unlink', name)).rejects.toMatchObject(missing)
    const insider = await Agent.start()
    const same = await insider.open('posix.MessageQueue', 'open', name)
    expect(await insider.call(same, 'receive')).toMatchObject({ data: ours })
  })

  test('mqns_02: queues of one name in two namespaces have nothing to do with each other', async () => {
    const { name, queue } = createPosix()
    const agent = await Agent.start({ through: isolated })
    const other = await agent.open('posix.MessageQueue', 'create', name, { ...small, capacity: 1 })
    const waiting = agent.call(other, 'receive')
    await queue.send(ours)
    expect(queue.stat()).toMatchObject({ depth: 1, capacity: 2 })
    await agent.call(other, 'send', theirs)
    expect(await waiting).toMatchObject({ data: theirs })
    expect(await agent.call(other, 'stat')).toMatchObject({ depth: 0, capacity: 1 })
    await agent.call('posix', 'unlink', name)
    expect(queue.stat().unlinked).toBe(false)
    expect((await queue.receive()).data).toEqual(ours)
  })

  test('mqns_03: list shows the queues of its own namespace, also those that were made as files, after a new mount too', async () => {
    const { name: here } = createPosix()
    const folder = newFolder()
    const agent = await Agent.start({ through: [...isolated, '--mount'] })
    const namespaces = [
      '--ipc',
      '--mount',
      ...(asRoot.length > 0 ? ['--user', '--preserve-credentials'] : []),
    ]
    const there = (...line: string[]) =>
      execFileSync('nsenter', ['--target', String(agent.pid), ...namespaces, ...line])
    const [one, two] = [newName(), newName()]
    await agent.open('posix.MessageQueue', 'create', one, small)
    for (const round of [1, 2]) {
      there('mount', '-t', 'mqueue', 'mqueue', folder)
      if (round === 1) there('touch', folder + two)
      there('test', '-e', folder + one, '-a', '-e', folder + two)
      expect(names(await agent.call('posix', 'list')).sort()).toEqual([one, two].sort())
      there('umount', folder)
    }
    const made = await agent.open('posix.MessageQueue', 'open', two)
    await agent.call(made, 'send', theirs)
    expect(await agent.call(made, 'receive')).toMatchObject({ data: theirs })
    expect(names(listPosix())).toContain(here)
    expect(names(listPosix())).not.toContain(one)
  })

  test.runIf(mayMount)(
    'mqns_04: a mount of another namespace shows its queues, which cannot be opened by name here',
    async () => {
      const folder = newFolder()
      const mounting = ['sh', '-c', 'mount -t mqueue mqueue "$0" && exec "$@"', folder]
      const agent = await Agent.start({ through: [...isolated, ...mounting] })
      onTestFinished(() => void execFileSync('umount', [folder]))
      const name = newName()
      const other = await agent.open('posix.MessageQueue', 'create', name, small)
      await agent.call(other, 'send', theirs)
      const expectShown = () => {
        expect(readdirSync(folder)).toEqual([name.slice(1)])
        expect(readFileSync(folder + name, 'utf8')).toMatch(/^QSIZE:6 /)
        expect(names(listPosix())).not.toContain(name)
        expect(() => PosixQueue.open(name)).toThrow(expect.objectContaining(missing))
      }
      expectShown()
      await agent.end()
      // The mount keeps what is left of the namespace.
      expectShown()
      expect(() => writeFileSync(folder + newName(), '')).toThrow(expect.objectContaining({ code: 'EACCES' }))
    },
  )
})

describe.runIf(mayIsolate)('System V queues', () => {
  test('mesgq_nstest: a key is found by a process of the same namespace, and not by one of another', async () => {
    const { key, queue } = createSysv()
    await queue.send(ours, { type: 5 })
    const outsider = await Agent.start({ through: isolated })
    await expect(outsider.open('sysv.MessageQueue', 'open', key)).rejects.toMatchObject(missing)
    expect(await outsider.call('sysv', 'list')).toEqual([])
    expect(await outsider.call('sysv', 'usage')).toEqual({ queues: 0, messages: 0, bytes: 0 })
    const insider = await Agent.start()
    const same = await insider.open('sysv.MessageQueue', 'open', key)
    expect(await insider.call(same, 'receive', { type: 5 })).toMatchObject({ data: ours })
  })

  test('msg_comm: queues of one key in two namespaces have nothing to do with each other', async () => {
    const { key, queue } = createSysv()
    const agent = await Agent.start({ through: isolated })
    const other = await agent.open('sysv.MessageQueue', 'create', key, { maxBytes: 100 })
    const waiting = agent.call(other, 'receive')
    await queue.send(ours)
    expect(queue.stat().depth).toBe(1)
    await agent.call(other, 'send', theirs)
    expect(await waiting).toMatchObject({ data: theirs })
    expect(await agent.call(other, 'stat')).toMatchObject({ depth: 0, maxBytes: 100 })
    expect(keys(await agent.call('sysv', 'list'))).toEqual([key])
    await agent.call(other, 'unlink')
    expect(keys(listSysv())).toContain(key)
    expect((await queue.receive()).data).toEqual(ours)
  })
})
