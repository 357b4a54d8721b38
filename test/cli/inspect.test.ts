import { setTimeout as sleep } from 'node:timers/promises'
import { MessageQueue } from 'ipckit/posix'
import { describe, expect, onTestFinished, test } from 'vitest'
import { canMakeInLatin1, makeInLatin1 } from '../helpers/kernel.ts'
import { needs, works } from '../helpers/needs.ts'
import {
  asNobody,
  canBeNobody,
  canUnmount,
  depthOf,
  ipckit,
  kinds,
  lines,
  posixAddress,
  shell,
  start,
  sysvAddress,
  withoutMounting,
  withoutMqueue,
} from './command.ts'

const hasPython = needs('python3', works('python3', '--version'))
const isolated = ['unshare', '--ipc']
const canIsolate = needs('unshare(1), and the right to make IPC namespaces', works(...isolated, 'true'))

const listed = async (...args: string[]) => JSON.parse((await ipckit(['ls', '--json', ...args])).stdout)

describe('ls', () => {
  test('shows the queues of both kinds as a table', async () => {
    const [posix, sysv] = [posixAddress(), sysvAddress()]
    await ipckit(['send', posix, 'hello', '--create', '--capacity', '4', '--max-message-bytes', '100'])
    await ipckit(['send', sysv, 'hello', '--create'])
    const { code, stdout, stderr } = await ipckit(['ls'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [head = '', ...rows] = lines(stdout)
    expect(head).toMatch(/^ADDRESS +MESSAGES +BYTES +LIMIT +OWNER +MODE +SENT BY +TAKEN BY +NOTIFIES$/)
    expect(rows.find((row) => row.startsWith(posix))).toMatch(/ 1 +5 +4 x 100 +\S+ +0600 +- +- +-$/)
    const key = sysv.replace('0x', `0x${'0'.repeat(8 - (sysv.length - 'sysv:0x'.length))}`)
    expect(rows.find((row) => row.startsWith(key))).toMatch(/ 1 +5 +[\d,]+ +\S+ +0600 +\d+ +- +-$/)
  })

  test('shows them as JSON, with null for what is not known', async () => {
    const [posix, sysv] = [posixAddress(), sysvAddress()]
    await ipckit(['send', posix, 'hello', '--create', '--capacity', '4', '--max-message-bytes', '100'])
    await ipckit(['send', sysv, 'hello', '--create'])
    const all = await listed()
    expect(all.find(({ address }: { address: string }) => address === posix)).toEqual({
      ...{
        object: 'queue',
        address: posix,
        kind: 'posix',
        depth: 1,
        capacity: 4,
        bytes: 5,
        maxBytes: null,
        maxMessageBytes: 100,
      },
      ...{ owner: expect.any(String), uid: process.getuid?.(), gid: process.getgid?.(), mode: '0600' },
      ...{ lastSender: null, lastReceiver: null, notifyPid: 0 },
    })
    expect(all.find(({ kind }: { kind: string }) => kind === 'sysv')).toMatchObject({
      ...{ capacity: null, maxBytes: expect.any(Number), lastSender: expect.any(Number), notifyPid: null },
    })
  })

  test('shows one kind when asked to', async () => {
    await ipckit(['send', posixAddress(), 'x', '--create'])
    await ipckit(['send', sysvAddress(), 'x', '--create'])
    const kindsOf = (queues: { kind: string }[]) => [...new Set(queues.map(({ kind }) => kind))]
    expect(kindsOf(await listed('--posix'))).toEqual(['posix'])
    expect(kindsOf(await listed('--sysv'))).toEqual(['sysv'])
    expect(kindsOf(await listed('--posix', '--sysv')).sort()).toEqual(['posix', 'sysv'])
  })

  test('shows who asked for a notice', async () => {
    const address = posixAddress()
    const queue = MessageQueue.create(address.slice('posix:'.length))
    onTestFinished(() => queue.close())
    const notice = queue.notify()
    notice.catch(() => {})
    const entry = (await listed('--posix')).find((queue: { address: string }) => queue.address === address)
    expect(entry.notifyPid).toBe(process.pid)
  })

  test.runIf(canBeNobody)('shows a dash for what this user may not see', async () => {
    const posix = posixAddress()
    await ipckit(['send', posix, 'x', '--create'])
    const { code, stdout } = await ipckit(['ls'], { through: asNobody })
    expect(lines(stdout).find((row) => row.startsWith(posix))).toMatch(/ - +- +- +root +0600 +- +- +-$/)
    expect(code).toBe(0)
  })

  test.runIf(canUnmount)('lists the rest, and ends with 6, where POSIX queues cannot be listed', async () => {
    const sysv = sysvAddress()
    await ipckit(['send', sysv, 'x', '--create'])
    const { code, stdout, stderr } = await ipckit(['ls', '--json'], { through: withoutMqueue })
    expect(stderr).toMatch(
      /^ipckit: The POSIX queues are not listed: .*mount -t mqueue none \/dev\/mqueue\n$/,
    )
    expect(JSON.parse(stdout).map(({ kind }: { kind: string }) => kind)).toContain('sysv')
    expect(code).toBe(6)
  })

  test.runIf(canUnmount)('does not take the queues of another namespace for ours', async () => {
    const address = posixAddress()
    await ipckit(['send', address, 'x', '--create'])
    // The mount still shows the namespace that it was made in.
    const { code, stdout, stderr } = await ipckit(['ls', '--queue', '--posix'], {
      through: ['unshare', '--ipc', ...withoutMounting],
    })
    expect(stderr).toContain('another IPC namespace')
    expect({ code, stdout }).toEqual({ code: 6, stdout: '' })
  })

  test.runIf(canMakeInLatin1)(
    'shows a POSIX queue whose name is no UTF-8, and the doctor counts it',
    async () => {
      const address = `${posixAddress()}-caf\\xe9`
      const userBytes = async () => {
        const { checks } = JSON.parse((await ipckit(['doctor', '--json'])).stdout)
        return checks.find(({ name }: { name: string }) => name === 'RLIMIT_MSGQUEUE').used
      }
      const before = await userBytes()
      makeInLatin1(address.replace('posix:', '').replace('\\xe9', '\xe9'))
      const { code, stdout, stderr } = await ipckit(['ls', '--posix', '--queue'])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(lines(stdout).find((row) => row.startsWith(`${address} `))).toMatch(/ 0 +0 +10 x 8,192 /)
      expect((await listed()).find((each: { address: string }) => each.address === address)).toMatchObject({
        ...{ depth: 0, capacity: 10, maxMessageBytes: 8192, mode: '0600' },
      })
      expect((await userBytes()) - before).toBe(10 * (8192 + 96))
    },
  )

  test.runIf(canIsolate)('prints nothing, and an empty array, when there is nothing', async () => {
    const through = isolated
    expect(await ipckit(['ls', '--sysv'], { through })).toMatchObject({ code: 0, stdout: '', stderr: '' })
    expect(await ipckit(['ls', '--sysv', '--json'], { through })).toMatchObject({ code: 0, stdout: '[]\n' })
  })
})

describe('stat', () => {
  test('tells what is known of a POSIX queue', async () => {
    const address = posixAddress()
    await ipckit(['send', address, 'hello', '--create', '--capacity', '4', '--mode', '660'])
    const { code, stdout } = await ipckit(['stat', address, '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      address,
      depth: 1,
      capacity: 4,
      bytes: 5,
      mode: '0660',
      removed: false,
    })
    expect(lines((await ipckit(['stat', address])).stdout)).toContainEqual(
      expect.stringMatching(/^capacity +4$/),
    )
  })

  test('tells what is known of a System V queue', async () => {
    const address = sysvAddress()
    await ipckit(['send', address, 'hello', '--create'])
    const facts = JSON.parse((await ipckit(['stat', address, '--json'])).stdout)
    expect(facts).toMatchObject({ depth: 1, bytes: 5, lastReceiver: 0, lastReceiveTime: null, mode: '0600' })
    expect(Number(facts.key)).toBe(Number(address.slice('sysv:'.length)))
    expect(Date.now() - Date.parse(facts.lastSendTime)).toBeGreaterThanOrEqual(0)
    const text = (await ipckit(['stat', address])).stdout
    expect(lines(text)).toContainEqual(expect.stringMatching(/^max message bytes +[\d,]+$/))
    // What is not known has no line.
    expect(text).not.toContain('null')
  })

  test.runIf(canBeNobody)('looks at a queue that this user may only write to', async () => {
    const address = posixAddress()
    await ipckit(['send', address, 'x', '--create', '--mode', '622'])
    const { code, stdout } = await ipckit(['stat', address, '--json'], { through: asNobody })
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, depth: 1, bytes: null })
  })
})

