/** Errors of the library, in the words of a shell. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { inShellWords, phrases } from '../../lib/cli/words.js'
import { newName } from '../helpers/names.ts'
import { asNobody, canBeNobody, ipckit, posixAddress, sysvAddress } from './command.ts'

/** What only a program can do. */
const libraryWords =
  /openOrCreate|`|\w\(\)|set\(|\{|anyOwner|anyMode|trustOthers|maxMessageBytes|capacityBytes/

const shmAddress = () => {
  const address = `shm:${newName()}`
  onTestFinished(async () => void (await ipckit(['rm', '-f', address])))
  return address
}
const missing = [
  ['POSIX queue', posixAddress, []],
  ['System V queue', sysvAddress, []],
  ['queue in shared memory', shmAddress, []],
  ['FIFO', () => `fifo:/tmp${newName()}`, []],
  ['POSIX semaphore', posixAddress, ['--semaphore']],
  ['System V set', sysvAddress, ['--semaphore']],
  ['POSIX memory', posixAddress, ['--memory']],
  ['System V memory', sysvAddress, ['--memory']],
] as const

describe('what the command says', () => {
  test.each(missing)('of a missing %s is what to do at a shell', async (_, newAddress, options) => {
    const address = newAddress()
    const looked = await ipckit(['stat', address, ...options])
    expect(looked.stderr).toMatch(/ENOENT\).*(ipckit ls|--create)/)
    expect(looked.stderr).not.toMatch(libraryWords)
    const removed = await ipckit(['rm', address, ...options])
    expect(removed.stderr).toMatch(/^ipckit: Cannot remove .*ENOENT\).*--force/)
    expect(removed.stderr).not.toMatch(libraryWords)
    expect([looked.code, removed.code]).toEqual([4, 4])
  })

  test('of a file that is missing, of which a key is made, names the file', async () => {
    const { code, stderr } = await ipckit(['rm', 'sysv:/no/such/file?proj=1'])
    expect(stderr).toMatch(/\/no\/such\/file.*ENOENT/)
    expect(code).toBe(4)
  })

  test.each([
    ['POSIX', posixAddress],
    ['System V', sysvAddress],
    ['shm:', shmAddress],
  ])('of a message too large for a %s queue names its options', async (_, newAddress) => {
    const address = newAddress()
    await ipckit(['send', address, 'x', '--create'])
    const { code, stderr } = await ipckit(['send', address, '-'], { input: 'x'.repeat(100_000) })
    expect(stderr).toMatch(/EMSGSIZE.*--max-(message-)?bytes/)
    expect(stderr).not.toMatch(libraryWords)
    expect(code).toBe(1)
  })

  test('of options that do not go with a queue names these options', async () => {
    const [posix, shm] = [posixAddress(), shmAddress()]
    await ipckit(['send', posix, 'x', '--create'])
    const typed = await ipckit(['send', posix, 'x', '--type', '3'])
    expect(typed.stderr).toMatch(/^ipckit: --type is not possible/)
    await ipckit(['send', shm, 'x', '--create'])
    const high = await ipckit(['send', shm, 'x', '--priority', '99'])
    expect(high.stderr).toMatch(/^ipckit: Expected an integer from 0 to 9 for --priority, received 99/)
    const small = await ipckit(['send', shmAddress(), 'x', '--create', '--max-bytes', '10'])
    expect(small.stderr).toMatch(/^ipckit: Expected at least --max-message-bytes, 8192 for --max-bytes/)
    const other = await ipckit(['recv', shm, '--codec', 'json'])
    expect(other.stderr).toMatch(/leave --codec and --struct out/)
  })

  test.runIf(canBeNobody)('of a queue of another user does not speak of `access`', async () => {
    const address = posixAddress()
    await ipckit(['send', address, 'x', '--create'])
    const { code, stderr } = await ipckit(['recv', address], { through: asNobody })
    expect(stderr).toMatch(/EACCES\).*run this as its owner/)
    expect(stderr).not.toMatch(libraryWords)
    expect(code).toBe(5)
  })

  test.each([
    ['recv', ['foo']],
    ['send', ['foo', 'x']],
    ['stat', ['foo']],
    ['rm', ['foo']],
    ['recv', ['fifo:relative']],
    ['stat', ['sysv:private']],
    ['sem', ['wait', 'shm:/slots']],
    ['sem', ['get', 'foo']],
    ['codegen', ['id:i32', '--c', 'class']],
  ])('of an argument that is none to %s is what was expected: %s', async (name, args) => {
    const { code, stderr } = await ipckit([name, ...args])
    expect(stderr).toMatch(/^ipckit: Expected .*, received /)
    expect(stderr).not.toMatch(libraryWords)
    expect(stderr).not.toContain('memory:')
    expect(code).toBe(2)
  })

  test.runIf(canBeNobody)('of a System V queue of another user is to run it as that user', async () => {
    const address = sysvAddress()
    await ipckit(['send', address, 'x', '--create'])
    const { code, stderr } = await ipckit(['recv', address], { through: asNobody })
    expect(stderr).toMatch(/EACCES\).*run this as its owner/)
    expect(code).toBe(5)
  })

  test('of the fields of a value is left as it is', async () => {
    const address = posixAddress()
    const args = ['send', address, '{"type":"x"}', '--struct', 'type:i32', '--create']
    expect((await ipckit(args)).stderr).toContain('for `type`')
  })

  test.each(['send', 'recv', 'peek', 'tail'])('%s says why there is no --codec v8', async (name) => {
    const { code, stderr } = await ipckit([name, posixAddress(), '--codec', 'v8'])
    expect(stderr).toMatch(/trust each other.*not safe.*--codec raw/)
    expect(code).toBe(2)
  })
})

describe('the words', () => {
  const lib = fileURLToPath(new URL('../../lib', import.meta.url))
  const sources = readdirSync(lib, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('cli'))
    .map((file) => readFileSync(join(lib, file), 'utf8').replaceAll("\\'", "'"))

  test.each(phrases.map(([library]) => library))('"%s" are those of the library', (library) => {
    // Some have the noun in a variable.
    const said = library.replace(/^such [\w ]+;/, '')
    expect(sources.some((source) => source.includes(said))).toBe(true)
  })

  test('leave addresses and words that are no options as they are', () => {
    expect(inShellWords('posix:/maxMessageBytes and `participants`')).toBe(
      'posix:/maxMessageBytes and `participants`',
    )
  })
})
