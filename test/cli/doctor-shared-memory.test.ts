/** What `ipckit doctor` says of /dev/shm, System V segments, futexes and pipes, on this machine and on those that a test makes up. */
import { SharedMemory as PosixMemory } from 'ipckit/posix'
import { capabilities } from 'ipckit/shm'
import { SharedMemory } from 'ipckit/sysv'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Facts, SharedFile } from '../../lib/cli/doctor/facts.js'
import { pipeChecks } from '../../lib/cli/doctor/pipe-checks.js'
import { render } from '../../lib/cli/doctor/render.js'
import { futexCheck, segmentChecks, sharedMemoryCheck } from '../../lib/cli/doctor/shared-memory-checks.js'
import { changeSetting, ownNamespace } from '../helpers/kernel.ts'
import { newName } from '../helpers/names.ts'
import { ipckit } from './command.ts'

const where = { place: { kind: 'host', evidence: [] }, namespaces: [] }
const judge = (sysctls: Facts['sysctls'], segments: Facts['segments']) =>
  segmentChecks({ ...where, sysctls, segments } as unknown as Facts)

describe('the doctor', () => {
  test('knows segments of all users, their limits and how to raise them', () => {
    const checks = judge(
      { 'kernel.shmmni': 10, 'kernel.shmmax': 1000, 'kernel.shmall': 100 },
      { count: 8, bytes: 4096 * 100 },
    )
    expect(checks).toMatchObject([
      { name: 'kernel.shmmni', value: 10, used: 8, verdict: 'warn' },
      { name: 'kernel.shmmax', value: 1000, verdict: 'ok' },
      { name: 'kernel.shmall', value: 100, used: 100, verdict: 'bad' },
    ])
    const commands = checks.map(({ raise }) => raise?.[0]?.command)
    expect(commands).toEqual([
      'sysctl -w kernel.shmmni=20',
      'sysctl -w kernel.shmmax=2000',
      'sysctl -w kernel.shmall=200',
    ])
  })

  test('calls the defaults of the kernel unlimited, and raises nothing', () => {
    const checks = judge({ 'kernel.shmmax': 2 ** 64, 'kernel.shmall': 2 ** 64 }, { count: 0, bytes: 0 })
    expect(checks.map(({ value, raise }) => [value, raise])).toEqual([
      [Number.POSITIVE_INFINITY, undefined],
      [Number.POSITIVE_INFINITY, undefined],
    ])
  })

  test('says nothing where the kernel has no segments', () => {
    expect(judge({}, { count: 0, bytes: 0 })).toEqual([])
  })

  test.runIf(ownNamespace)('counts what is here, and warns before creating fails', async () => {
    const memory = SharedMemory.create('private', { sizeBytes: 5000 })
    onTestFinished(() => {
      memory.unlink()
      memory.close()
    })
    changeSetting('kernel/shmmni', SharedMemory.usage().segments)
    const { stdout } = await ipckit(['doctor', '--json'])
    const { checks } = JSON.parse(stdout) as { checks: { name: string }[] }
    expect(checks.find(({ name }) => name === 'kernel.shmmni')).toMatchObject({
      used: SharedMemory.usage().segments,
      verdict: 'bad',
    })
  })
})