describe.runIf(canBeNobody)('without permission', () => {
  test.each([
    ['POSIX', posixAddress, ['stat', 'recv', 'send', 'rm', 'tail']],
    // Who may not use a System V queue may look at it all the same.
    ['System V', sysvAddress, ['peek', 'recv', 'send', 'rm', 'tail']],
  ])('every command on a %s queue ends with 5', async (_, newAddress, names) => {
    const address = newAddress()
    await ipckit(['send', address, 'x', '--create'])
    for (const name of names) {
      const args = [name, address, ...(name === 'send' ? ['y'] : [])]
      const { code, stdout, stderr } = await ipckit(args, { through: asNobody })
      expect({ args, code, stdout }).toEqual({ args, code: 5, stdout: '' })
      expect(stderr).toMatch(/EACCES|EPERM/)
    }
    expect(await depthOf(address)).toBe(1)
  })
})

describe('peek', () => {
  test('shows System V messages, oldest first, and leaves them', async () => {
    const address = sysvAddress()
    await ipckit(['send', address, 'one', 'two', 'three', '--create', '--type', '7'])
    expect(await ipckit(['peek', address, '-n', '2'])).toMatchObject({ code: 0, stdout: 'one\ntwo\n' })
    const { stdout } = await ipckit(['peek', address, '--json'])
    expect(lines(stdout).map((line) => JSON.parse(line))).toEqual([
      { value: 'one', type: 7, bytes: 3, position: 0 },
      { value: 'two', type: 7, bytes: 3, position: 1 },
      { value: 'three', type: 7, bytes: 5, position: 2 },
    ])
    expect(await depthOf(address)).toBe(3)
  })

  test('with --priorities shows them in the order in which they are received', async () => {
    const address = sysvAddress()
    await ipckit(['send', address, 'low 1', 'low 2', '--priorities', '--create'])
    await ipckit(['send', address, 'high', '--priorities', '--priority', '9'])
    expect((await ipckit(['peek', address])).stdout).toBe('low 1\nlow 2\nhigh\n')
    const { code, stdout } = await ipckit(['peek', address, '--priorities', '-n', '2', '--json'])
    expect(lines(stdout).map((line) => JSON.parse(line))).toEqual([
      { value: 'high', type: 32_759, priority: 9, bytes: 4, position: 0 },
      { value: 'low 1', type: 32_768, priority: 0, bytes: 5, position: 1 },
    ])
    expect({ code, depth: await depthOf(address) }).toEqual({ code: 0, depth: 3 })
  })

  test('ends with 6 when a message cannot be decoded, and shows it', async () => {
    const address = sysvAddress()
    await ipckit(['send', address, 'abc', '--create'])
    const { code, stderr } = await ipckit(['peek', address, '--struct', 'id:i32'])
    expect(stderr).toContain('<hex 616263>')
    expect({ code, depth: await depthOf(address) }).toEqual({ code: 6, depth: 1 })
  })

  test('ends with 3 when there is nothing', async () => {
    const address = sysvAddress()
    await ipckit(['send', address, 'x', '--create'])
    await ipckit(['recv', address])
    expect(await ipckit(['peek', address])).toMatchObject({ code: 3, stdout: '' })
  })

  test('refuses POSIX queues with ERR_IPC_UNSUPPORTED', async () => {
    const address = posixAddress()
    await ipckit(['send', address, 'x', '--create'])
    const { code, stdout, stderr } = await ipckit(['peek', address])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('ERR_IPC_UNSUPPORTED')
  })
})

