/** What `ipckit doctor` says of System V segments, on this machine and on those that a test makes up. */
import { SharedMemory } from 'ipckit/sysv'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Facts } from '../../lib/cli/doctor/facts.js'
import { segmentChecks } from '../../lib/cli/doctor/shared-memory-checks.js'
import { changeSetting, ownNamespace } from '../helpers/kernel.ts'
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