describe('/dev/shm', () => {
  const file = (object: SharedFile['object'], name: string, bytes: number): SharedFile => ({
    ...{ object, bytes, owner: 'ann', address: `${object === 'queue' ? 'shm' : 'posix'}:/${name}` },
  })
  const look = (sharedMemory: object, place = 'host') =>
    sharedMemoryCheck({
      place: { kind: place, evidence: [] },
      sharedMemory,
      namespaces: [],
    } as unknown as Facts)
  const room = { mounted: true, total: 64 << 20, free: 0 }

  test('that is full says which files fill it, the largest first, and whose they are', async () => {
    const files = [
      file('memory', 'frames', 20 << 20),
      file('queue', 'jobs', 40 << 20),
      ...[1, 2, 3, 4].map((at) => file('semaphore', `s${at}`, 4096 * at)),
    ]
    const check = look({ ...room, files })
    expect(check).toMatchObject({ value: 64 << 20, used: 64 << 20, verdict: 'bad' })
    expect(check.by?.map(({ address, object, owner }) => [address, object, owner])).toEqual([
      ['shm:/jobs', 'queue', 'ann'],
      ['posix:/frames', 'memory', 'ann'],
      ['posix:/s4', 'semaphore', 'ann'],
      ['posix:/s3', 'semaphore', 'ann'],
      ['posix:/s2', 'semaphore', 'ann'],
    ])
    expect(check.remark).toMatch(
      /^4,\d+,\d+ of it in folders, and in files that were removed and are still open$/,
    )
    const report = await render([check])
    expect(report).toContain('shm:/jobs (queue of ann) 41,943,040, posix:/frames (memory of ann) 20,971,520')
  })

  test('says nothing of files where there are none', () => {
    const check = look({ ...room, free: 64 << 20, files: [] })
    expect(check).toMatchObject({ used: 0, verdict: 'ok' })
    expect(check).not.toHaveProperty('by')
    expect(check).not.toHaveProperty('remark')
  })

  test.each([
    ['host', 'mount -o remount,size=128m /dev/shm'],
    ['docker', 'docker run --shm-size 128m ...'],
    ['podman', 'podman run --shm-size 128m ...'],
    ['kubernetes', 'emptyDir: { medium: Memory, sizeLimit: 128Mi }'],
  ])('is raised on %s by a command of its own', (place, command) => {
    expect(look({ ...room, files: [] }, place).raise?.[0]?.command).toContain(command)
  })

  test('of this machine is looked at', async () => {
    const memory = PosixMemory.create(newName(), { sizeBytes: 4 << 20 })
    onTestFinished(() => {
      memory.unlink()
      memory.close()
    })
    const { checks } = JSON.parse((await ipckit(['doctor', '--json'])).stdout)
    const check = checks.find(({ name }: { name: string }) => name === '/dev/shm')
    expect(check.by).toContainEqual({
      ...{ address: `posix:${memory.name}`, object: 'memory', owner: expect.any(String), used: 4 << 20 },
    })
    const vectors = checks.find(({ name }: { name: string }) => name === 'futex_waitv')
    expect(vectors.value).toBe(capabilities().futexWaitv ? 'yes' : 'no')
  })
})

describe('futex_waitv', () => {
  test('is no trouble where it is missing, but takes threads', () => {
    expect(futexCheck({ futexWaitv: true } as Facts)).toMatchObject({ value: 'yes', verdict: 'ok' })
    expect(futexCheck({ futexWaitv: false } as Facts)).toMatchObject({
      ...{ value: 'no', verdict: 'ok', remark: expect.stringContaining('takes a thread') },
    })
  })
})

describe('pipes', () => {
  const judgePipes = (sysctls: Facts['sysctls'], kind = 'host') =>
    pipeChecks({ place: { kind, evidence: [] }, namespaces: [], sysctls } as unknown as Facts)
  const settings = {
    'fs.pipe-max-size': 1_048_576,
    'fs.pipe-user-pages-soft': 16_384,
    'fs.pipe-user-pages-hard': 0,
    'fs.protected_fifos': 1,
  }

  test('have limits that are told, and 0 is none', () => {
    expect(judgePipes(settings).map(({ name, value, verdict }) => [name, value, verdict])).toEqual([
      ['fs.pipe-max-size', 1_048_576, 'ok'],
      ['fs.pipe-user-pages-soft', 16_384, 'ok'],
      ['fs.pipe-user-pages-hard', Number.POSITIVE_INFINITY, 'ok'],
      ['fs.protected_fifos', 1, 'ok'],
    ])
    expect(judgePipes({})).toEqual([])
  })

  test('are raised on the machine alone, also for a container', () => {
    for (const [kind, where] of [
      ['host', 'host, now'],
      ['docker', 'host, now'],
      ['kubernetes', 'node, now'],
    ] as const) {
      const raise = judgePipes(settings, kind)[0]?.raise
      expect(raise?.[0]).toEqual({ where, command: 'sysctl -w fs.pipe-max-size=4194304' })
    }
  })

  test('of others in /tmp: it says what protects from them', () => {
    const [on] = judgePipes({ 'fs.protected_fifos': 1 })
    const [off] = judgePipes({ 'fs.protected_fifos': 0 })
    expect(on?.remark).toContain('EACCES')
    expect(on?.raise).toBe(undefined)
    expect(off?.remark).toMatch(/^off:/)
    expect(off?.raise?.[0]?.command).toBe('sysctl -w fs.protected_fifos=1')
  })
})