describe('tail', () => {
  test('follows System V messages and takes none', async () => {
    const address = sysvAddress()
    await ipckit(['send', address, 'old 1', 'old 2', 'old 3', '--create'])
    const tail = start(['tail', address, '-n', '2', '--interval', '10'])
    await tail.says(/old 3/)
    await ipckit(['send', address, 'new 1'])
    await tail.says(/new 1/)
    // What others take meanwhile is not told again.
    await ipckit(['recv', address, '-n', '2'])
    await ipckit(['send', address, 'new 2', '--type', '9'])
    await tail.says(/new 2/)
    tail.child.kill('SIGINT')
    expect(await tail.ended).toMatchObject({ code: 130, stdout: 'old 2\nold 3\nnew 1\nnew 2\n', stderr: '' })
    expect(await depthOf(address)).toBe(3)
  })

  test('tells types and depth as JSON', async () => {
    const address = sysvAddress()
    await ipckit(['send', address, 'x', '--type', '4', '--create'])
    const tail = start(['tail', address, '--json', '--interval', '10'])
    await tail.says(/\n/)
    tail.child.kill('SIGINT')
    const { stdout } = await tail.ended
    expect(JSON.parse(stdout)).toEqual({ value: 'x', type: 4, bytes: 1, depth: 1 })
  })

  test('--priorities tells the priority of what comes, and --take receives the highest first', async () => {
    const address = sysvAddress()
    await ipckit(['send', address, 'low', '--priorities', '--create'])
    const watcher = start(['tail', address, '--priorities', '--json', '--interval', '10'])
    await watcher.says(/low/)
    await ipckit(['send', address, 'high', '--priorities', '--priority', '9'])
    await watcher.says(/high/)
    watcher.child.kill('SIGINT')
    expect(lines((await watcher.ended).stdout).map((line) => JSON.parse(line))).toEqual([
      { value: 'low', type: 32_768, priority: 0, bytes: 3, depth: 1 },
      { value: 'high', type: 32_759, priority: 9, bytes: 4, depth: 2 },
    ])
    const taker = start(['tail', address, '--priorities', '--take'])
    await taker.says(/low/)
    taker.child.kill('SIGINT')
    expect(await taker.ended).toMatchObject({ code: 130, stdout: 'high\nlow\n', stderr: '' })
  })

  test('follows the depth of POSIX queues, and says that it cannot do more', async () => {
    const address = posixAddress()
    await ipckit(['send', address, 'x', '--create', '--capacity', '5'])
    const tail = start(['tail', address, '--interval', '10'])
    await tail.says(/ 1 of 5\n/)
    await ipckit(['send', address, 'y', 'z'])
    await tail.says(/ 3 of 5 /)
    await ipckit(['recv', address])
    await tail.says(/ 2 of 5 {2}-1\n/)
    tail.child.kill('SIGINT')
    const { code, stderr } = await tail.ended
    expect(stderr).toMatch(/cannot be peeked into: following its depth/)
    expect({ code, depth: await depthOf(address) }).toEqual({ code: 130, depth: 2 })
  })

  test.each(kinds)('--depth follows the depth of a %s queue as JSON', async (_, newAddress) => {
    const address = newAddress()
    await ipckit(['send', address, 'x', '--create'])
    const tail = start(['tail', address, '--depth', '--json', '--interval', '10'])
    await tail.says(/"depth":1/)
    await ipckit(['recv', address])
    await tail.says(/"depth":0/)
    tail.child.kill('SIGTERM')
    const { code, stdout, stderr } = await tail.ended
    expect(lines(stdout).map((line) => JSON.parse(line))).toMatchObject([
      { depth: 1, change: 0, time: expect.any(String) },
      { depth: 0, change: -1 },
    ])
    expect({ code, stderr }).toEqual({ code: 143, stderr: '' })
  })

  test.each(kinds)('--take receives the messages of a %s queue', async (_, newAddress) => {
    const address = newAddress()
    await ipckit(['send', address, 'one', '--create'])
    const tail = start(['tail', address, '--take'])
    await tail.says(/one/)
    await ipckit(['send', address, 'two'])
    await tail.says(/two/)
    tail.child.kill('SIGINT')
    expect(await tail.ended).toMatchObject({ code: 130, stdout: 'one\ntwo\n', stderr: '' })
    expect(await depthOf(address)).toBe(0)
  })

  test.each(kinds)('ends with 4 when the %s queue is removed', async (_, newAddress) => {
    const address = newAddress()
    await ipckit(['send', address, 'x', '--create'])
    const tail = start(['tail', address, '--interval', '10'])
    await tail.says(/x|1 of/)
    await ipckit(['rm', address])
    const { code, stderr } = await tail.ended
    expect(stderr).toContain('removed')
    expect(code).toBe(4)
  })
})

