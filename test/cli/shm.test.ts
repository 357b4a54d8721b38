/** `ipckit shm dump`. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { chars, f64, i32, i64, struct } from 'ipckit'
import { SharedMemory as PosixMemory } from 'ipckit/posix'
import { SharedMemory as SysvMemory } from 'ipckit/sysv'
import { describe, expect, onTestFinished, test } from 'vitest'
import { newKey, newName } from '../helpers/names.ts'
import { needs, works } from '../helpers/needs.ts'
import { asNobody, canBeNobody, ipckit, lines, shell } from './command.ts'

const hasHexdump = needs('hexdump', works('hexdump', '-C', '/dev/null'))
const quote = struct({ id: i32, px: f64, sym: chars(8), at: i64 })
const layout = 'id:i32,px:f64,sym:char[8],at:i64'

function posix(sizeBytes: number, mode = 0o600): PosixMemory {
  const memory = PosixMemory.create(newName(), { sizeBytes, mode })
  onTestFinished(() => {
    memory.unlink()
    memory.close()
  })
  return memory
}

function sysv(sizeBytes: number): SysvMemory {
  const memory = SysvMemory.create(newKey(), { sizeBytes })
  onTestFinished(() => {
    memory.unlink()
    memory.close()
  })
  return memory
}

describe('shm dump', () => {
  test.runIf(hasHexdump)('prints what hexdump -C prints', async () => {
    for (const sizeBytes of [1, 15, 16, 17, 4096, 70_000]) {
      const memory = posix(sizeBytes)
      const { buffer } = memory
      for (let at = 0; at < sizeBytes; at += 37) buffer[at] = at
      buffer.write('text\n', Math.max(0, sizeBytes - 5))
      const theirs = spawnSync('hexdump', ['-C', `/dev/shm${memory.name}`], { encoding: 'utf8' }).stdout
      expect(await ipckit(['shm', 'dump', memory.name])).toMatchObject({
        code: 0,
        stdout: theirs,
        stderr: '',
      })
      const all = spawnSync('hexdump', ['-Cv', `/dev/shm${memory.name}`], { encoding: 'utf8' }).stdout
      expect((await ipckit(['shm', 'dump', `posix:${memory.name}`, '-v'])).stdout).toBe(all)
    }
  })

  test('prints a part, and * for lines that repeat', async () => {
    const memory = posix(4096)
    memory.write(64, Buffer.from('0123456789abcdef'))
    const { stdout } = await ipckit(['shm', 'dump', memory.name, '--offset', '16', '--length', '70'])
    expect(lines(stdout)).toEqual([
      '00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|',
      '*',
      '00000040  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|',
      '00000050  00 00 00 00 00 00                                 |......|',
      '00000056',
    ])
  })

  test('prints a struct, and as many as --length holds', async () => {
    const memory = sysv(100)
    memory.writeStruct(quote, { id: 1, px: 2.5, sym: 'ACME', at: 2n ** 60n }, 0)
    memory.writeStruct(quote, { id: -2, px: Number.NaN, sym: 'grüß', at: -1n }, 32)
    const one = await ipckit(['shm', 'dump', memory.address, '--struct', layout])
    expect(one).toMatchObject({ code: 0, stdout: `{"id":1,"px":2.5,"sym":"ACME","at":"${2n ** 60n}"}\n` })
    const two = await ipckit([
      'shm',
      'dump',
      `sysv:id=${memory.stat().id}`,
      '--struct',
      layout,
      '--length',
      '64',
      '--json',
    ])
    expect(lines(two.stdout).map((line) => JSON.parse(line))).toEqual([
      { value: { id: 1, px: 2.5, sym: 'ACME', at: String(2n ** 60n) }, offset: 0, bytes: 32 },
      { value: { id: -2, px: 'NaN', sym: 'grüß', at: -1 }, offset: 32, bytes: 32 },
    ])
  })

  test('prints bytes as JSON', async () => {
    const memory = posix(70_000)
    memory.write(0, Buffer.from([1, 255]))
    const { stdout } = await ipckit(['shm', 'dump', memory.name, '--json'])
    const parts = lines(stdout).map((line) => JSON.parse(line))
    expect(parts.map(({ offset, bytes }) => [offset, bytes])).toEqual([
      [0, 65_536],
      [65_536, 4464],
    ])
    expect(parts.map(({ hex }) => hex).join('')).toBe(memory.read().toString('hex'))
  })

  test('says which struct is not decodable, and goes on', async () => {
    const memory = posix(16)
    memory.write(0, Buffer.from('\xff\xfe\0\0\0\0\0\0', 'latin1'))
    memory.write(8, Buffer.from('text'))
    const args = ['shm', 'dump', memory.name, '--struct', 's:char[8]', '--length', '16']
    expect(await ipckit(args)).toEqual({
      code: 6,
      signal: null,
      stdout: '{"s":"text"}\n',
      stderr: expect.stringContaining('Cannot decode the 8 bytes at 0'),
    })
  })

  test.each([
    [['/no-such-memory'], 4, /there is none of that name/],
    [['sysv:0x7fff1234'], 4, /there is no such segment/],
    [['jobs'], 2, /Expected \/name/],
    [['sysv:what'], 2, /Expected \/name/],
    [['/a/b'], 2, /Expected a slash/],
    [['/x', '--offset', '-1'], 2, /Expected an integer/],
  ])('%j ends with %d', async (args, code, why) => {
    expect(await ipckit(['shm', 'dump', ...args])).toMatchObject({
      code,
      stdout: '',
      stderr: expect.stringMatching(why),
    })
  })

  test.each([
    [['--offset', '101'], /at most 100 for --offset/],
    [['--offset', '90', '--length', '11'], /at most 10 for --length/],
    [['--offset', '80', '--struct', layout], /room for a struct of 32 bytes, received 20 bytes from 80 on/],
    [['--length', '31', '--struct', layout], /room for a struct of 32 bytes, received 31/],
    [['--struct', 'id:quux'], /quux/],
  ])('%j does not fit into 100 bytes', async (args, why) => {
    const memory = posix(100)
    expect(await ipckit(['shm', 'dump', memory.name, ...args])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(why),
    })
  })

  test.runIf(canBeNobody)('without permission ends with 5', async () => {
    const memory = posix(100)
    expect(await ipckit(['shm', 'dump', memory.name], { through: asNobody })).toMatchObject({ code: 5 })
  })

  test.runIf(canBeNobody)('reads memory of another user that everybody may read', async () => {
    const memory = posix(4, 0o644)
    expect(await ipckit(['shm', 'dump', memory.name], { through: asNobody })).toMatchObject({ code: 0 })
  })

  test('ends quietly when nobody reads any more', async () => {
    const memory = posix(10_000_000)
    memory.buffer.fill(1)
    for (let at = 0; at < 10_000_000; at += 16) memory.buffer[at] = at >> 4
    const { code, stdout, stderr } = await shell(`set -o pipefail; ipckit shm dump ${memory.name} | head -1`)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(lines(stdout)).toHaveLength(1)
  })

  test('of a file that is no memory yet says why', async () => {
    const name = newName()
    writeFileSync(`/dev/shm${name}`, '')
    onTestFinished(() => PosixMemory.unlink(name))
    expect(await ipckit(['shm', 'dump', name])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no size yet'),
    })
  })
})
