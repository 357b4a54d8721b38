/** `ipckit sem`, and semaphores in `ls`, `stat` and `rm`. */
import { rmSync, writeFileSync } from 'node:fs'
import { Semaphore } from 'ipckit/posix'
import { SemaphoreSet } from 'ipckit/sysv'
import { describe, expect, onTestFinished, test } from 'vitest'
import { newKey, newName } from '../helpers/names.ts'
import { until } from '../helpers/waiting.ts'
import { asNobody, canBeNobody, ipckit, lines, shell, start } from './command.ts'

function posixAddress(): string {
  const name = newName()
  onTestFinished(() => rmSync(`/dev/shm/sem.${name.slice(1)}`, { force: true }))
  return `posix:${name}`
}

function sysvAddress(): string {
  const key = newKey()
  onTestFinished(async () => {
    try {
      const set = SemaphoreSet.open(key, { assumeInitialized: true })
      set.unlink()
      await set.close()
    } catch {}
  })
  return `sysv:0x${key.toString(16)}`
}

const keyOf = (address: string) => Number(address.slice('sysv:'.length))
const nameOf = (address: string) => address.slice('posix:'.length)
const kinds = [
  ['POSIX', posixAddress],
  ['System V', sysvAddress],
] as const

describe.each(kinds)('sem on a %s semaphore', (_, newAddress) => {
  test('makes it, takes, gives and tells the value, over several processes', async () => {
    const address = newAddress()
    expect(await ipckit(['sem', 'wait', address, '--create', '--value', '2'])).toEqual({
      ...{ code: 0, signal: null, stdout: '', stderr: '' },
    })
    expect((await ipckit(['sem', 'get', address])).stdout).toBe('1\n')
    expect(await ipckit(['sem', 'post', address, '--count', '4'])).toMatchObject({ code: 0 })
    expect(JSON.parse((await ipckit(['sem', 'get', address, '--json'])).stdout)).toEqual({
      address,
      values: [5],
    })
  })

  test('wait gives up with 3 when the time has passed, and takes nothing', async () => {
    const address = newAddress()
    await ipckit(['sem', 'get', address, '--create', '--value', '0'])
    expect(await ipckit(['sem', 'wait', address, '--timeout', '30'])).toMatchObject({ code: 3 })
    expect(await ipckit(['sem', 'wait', address, '--timeout', '0'])).toMatchObject({ code: 3 })
    await ipckit(['sem', 'post', address])
    expect((await ipckit(['sem', 'get', address])).stdout).toBe('1\n')
  })

  test('wait waits for a post, and Ctrl-C ends it with 130', async () => {
    const address = newAddress()
    await ipckit(['sem', 'get', address, '--create', '--value', '0'])
    const waiting = start(['sem', 'wait', address])
    await ipckit(['sem', 'post', address])
    expect(await waiting.ended).toMatchObject({ code: 0 })
    const interrupted = start(['sem', 'wait', address])
    await new Promise((resolve) => setTimeout(resolve, 500))
    interrupted.child.kill('SIGINT')
    expect(await interrupted.ended).toMatchObject({ code: 130 })
  })

  test('ends with 4 when there is none, and with 2 when it is used wrongly', async () => {
    const address = newAddress()
    for (const action of ['wait', 'post', 'get']) {
      expect(await ipckit(['sem', action, address])).toMatchObject({ code: 4, stdout: '' })
    }
    for (const wrong of [
      ['sem', 'take', address],
      ['sem', 'get', address, '--value', '1'],
      ['sem', 'get', address, '--timeout', '1'],
      ['sem', 'wait', address, '--count', '1'],
      ['sem', 'wait', address, '--json'],
      ['sem', 'get', address, '--create', '--value', '9999999999'],
      ['sem', 'get', 'nowhere:/x'],
      ['sem', 'get', 'memory:x'],
      ['sem', 'get', 'sysv:private', '--create'],
      ['sem', 'get', 'posix:/x', '--index', '1'],
    ]) {
      expect({ wrong, ...(await ipckit(wrong)) }).toMatchObject({ wrong, code: 2 })
    }
  })

  test('ls, stat and rm know it', async () => {
    const address = newAddress()
    await ipckit(['sem', 'get', address, '--create', '--value', '3', '--mode', '640'])
    const [row] = lines((await ipckit(['ls', '--semaphore'])).stdout).filter((line) =>
      line.includes(address.slice(-8)),
    )
    expect(row).toMatch(/\s3\s.*0640/)
    const listed = JSON.parse((await ipckit(['ls', '--json'])).stdout)
    const entry = listed.find((each: { address: string }) => each.address.endsWith(address.slice(-8)))
    expect(entry).toMatchObject({ object: 'semaphore', values: [3], mode: '0640', uid: process.getuid?.() })
    expect(JSON.parse((await ipckit(['stat', '--semaphore', address, '--json'])).stdout)).toMatchObject(entry)
    expect((await ipckit(['stat', '--semaphore', address])).stdout).toMatch(/^values\s+3$/m)
    expect(await ipckit(['stat', address])).toMatchObject({ code: 4 })
    expect(await ipckit(['rm', address])).toMatchObject({ code: 4 })
    expect(await ipckit(['stat', '--semaphore', '--queue', address])).toMatchObject({ code: 2 })
    expect(await ipckit(['rm', '--semaphore', address])).toMatchObject({
      code: 0,
      stdout: `${entry.address}\n`,
    })
    expect(await ipckit(['rm', '--semaphore', address])).toMatchObject({ code: 4 })
    expect(await ipckit(['rm', '--semaphore', '-f', address])).toMatchObject({ code: 0 })
  })

  test('as a lock of shell scripts it lets one in at a time', async () => {
    const address = newAddress()
    const file = `/tmp/ipckit-test-${process.pid}-${newName().slice(-8)}`
    onTestFinished(() => rmSync(file, { force: true }))
    writeFileSync(file, '0')
    await ipckit(['sem', 'get', address, '--create'])
    const one = `ipckit sem wait ${address}; read n < ${file}; sleep 0.05; echo $((n + 1)) > ${file}; ipckit sem post ${address}`
    const outcome = await shell(`(${one}) & (${one}) & (${one}) & wait; cat ${file}`)
    expect(outcome).toMatchObject({ code: 0, stdout: '3\n', stderr: '' })
  })

  test.runIf(canBeNobody)('ends with 5 without permission', async () => {
    const address = newAddress()
    await ipckit(['sem', 'get', address, '--create'])
    expect(await ipckit(['sem', 'get', address], { through: asNobody })).toMatchObject({ code: 5 })
    const listed = JSON.parse((await ipckit(['ls', '--json', '--semaphore'], { through: asNobody })).stdout)
    expect(listed).toContainEqual(expect.objectContaining({ values: null, mode: '0600' }))
  })
})