describe('rm', () => {
  test.each(kinds)('removes %s queues and prints what it removed', async (_, newAddress) => {
    const addresses = [newAddress(), newAddress()]
    for (const address of addresses) await ipckit(['send', address, 'x', '--create'])
    const { code, stdout } = await ipckit(['rm', ...addresses])
    expect({ code, count: lines(stdout).length }).toEqual({ code: 0, count: 2 })
    for (const address of addresses) expect(await ipckit(['stat', address])).toMatchObject({ code: 4 })
  })

  test.each(kinds)(
    'removes the others when one %s queue is not there; -f does not mind',
    async (_, newAddress) => {
      const [missing, there] = [newAddress(), newAddress()]
      await ipckit(['send', there, 'x', '--create'])
      const { code, stdout, stderr } = await ipckit(['rm', missing, there])
      expect({ code, removed: lines(stdout).length }).toEqual({ code: 4, removed: 1 })
      expect(stderr).toContain('ENOENT')
      expect(await ipckit(['rm', '-f', missing])).toMatchObject({ code: 0, stdout: '', stderr: '' })
    },
  )

  test('knows no wildcards, and removes a queue that is called like one', async () => {
    const address = `${posixAddress()}*`
    onTestFinished(async () => void (await ipckit(['rm', '-f', address])))
    for (const force of [[], ['-f']]) {
      const { code, stderr } = await ipckit(['rm', address, ...force])
      expect(stderr).toContain('no wildcards')
      expect(code).toBe(2)
    }
    await ipckit(['send', address, 'x', '--create'])
    expect(await ipckit(['rm', address])).toMatchObject({ code: 0, stdout: `${address}\n` })
  })
})

