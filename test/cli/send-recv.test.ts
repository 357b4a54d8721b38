import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { depthOf, ipckit, kinds, lines, posixAddress, shell, start, sysvAddress } from './command.ts'

function fileWith(content: string | Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), 'ipckit-cli-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'input'), content)
  return join(folder, 'input')
}

describe.each(kinds)('send and recv on a %s queue', (_, newAddress) => {
  test('carry texts, one message each, one line each', async () => {
    const address = newAddress()
    expect(await ipckit(['send', address, 'grüezi', '', 'two words', '--create'])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: '',
    })
    expect(await ipckit(['recv', address, '-n', '3'])).toMatchObject({
      code: 0,
      stdout: 'grüezi\n\ntwo words\n',
      stderr: '',
    })
  })

  test('need --create to make a queue', async () => {
    const address = newAddress()
    expect(await ipckit(['send', address, 'x'])).toMatchObject({ code: 4 })
    expect(await ipckit(['send', address, 'x', '--create', '--mode', '640'])).toMatchObject({ code: 0 })
    const { stdout } = await ipckit(['stat', address, '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ mode: '0640', depth: 1 })
  })

  test('send a whole file, whole standard input, or the lines of either', async () => {
    const address = newAddress()
    const file = fileWith('one\ntwo\n')
    await ipckit(['send', address, '--file', file, '--create'])
    await ipckit(['send', address, '-'], { input: 'three\n' })
    await ipckit(['send', address, '--file', file, '--lines'])
    // The last line may lack its newline, and an empty line is a message.
    await ipckit(['send', address, '--lines'], { input: 'four\n\nfive' })
    const { stdout } = await ipckit(['recv', address, '--all', '--json'])
    const values = lines(stdout).map((line) => JSON.parse(line).value)
    expect(values).toEqual(['one\ntwo\n', 'three\n', 'one', 'two', 'four', '', 'five'])
  })

  test('send lines as they arrive', async () => {
    const address = newAddress()
    const sender = start(['send', address, '-', '--lines', '--create', '--json'])
    sender.child.stdin.write('first\nsec')
    const receiver = await shell(`until ipckit recv ${address} 2> /dev/null; do sleep 0.05; done`)
    expect(receiver.stdout).toBe('first\n')
    sender.child.stdin.end('ond\n')
    const { code, stdout } = await sender.ended
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, sent: 2 })
    expect((await ipckit(['recv', address])).stdout).toBe('second\n')
  })

  test('carry bytes as they are with --codec raw', async () => {
    const address = newAddress()
    const bytes = Buffer.from([0, 255, 10, 13, 0x80, 65])
    await ipckit(['send', address, '-', '--codec', 'raw', '--create'], { input: bytes })
    await ipckit(['send', address, '--file', fileWith(bytes), '--codec', 'raw'])
    const { code, stdout } = await shell(`ipckit recv ${address} -n 2 --codec raw | od -An -tx1 -v`)
    expect(stdout.trim()).toBe('00 ff 0a 0d 80 41 00 ff 0a 0d 80 41')
    expect(code).toBe(0)
  })

  test('show what is no text as hex, and lose none of it', async () => {
    const address = newAddress()
    await ipckit(['send', address, '-', '--codec', 'raw', '--create'], { input: Buffer.from([0, 255]) })
    await ipckit(['send', address, '-', '--codec', 'raw'], { input: Buffer.from([0, 255]) })
    expect(await ipckit(['recv', address])).toMatchObject({ code: 0, stdout: '<hex 00ff>\n', stderr: '' })
    const { stdout } = await ipckit(['recv', address, '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ value: null, bytes: 2, hex: '00ff' })
  })

  test('refuse to send bytes as text', async () => {
    const address = newAddress()
    const { code, stderr } = await ipckit(['send', address, '-', '--create'], { input: Buffer.from([255]) })
    expect({ code, depth: await depthOf(address) }).toEqual({ code: 2, depth: 0 })
    expect(stderr).toContain('--codec raw')
  })

  test('carry JSON as it was written, and show it on one line without rounding', async () => {
    const address = newAddress()
    const source = '{ "big": 9007199254740993,\n  "text": "a  b", "list": [1, 2.50] }'
    await ipckit(['send', address, source, source, '--codec', 'json', '--create'])
    const value = '{"big":9007199254740993,"text":"a  b","list":[1,2.50]}'
    expect((await ipckit(['recv', address, '--codec', 'json'])).stdout).toBe(`${value}\n`)
    const { stdout } = await ipckit(['recv', address, '--codec', 'json', '--json'])
    expect(stdout.startsWith(`{"value":${value},`)).toBe(true)
    expect(JSON.parse(stdout).bytes).toBe(source.length)
  })

  test.each(['msgpack', 'cbor'])('carry values as %s', async (codec) => {
    const address = newAddress()
    const value = '{"id":7,"name":"é","list":[1,2.5,null,true]}'
    await ipckit(['send', address, value, '--codec', codec, '--create'])
    expect(await ipckit(['recv', address, '--codec', codec])).toMatchObject({ code: 0, stdout: `${value}\n` })
  })

  test('carry the structs of C, 64-bit numbers, bytes and NaN included', async () => {
    const address = newAddress()
    const struct = 'id:i32,px:f64,sym:char[8],seq:u64,digest:u8[3],pos:{x:f32,y:f32}[2],small:i64'
    const values = [
      '{"id":7,"px":101.25,"sym":"ACME","seq":"18446744073709551615","digest":"00ff10","pos":[{"x":1,"y":2},{"x":3,"y":4}],"small":-5}',
      '{"id":-1,"px":"NaN","sym":"","seq":9,"digest":[1,2,3],"pos":[{"x":"-Infinity","y":0},{"x":0,"y":0}],"small":"6"}',
    ]
    const sent = await ipckit(['send', address, ...values, '--struct', struct, '--create'])
    expect(sent).toMatchObject({ code: 0, stderr: '' })
    const { code, stdout } = await ipckit(['recv', address, '-n', '2', '--struct', struct])
    expect(code).toBe(0)
    expect(lines(stdout)).toEqual([
      values[0],
      values[1]?.replace('[1,2,3]', '"010203"').replace('"small":"6"', '"small":6'),
    ])
  })

  test('lay structs out as C does', async () => {
    const address = newAddress()
    await ipckit([
      'send',
      address,
      '{"id":7,"px":1.5,"sym":"AB"}',
      '--struct',
      'id:i32,px:f64,sym:char[4]',
      '--create',
    ])
    const { stdout } = await shell(`ipckit recv ${address} --codec raw | od -An -tx1 -v | tr -d ' \\n'`)
    expect(stdout).toBe('0700000000000000000000000000f83f4142000000000000')
  })

  test.each([
    ['JSON that is none', ['{id:7}', '--codec', 'json'], /Expected a JSON value/],
    ['a value that is no struct', ['{"id":"seven"}', '--struct', 'id:i32'], /`value\.id`|`id`/],
    ['a number that JSON rounds', ['{"id":9007199254740993}', '--struct', 'id:i64'], /"9007199254740993"/],
  ])('refuse %s with exit code 2, and send nothing', async (_what, args, sentence) => {
    const address = newAddress()
    await ipckit(['send', address, 'x', '--create'])
    const { code, stderr } = await ipckit(['send', address, ...args])
    expect(stderr).toMatch(sentence)
    expect({ code, depth: await depthOf(address) }).toEqual({ code: 2, depth: 1 })
  })

  test('show a message that cannot be decoded as hex on stderr, go on, and end with 6', async () => {
    const address = newAddress()
    await ipckit(['send', address, 'oops', '{"id":1}', '--create'])
    const { code, stdout, stderr } = await ipckit(['recv', address, '-n', '2', '--codec', 'json'])
    expect(stdout).toBe('{"id":1}\n')
    expect(stderr).toMatch(/^ipckit: Cannot decode a message of 4 bytes .*<hex 6f6f7073>\n$/)
    expect(code).toBe(6)
  })

  test('tell programs of it in the JSON too', async () => {
    const address = newAddress()
    await ipckit(['send', address, 'abc', '--create'])
    const { code, stdout } = await ipckit(['recv', address, '--struct', 'id:i32', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({
      value: null,
      bytes: 3,
      hex: '616263',
      error: expect.any(String),
    })
    expect(code).toBe(6)
  })

  test('give up with exit code 3 when the time is up', async () => {
    const address = newAddress()
    await ipckit(['send', address, 'only', '--create'])
    const { code, stdout, stderr } = await ipckit(['recv', address, '-n', '2', '--timeout', '50'])
    expect({ code, stdout }).toEqual({ code: 3, stdout: 'only\n' })
    expect(stderr).toContain('ERR_IPC_TIMEOUT')
  })

  test('take all that there is, be it nothing', async () => {
    const address = newAddress()
    await ipckit(['send', address, 'a', 'b', '--create'])
    expect(await ipckit(['recv', address, '--all'])).toMatchObject({ code: 0, stdout: 'a\nb\n', stderr: '' })
    expect(await ipckit(['recv', address, '--all'])).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })

  test('wait for a message that comes later', async () => {
    const address = newAddress()
    await ipckit(['send', address, 'first', '--create'])
    const receiver = start(['recv', address, '-n', '2'])
    await receiver.says(/first/)
    await ipckit(['send', address, 'later'])
    expect(await receiver.ended).toMatchObject({ code: 0, stdout: 'first\nlater\n' })
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('end a wait on %s with %i, and take nothing then', async (signal, expected) => {
    const address = newAddress()
    await ipckit(['send', address, 'first', '--create'])
    const receiver = start(['recv', address, '-n', '2'])
    await receiver.says(/first/)
    receiver.child.kill(signal)
    expect(await receiver.ended).toMatchObject({ code: expected, signal: null, stderr: '' })
    await ipckit(['send', address, 'kept'])
    expect(await depthOf(address)).toBe(1)
  })

  test('obey a signal while message follows message', async () => {
    const address = newAddress()
    await ipckit(['send', address, 'x', '--create'])
    const sender = start(['send', address, '-', '--lines'])
    const flood = setInterval(() => sender.child.stdin.write('x\n'.repeat(100)), 1)
    const receiver = start(['tail', address, '--take'])
    await receiver.says(/x\nx\nx\n/)
    receiver.child.kill('SIGINT')
    expect(await receiver.ended).toMatchObject({ code: 130, stderr: '' })
    clearInterval(flood)
  })

  test('end with 4 when the queue is removed', async () => {
    const address = newAddress()
    await ipckit(['send', address, 'first', '--create'])
    const receiver = start(['recv', address, '-n', '2'])
    await receiver.says(/first/)
    await ipckit(['rm', address])
    expect(await receiver.ended).toMatchObject({ code: 4, stderr: expect.stringContaining('removed') })
  })

  test('say how many were sent when a file cannot be sent to its end', async () => {
    const address = newAddress()
    const { code, stderr } = await ipckit(['send', address, '--lines', '--codec', 'json', '--create'], {
      input: '1\n2\nthree\n4\n',
    })
    expect(lines(stderr)).toEqual([
      'ipckit: 2 messages were sent before this:',
      expect.stringContaining('Expected a JSON value, received "three"'),
    ])
    expect({ code, depth: await depthOf(address) }).toEqual({ code: 2, depth: 2 })
  })

  test('fail with 1 when there is no such file', async () => {
    const address = newAddress()
    const { code, stderr } = await ipckit(['send', address, '--file', '/no/such/file', '--create'])
    expect(stderr).toMatch(/^ipckit: ENOENT.*\/no\/such\/file/)
    expect(code).toBe(1)
  })

  test('fail with 1 and name the limit when a message is too large', async () => {
    const address = newAddress()
    const { code, stderr } = await ipckit(['send', address, '-', '--create'], { input: 'x'.repeat(100_000) })
    expect(stderr).toMatch(/EMSGSIZE.*100000 bytes/)
    expect(code).toBe(1)
  })
})

describe('on a POSIX queue', () => {
  test('the highest priority comes first, and is in the JSON', async () => {
    const address = posixAddress()
    await ipckit(['send', address, 'low', '--create', '--capacity', '3', '--max-message-bytes', '10'])
    await ipckit(['send', address, 'high', '--priority', '9'])
    const { stdout } = await ipckit(['recv', address, '-n', '2', '--json'])
    expect(lines(stdout).map((line) => JSON.parse(line))).toEqual([
      { value: 'high', priority: 9, bytes: 4 },
      { value: 'low', priority: 0, bytes: 3 },
    ])
  })

  test('send waits for room no longer than --timeout', async () => {
    const address = posixAddress()
    await ipckit(['send', address, 'full', '--create', '--capacity', '1'])
    const { code, stderr } = await ipckit(['send', address, 'more', '--timeout', '50'])
    expect(stderr).toContain('ERR_IPC_TIMEOUT')
    expect({ code, depth: await depthOf(address) }).toEqual({ code: 3, depth: 1 })
  })

  test.each([
    ['send', 'x'],
    ['recv', undefined],
  ])('%s refuses types with ERR_IPC_UNSUPPORTED', async (name, value) => {
    const address = posixAddress()
    await ipckit(['send', address, 'x', '--create'])
    const { code, stderr } = await ipckit([name, address, ...(value ? [value] : []), '--type', '3'])
    expect(stderr).toContain('ERR_IPC_UNSUPPORTED')
    expect({ code, depth: await depthOf(address) }).toEqual({ code: 1, depth: 1 })
  })
})

test.each(['send', 'recv', 'peek', 'tail'])('%s refuses --priorities on other queues', async (name) => {
  const address = posixAddress()
  await ipckit(['send', address, 'x', '--create'])
  const { code, stderr } = await ipckit([name, address, ...(name === 'send' ? ['y'] : []), '--priorities'])
  expect(stderr).toMatch(/--priorities with a sysv: address/)
  expect({ code, depth: await depthOf(address) }).toEqual({ code: 2, depth: 1 })
})

describe('on a System V queue', () => {
  test('messages are chosen by type, which is in the JSON', async () => {
    const address = sysvAddress()
    await ipckit(['send', address, 'five', '--type', '5', '--create', '--max-bytes', '1000'])
    for (const type of ['3', '4', '9']) await ipckit(['send', address, `of ${type}`, '--type', type])
    const take = async (...args: string[]) =>
      (await ipckit(['recv', address, ...args, '--timeout', '0'])).stdout
    expect(await take('--max-type', '4')).toBe('of 3\n')
    expect(await take('--type', '9', '--json')).toBe('{"value":"of 9","type":9,"bytes":4}\n')
    expect(await take('--except', '5')).toBe('of 4\n')
    expect(await take('--except', '5')).toBe('')
    expect(await take()).toBe('five\n')
  })

  test('the address may be an id, or the file that its key is made of', async () => {
    const address = `sysv:${import.meta.filename}?proj=7`
    await ipckit(['send', address, 'by file', '--create'])
    onTestFinished(async () => void (await ipckit(['rm', '-f', address])))
    const { id, key } = JSON.parse((await ipckit(['stat', address, '--json'])).stdout)
    expect((await ipckit(['peek', `sysv:${key}`])).stdout).toBe('by file\n')
    expect((await ipckit(['recv', `sysv:id=${id}`])).stdout).toBe('by file\n')
  })

  test('--priorities makes priorities of types, as programs that open it so have them', async () => {
    const address = sysvAddress()
    const send = (...args: string[]) => ipckit(['send', address, ...args, '--priorities'])
    expect(await send('low', '--create')).toMatchObject({ code: 0, stderr: '' })
    await send('high', '--priority', '9')
    await send('middle', '--priority', '3')
    // As a C program sends it, and one that knows nothing of priorities.
    await ipckit(['send', address, 'C', '--type', '32761'])
    await ipckit(['send', address, 'foreign', '--type', '40000'])
    const { stdout } = await ipckit(['recv', address, '--priorities', '-n', '2', '--json'])
    expect(lines(stdout).map((line) => JSON.parse(line))).toEqual([
      { value: 'high', type: 32_759, priority: 9, bytes: 4 },
      { value: 'C', type: 32_761, priority: 7, bytes: 1 },
    ])
    expect(await ipckit(['recv', address, '--priorities', '--all'])).toMatchObject({
      code: 0,
      stdout: 'middle\nlow\nforeign\n',
    })
  })

  test('--priority without --priorities is refused with exit code 2, and nothing is made', async () => {
    const address = sysvAddress()
    const { code, stderr } = await ipckit(['send', address, 'x', '--priority', '3', '--create'])
    expect(stderr).toMatch(/--priorities.*--type/)
    expect(code).toBe(2)
    expect(await ipckit(['stat', address])).toMatchObject({ code: 4 })
  })

  test.each([
    ['send', 'x', '--type', '3'],
    ['recv', '--type', '3'],
    ['recv', '--max-type', '3'],
    ['tail', '--take', '--except', '3'],
  ])('%s refuses --priorities together with types: %s %s', async (name, ...args) => {
    const { code, stderr } = await ipckit([name, sysvAddress(), ...args, '--priorities'])
    expect(stderr).toContain("'--priorities' cannot be used with option")
    expect(code).toBe(2)
  })

  test('a private queue is told on stderr, since only its id leads to it', async () => {
    const { code, stderr } = await ipckit(['send', 'sysv:private', 'secret', '--create'])
    const address = /^ipckit: Made (sysv:id=\d+)\n$/.exec(stderr)?.[1] as string
    onTestFinished(async () => void (await ipckit(['rm', '-f', address])))
    expect({ code, stdout: (await ipckit(['recv', address])).stdout }).toEqual({
      code: 0,
      stdout: 'secret\n',
    })
  })
})