describe('sem', () => {
  test('uses one semaphore of a set, and shows them all', async () => {
    const address = sysvAddress()
    const set = SemaphoreSet.create(keyOf(address), { values: [1, 0, 7] })
    await ipckit(['sem', 'post', address, '--index', '1', '--count', '2'])
    await ipckit(['sem', 'wait', address, '--index', '2'])
    expect((await ipckit(['sem', 'get', address])).stdout).toBe('1\n2\n6\n')
    expect((await ipckit(['sem', 'get', address, '--index', '1'])).stdout).toBe('2\n')
    expect(await ipckit(['sem', 'get', address, '--index', '3'])).toMatchObject({ code: 1 })
    const waiting = expect(set.acquire({ semaphore: 1, count: 5 })).rejects.toThrow(/closed/)
    await until(() => set.waiters(1).forMore === 1)
    const facts = JSON.parse((await ipckit(['stat', '--semaphore', address, '--json'])).stdout)
    expect(facts).toMatchObject({ size: 3, values: [1, 2, 6], waiters: [0, 1, 0] })
    await set.close()
    await waiting
  })

  test('a set whose maker died over it is listed, shown and removed', async () => {
    const address = sysvAddress()
    await shell(
      `python3 -c 'import ctypes; ctypes.CDLL(None).semget(ctypes.c_int(${keyOf(address) | 0}), 2, 0o1600)'`,
    )
    expect(await ipckit(['sem', 'get', address])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/may have died/),
    })
    expect(await ipckit(['stat', '--semaphore', address])).toMatchObject({ code: 0 })
    expect(await ipckit(['rm', '--semaphore', address])).toMatchObject({ code: 0 })
  })

  test('a semaphore that everybody may write to is refused with 5, and can be looked at and removed', async () => {
    const address = posixAddress()
    await Semaphore.create(nameOf(address), { mode: 0o666 }).close()
    expect(await ipckit(['sem', 'wait', address])).toMatchObject({ code: 5 })
    expect(await ipckit(['stat', '--semaphore', address])).toMatchObject({ code: 0 })
    expect(await ipckit(['rm', '--semaphore', address])).toMatchObject({ code: 0 })
  })
})
