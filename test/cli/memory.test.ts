/** Shared memory in `ls`, `stat` and `rm`: `--memory` says that an address is one of it. */
import { existsSync, writeFileSync } from 'node:fs'
import { SharedMemory as PosixMemory, Semaphore } from 'ipckit/posix'
import { ftok, SharedMemory as SysvMemory } from 'ipckit/sysv'
import { describe, expect, onTestFinished, test } from 'vitest'
import { newKey, newName } from '../helpers/names.ts'
import { asNobody, canBeNobody, ipckit, lines } from './command.ts'

function posix(sizeBytes: number, name = newName()): PosixMemory {
  const memory = PosixMemory.create(name, { sizeBytes, mode: 0o640 })
  onTestFinished(() => {
    if (existsSync(`/dev/shm${name}`)) PosixMemory.unlink(name)
    memory.close()
  })
  return memory
}

function sysv(sizeBytes: number, key: number | 'private' = newKey()): SysvMemory {
  const memory = SysvMemory.create(key, { sizeBytes, mode: 0o640 })
  onTestFinished(() => {
    if (!memory.stat().unlinked) memory.unlink()
    memory.close()
  })
  return memory
}

const listed = async (...args: string[]) => JSON.parse((await ipckit(['ls', '--json', ...args])).stdout)
const of = (address: string) => (entry: { address: string }) => entry.address === address
const statOf = async (address: string) =>
  JSON.parse((await ipckit(['stat', '--memory', address, '--json'])).stdout)
const mine = { owner: expect.any(String), uid: process.getuid?.(), gid: process.getgid?.(), mode: '0640' }

describe('ls', () => {
  test('has a table of both kinds', async () => {
    const [one, other] = [posix(5000), sysv(6000)]
    const { code, stdout, stderr } = await ipckit(['ls', '--memory'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(lines(stdout)[0]).toMatch(/^MEMORY +BYTES +ATTACHED +OWNER +MODE +MADE BY +USED BY$/)
    const rowOf = (address: string) => lines(stdout).find((row) => row.startsWith(`${address} `))
    expect(rowOf(`posix:${one.name}`)).toMatch(/ 5,000 +- +\S+ +0640 +- +-$/)
    expect(rowOf(other.address)).toMatch(new RegExp(` 6,000 +1 +\\S+ +0640 +${process.pid} +\\d+$`))
  })

  test('shows them as JSON, beside everything else', async () => {
    const [one, other] = [posix(5000), sysv(6000)]
    const all = await listed()
    expect(all.find(of(`posix:${one.name}`))).toEqual({
      ...{ object: 'memory', address: `posix:${one.name}`, kind: 'posix', sizeBytes: 5000 },
      ...{ attached: null, ...mine, creator: null, lastUser: null },
    })
    expect(all.find(of(other.address))).toEqual({
      ...{ object: 'memory', address: other.address, kind: 'sysv', sizeBytes: 6000 },
      // Starting a process attaches and detaches what its parent has.
      ...{ attached: 1, ...mine, creator: process.pid, lastUser: expect.any(Number) },
    })
    expect(
      (await listed('--queue', '--semaphore')).filter(
        ({ object }: { object: string }) => object === 'memory',
      ),
    ).toEqual([])
    expect((await listed('--memory', '--sysv')).find(of(`posix:${one.name}`))).toBeUndefined()
  })

  test('takes semaphores for semaphores, and other files of /dev/shm for memory', async () => {
    const name = newName()
    const semaphore = Semaphore.create(name)
    onTestFinished(async () => {
      semaphore.unlink()
      await semaphore.close()
    })
    // Called like a queue, and none.
    const pretender = posix(100, `/ipckit.${newName().slice(1)}`)
    const all = await listed()
    expect(all.filter(({ address }: { address: string }) => address.includes(name.slice(1)))).toMatchObject([
      { object: 'semaphore' },
    ])
    expect(all.find(of(`posix:${pretender.name}`))).toMatchObject({ object: 'memory', sizeBytes: 100 })
  })
})

describe('stat', () => {
  test('tells what is known of a POSIX memory, also of one that nobody has given a size', async () => {
    const memory = posix(5000)
    expect(await statOf(`posix:${memory.name}`)).toMatchObject({ object: 'memory', sizeBytes: 5000, ...mine })
    const name = newName()
    writeFileSync(`/dev/shm${name}`, '')
    onTestFinished(() => PosixMemory.unlink(name))
    expect(await statOf(`posix:${name}`)).toMatchObject({ sizeBytes: 0 })
  })

  test('tells what is known of a segment by key, id and path, and changes nothing', async () => {
    const path = import.meta.filename
    const memory = SysvMemory.create(ftok(path, 77), { sizeBytes: 6000, mode: 0o640 })
    const { id, key } = memory.stat()
    memory.close()
    onTestFinished(() => {
      const again = SysvMemory.open({ id })
      again.unlink()
      again.close()
    })
    for (const address of [memory.address, `sysv:id=${id}`, `sysv:${path}?proj=77`, `sysv:${key}`]) {
      expect(await statOf(address)).toMatchObject({ id, address: memory.address, sizeBytes: 6000, ...mine })
    }
    const now = SysvMemory.list().find((each) => each.id === id)
    expect(now).toMatchObject({ lastUser: process.pid, attached: 0 })
    expect((await statOf(`sysv:id=${sysv(1, 'private').stat().id}`)).key).toBe(null)
  })

  test.runIf(canBeNobody)('looks at memory that this user may not read', async () => {
    const memory = posix(5000)
    const { code, stdout } = await ipckit(['stat', '--memory', `posix:${memory.name}`], { through: asNobody })
    expect(lines(stdout)).toContainEqual(expect.stringMatching(/^size bytes +5,000$/))
    expect(code).toBe(0)
  })

  test('of memory that is not there ends with 4', async () => {
    for (const address of [`posix:${newName()}`, `sysv:${newKey()}`, 'sysv:id=2147483647']) {
      for (const name of ['stat', 'rm']) {
        const { code, stdout, stderr } = await ipckit([name, '--memory', address])
        expect({ address, name, code, stdout }).toEqual({ address, name, code: 4, stdout: '' })
        expect(lines(stderr)).toHaveLength(1)
      }
    }
  })
})

describe('rm', () => {
  test('removes both kinds, and prints what it removed', async () => {
    const [one, other] = [posix(5000), sysv(6000)]
    const addresses = [`posix:${one.name}`, other.address]
    const { code, stdout } = await ipckit(['rm', '--memory', ...addresses])
    expect({ code, removed: lines(stdout) }).toEqual({ code: 0, removed: addresses })
    expect([one.stat().unlinked, other.stat().unlinked]).toEqual([true, true])
  })

  test('of a queue does not touch the memory of the same address', async () => {
    const memory = posix(5000)
    expect(await ipckit(['rm', `posix:${memory.name}`])).toMatchObject({ code: 4 })
    expect(memory.stat().unlinked).toBe(false)
  })

  test.runIf(canBeNobody)('of memory of another user ends with 5', async () => {
    for (const address of [`posix:${posix(10).name}`, sysv(10).address]) {
      expect(await ipckit(['rm', '--memory', address], { through: asNobody })).toMatchObject({ code: 5 })
    }
  })
})
