import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { needs, works } from '../helpers/needs.ts'
import { command, depthOf, ipckit, lines, posixAddress, shell, sysvAddress } from './command.ts'

const hasFull = needs('/dev/full', works('test', '-c', '/dev/full'))
const hasScript = needs('script', works('script', '--version'))
const names = ['ls', 'stat', 'send', 'recv', 'peek', 'tail', 'rm', 'codegen', 'doctor', 'sem']

describe('the command', () => {
  test('tells its version', async () => {
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(await ipckit(['--version'])).toMatchObject({
      code: 0,
      stdout: `${manifest.version}\n`,
      stderr: '',
    })
  })

  test('lists its subcommands, examples and exit codes in --help', async () => {
    const { code, stdout } = await ipckit(['--help'])
    expect(code).toBe(0)
    for (const name of names) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
    expect(stdout).toContain('Examples:')
    expect(stdout).toContain('Exit codes:')
  })

  test.each(names)('%s --help has examples', async (name) => {
    const { code, stdout } = await ipckit([name, '--help'])
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`Usage: ipckit ${name} `))
    expect(stdout).toMatch(/Examples:\n {2}# .+\n {2}\$ ipckit|Examples:\n {2}# .+\n {2}\$ .*ipckit /)
  })

  test('--help tells how every address looks', async () => {
    const { stdout } = await ipckit(['--help'])
    for (const address of ['posix:/name', 'sysv:0x1234', 'shm:/name', 'fifo:/'])
      expect(stdout).toContain(address)
    for (const option of ['--semaphore', '--memory']) expect(stdout).toContain(option)
  })

  test('help NAME is NAME --help', async () => {
    const [one, other] = await Promise.all([ipckit(['help', 'recv']), ipckit(['recv', '--help'])])
    expect(one).toMatchObject({ code: 0, stdout: other.stdout })
  })

  test.each([
    [[]],
    [['fly']],
    [['ls', '--fly']],
    [['recv']],
    [['recv', 'jobs']],
    [['recv', 'posix:jobs']],
    [['recv', 'sysv:nine']],
    [['recv', 'memory:jobs']],
    [['send', 'memory:jobs', 'x']],
    [['recv', 'posix:/jobs', '-n', '0']],
    [['recv', 'posix:/jobs', '-n', 'two']],
    [['recv', 'posix:/jobs', '--timeout', '-1']],
    [['recv', 'posix:/jobs', '--codec', 'xml']],
    [['recv', 'posix:/jobs', '--struct', 'id:fancy']],
    [['recv', 'posix:/jobs', '--struct', 'id:i32', '--codec', 'json']],
    [['recv', 'posix:/jobs', '--all', '--timeout', '5']],
    [['recv', 'sysv:5', '--type', '1', '--except', '2']],
    [['send', 'posix:/jobs']],
    [['send', 'posix:/jobs', 'a', '--lines']],
    [['send', 'posix:/jobs', 'a', '--file', 'b']],
    [['send', 'posix:/jobs', 'a', '-']],
    [['send', 'posix:/jobs', 'a', '--priority', '32768']],
    [['send', 'sysv:5', 'a', '--priority', '1', '--type', '2']],
    [['send', 'posix:/jobs', 'a', '--mode', '999', '--create']],
    [['send', 'posix:/jobs', 'a', '--capacity', '5']],
    [['send', 'posix:/jobs', 'a', '--create', '--max-bytes', '5']],
    [['send', 'sysv:5', 'a', '--create', '--capacity', '5']],
    [['send', 'sysv:id=5', 'a', '--create']],
    [['tail', 'sysv:5', '--type', '1']],
    [['tail', 'sysv:5', '--take', '--depth']],
    [['recv', 'shm:jobs']],
    [['rm', 'shm:jobs']],
    [['stat', 'shm:/jobs', '--memory']],
    [['stat', 'fifo:/jobs', '--semaphore']],
    [['rm', 'posix:/jobs', '--memory', '--semaphore']],
    [['stat', 'sysv:private', '--memory']],
    [['stat', 'fifo:jobs']],
    [['recv', 'posix:/jobs', '--any-type']],
    [['send', 'sysv:5', 'x', '--any-owner']],
    [['peek', 'sysv:5', '--any-type']],
    [['tail', 'fifo:/jobs', '--any-owner']],
    [['peek', 'shm:/jobs', '-n', '2']],
    [['send', 'shm:/jobs', 'x', '--capacity', '5']],
    [['send', 'fifo:/jobs', 'x', '--create', '--capacity', '5']],
    [['codegen', 'id:i32']],
    [['codegen', 'id:i32', '--c', 'a', '--python', 'b']],
    [['codegen', 'id:', '--c', 'a']],
    [['codegen', 'id:i32', '--c', 'int']],
    [['rm']],
    [['doctor', 'jobs']],
  ])('%j is a wrong use: exit code 2, a sentence and nothing else', async (args) => {
    const { code, stdout, stderr } = await ipckit(args)
    expect(stdout).toBe('')
    expect(stderr).not.toMatch(/^ {4}at /m)
    expect(stderr.length).toBeGreaterThan(20)
    expect(code).toBe(2)
  })

  test.each(['stat', 'recv', 'peek', 'tail', 'rm'])(
    '%s of a queue that is not there ends with 4 and one sentence',
    async (name) => {
      for (const address of [posixAddress(), sysvAddress()]) {
        const { code, stdout, stderr } = await ipckit([name, address])
        expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
        expect(lines(stderr)).toEqual([expect.stringMatching(/^ipckit: Cannot .+ENOENT/)])
      }
    },
  )

  test('shows the stack of an error when IPCKIT_DEBUG is 1', async () => {
    const { code, stderr } = await ipckit(['stat', posixAddress()], { env: { IPCKIT_DEBUG: '1' } })
    expect(code).toBe(4)
    expect(stderr).toMatch(/^ {4}at /m)
  })
})