describe('codegen', () => {
  const struct = 'id:i32,px:f64,sym:char[8]'

  test('prints the header of C', async () => {
    const { code, stdout } = await ipckit(['codegen', struct, '--c', 'tick'])
    expect(stdout).toContain('typedef struct tick {\n  int32_t id;\n  double px;\n  char sym[8];\n} tick;')
    expect(code).toBe(0)
  })

  test.runIf(hasPython)('prints the class that Python reads a message with', async () => {
    const address = posixAddress()
    await ipckit(['send', address, '{"id":7,"px":1.5,"sym":"ACME"}', '--struct', struct, '--create'])
    const script = `import sys; tick = Tick.from_buffer_copy(sys.stdin.buffer.read()); print(tick.id, tick.px, tick.sym)`
    const { stdout } = await shell(
      `ipckit recv ${address} --codec raw | python3 -c "$(ipckit codegen '${struct}' --python Tick; echo '${script}')"`,
    )
    expect(stdout).toBe("7 1.5 b'ACME'\n")
  })
})

test('many looks at a busy System V queue tell each message once', async () => {
  const address = sysvAddress()
  await ipckit(['send', address, 'begin', '--create'])
  const tail = start(['tail', address, '--interval', '5'])
  await tail.says(/begin/)
  const numbers = Array.from({ length: 300 }, (_, at) => `n${at}`)
  const sender = ipckit(['send', address, '--lines'], { input: `${numbers.join('\n')}\n` })
  await tail.says(/n299\n/)
  await sender
  // They leave from the front while it looks.
  const receiver = ipckit(['recv', address, '-n', '301'])
  await receiver
  await ipckit(['send', address, 'end'])
  await tail.says(/end/)
  await sleep(20)
  tail.child.kill('SIGINT')
  expect(lines((await tail.ended).stdout)).toEqual(['begin', ...numbers, 'end'])
})