describe('output', () => {
  test('may go to a pipe whose reader leaves', async () => {
    const { code, stdout, stderr } = await shell(
      'set -o pipefail; ipckit --help | head -1; ipckit doctor | head -1',
    )
    expect(lines(stdout)).toEqual(['Usage: ipckit [options] [command]', 'This process'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  test('to a pipe that nobody reads shows the message that was taken on stderr, and takes no more', async () => {
    const address = posixAddress()
    await ipckit(['send', address, 'one', 'two', '--create'])
    // The reader has ended before the command starts.
    const { stdout, stderr } = await shell(
      `exec 3> >(true); wait $!; ipckit recv ${address} -n 2 >&3; echo "code $?" >&2`,
    )
    expect(stdout).toBe('')
    expect(stderr).toContain('<hex 6f6e65>')
    expect(lines(stderr).at(-1)).toBe('code 1')
    expect(await depthOf(address)).toBe(1)
  })

  test.runIf(hasFull)('to a full disk shows the message that was taken on stderr, and fails', async () => {
    const address = posixAddress()
    await ipckit(['send', address, 'one', 'two', '--create'])
    const { code, stderr } = await shell(`ipckit recv ${address} -n 2 > /dev/full`)
    expect(stderr).toContain('ENOSPC')
    expect(stderr).toContain('<hex 6f6e65>')
    expect(code).toBe(1)
    expect(await depthOf(address)).toBe(1)
  })

  const onTerminal = (line: string, variables: string) =>
    shell(`${variables} script --quiet --return --command "${line}" /dev/null < /dev/null`)

  test.runIf(hasScript)('has colours on a terminal, unless NO_COLOR says no', async () => {
    const colour = '\u001b['
    const line = `${command} doctor`
    expect((await onTerminal(line, 'env -u NO_COLOR TERM=xterm')).stdout).toContain(colour)
    expect((await onTerminal(line, 'env NO_COLOR=1 TERM=xterm')).stdout).not.toContain(colour)
    expect((await shell('FORCE_COLOR=1 CI=1 ipckit doctor')).stdout).not.toContain(colour)
  })

  test.runIf(hasScript)('never sends control characters to a terminal', async () => {
    const address = posixAddress()
    const text = 'a\u001b[2Jb\nc'
    await ipckit(['send', address, text, text, '--create'])
    const { stdout } = await onTerminal(`${command} recv ${address}`, '')
    expect(stdout).toBe('a\\x1b[2Jb\\nc\r\n')
    // A pipe gets what was sent.
    expect((await ipckit(['recv', address])).stdout).toBe(`${text}\n`)
  })
})
