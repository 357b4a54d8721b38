/** The command with queues in shared memory: they know their type, who has them open, and when they were shut down. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { type Codec, i32, json, Queue, type SharedQueue, struct, text } from 'ipckit'
import { unlink } from 'ipckit/shm'
import { describe, expect, onTestFinished, test } from 'vitest'
import { newName } from '../helpers/names.ts'
import { asNobody, canBeNobody, depthOf, ipckit, lines, start } from './command.ts'

/** An address that nobody has yet; what gets it is removed when the test ends. */
function newAddress(): `shm:${string}` {
  const name = newName()
  onTestFinished(() => {
    if (existsSync(`/dev/shm/ipckit.${name.slice(1)}`)) unlink(name)
  })
  return `shm:${name}`
}

/** A queue that this process has open. */
async function make<T>(codec: Codec<T>, options: object = {}): Promise<SharedQueue<T>> {
  const queue = await Queue.create(newAddress(), { codec, ...options })
  onTestFinished(() => queue.close())
  return queue
}

const numbers = json<number>()
const listed = async (...args: string[]) => JSON.parse((await ipckit(['ls', '--json', ...args])).stdout)
const statOf = async (address: string) => JSON.parse((await ipckit(['stat', address, '--json'])).stdout)
const of = (address: string) => (entry: { address: string }) => entry.address === address

describe('send and recv', () => {
  test('carry messages, the highest priority first', async () => {
    const address = newAddress()
    expect(await ipckit(['send', address, 'low', '--create'])).toMatchObject({ code: 0, stderr: '' })
    await ipckit(['send', address, 'high', '--priority', '9'])
    expect(await ipckit(['recv', address, '-n', '2'])).toMatchObject({ code: 0, stdout: 'high\nlow\n' })
    expect(await ipckit(['recv', address, '--timeout', '0'])).toMatchObject({ code: 3, stdout: '' })
  })

  test('make the queue as they are told', async () => {
    const address = newAddress()
    const sizes = ['--capacity', '5', '--max-message-bytes', '1000', '--max-bytes', '4000', '--mode', '640']
    await ipckit(['send', address, 'x', '--create', ...sizes])
    expect(await statOf(address)).toMatchObject({
      capacity: 5,
      maxMessageBytes: 1000,
      mode: '0640',
      type: 'text',
    })
  })

  test('recv shows what the queue carries without being told', async () => {
    const values = await make(json())
    await values.put({ id: [1, 2] })
    expect((await ipckit(['recv', values.address])).stdout).toBe('{"id":[1,2]}\n')
    const structs = await make(struct({ id: i32 }))
    await structs.put({ id: 7 })
    expect((await ipckit(['recv', structs.address])).stdout).toBe('{"id":7}\n')
    const own = await make({ ...text(), name: 'mine' })
    await own.put('plain')
    expect((await ipckit(['recv', own.address])).stdout).toBe('plain\n')
  })

  test('recv --json tells priority and deliveries', async () => {
    const queue = await make(numbers)
    await queue.put(5, { priority: 4 })
    queue.tryLease()?.nack()
    expect(JSON.parse((await ipckit(['recv', queue.address, '--json'])).stdout)).toEqual({
      ...{ value: 5, priority: 4, bytes: 1, deliveryCount: 2, redelivered: true },
    })
  })

  test('another codec than the queue carries is refused with 2, and nothing is taken or put', async () => {
    const queue = await make(numbers)
    await queue.put(5)
    for (const args of [
      ['recv', queue.address, '--codec', 'text'],
      ['recv', queue.address, '--struct', 'id:i32'],
      ['peek', queue.address, '--codec', 'raw'],
      ['tail', queue.address, '--take', '--codec', 'raw'],
      ['send', queue.address, 'five'],
      ['send', queue.address, 'five', '--create'],
    ]) {
      const { code, stdout, stderr } = await ipckit(args)
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' })
      expect(stderr).toMatch(/the queue carries json.*\(ERR_IPC_TYPE\)/)
    }
    expect(await depthOf(queue.address)).toBe(1)
  })

  test('--any-type takes and puts bytes whatever the queue carries', async () => {
    const queue = await make(numbers)
    await ipckit(['send', queue.address, '[5]', '--any-type'])
    await ipckit(['send', queue.address, '6', '--codec', 'json'])
    expect(await queue.get()).toEqual([5])
    const taken = await ipckit(['recv', queue.address, '--codec', 'text', '--any-type'])
    expect(taken).toMatchObject({ code: 0, stdout: '6\n' })
  })

  test('recv ends the task of a joinable queue', async () => {
    const queue = await make(numbers, { joinable: true })
    await queue.put(5)
    expect(await ipckit(['recv', queue.address])).toMatchObject({ code: 0, stdout: '5\n' })
    await queue.join()
    expect(queue.stat()).toMatchObject({ depth: 0, inFlight: 0, totals: { done: 1, redelivered: 0 } })
  })

  test('Ctrl-C ends the wait and takes nothing', async () => {
    const queue = await make(numbers)
    await queue.put(1)
    const waiting = start(['recv', queue.address, '-n', '2'])
    await waiting.says(/1/)
    waiting.child.kill('SIGINT')
    expect(await waiting.ended).toMatchObject({ code: 130, stdout: '1\n' })
    await queue.put(2)
    expect(await depthOf(queue.address)).toBe(1)
  })

  test('of a queue that was shut down the rest can be taken; then, and for send, it is 4', async () => {
    const queue = await make(numbers)
    await queue.put(5)
    queue.shutdown()
    expect(await ipckit(['send', queue.address, '6', '--codec', 'json'])).toMatchObject({ code: 4 })
    expect(await ipckit(['recv', queue.address, '--all'])).toMatchObject({ code: 0, stdout: '5\n' })
    const { code, stderr } = await ipckit(['recv', queue.address])
    expect(stderr).toContain('ERR_IPC_SHUTDOWN')
    expect(code).toBe(4)
  })

  test('recv --all does not pass over messages that nobody may take any more', async () => {
    const queue = await make(numbers)
    await queue.put(5)
    queue.shutdown({ immediate: true })
    expect(await ipckit(['recv', queue.address, '--all'])).toMatchObject({ code: 4, stdout: '' })
  })

  test('a file that is no queue, and a queue that everyone may write to, are refused with 5', async () => {
    const queue = await make(numbers)
    const file = `/dev/shm/ipckit.${queue.address.slice('shm:/'.length)}`
    chmodSync(file, 0o666)
    expect(await ipckit(['send', queue.address, '1', '--codec', 'json'])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('ERR_IPC_REFUSED'),
    })
    const trusting = ['send', queue.address, '1', '--codec', 'json', '--any-owner']
    expect(await ipckit(trusting)).toMatchObject({ code: 0 })

    const address = newAddress()
    writeFileSync(`/dev/shm/ipckit.${address.slice('shm:/'.length)}`, 'something else')
    expect(await ipckit(['recv', address])).toMatchObject({ code: 5 })
  })

  test.runIf(canBeNobody)(
    'a queue of another user is refused with 5, unless --any-owner is given',
    async () => {
      const address = newAddress()
      const made = await ipckit(['send', address, 'theirs', '--create'], { through: asNobody })
      expect(made).toMatchObject({ code: 0 })
      for (const name of ['recv', 'peek']) {
        const { code, stderr } = await ipckit([name, address])
        expect(stderr).toMatch(/belongs to user 65534.*ERR_IPC_REFUSED/)
        expect({ name, code }).toEqual({ name, code: 5 })
      }
      // Looking at how it is needs no trust.
      expect(await statOf(address)).toMatchObject({ depth: 1, uid: 65_534 })
      expect(await ipckit(['recv', address, '--any-owner'])).toMatchObject({ code: 0, stdout: 'theirs\n' })
    },
  )

  test('a queue that as many have open as it allows is a failure: 1', async () => {
    const queue = await make(numbers, { participants: 2 })
    const other = await Queue.open(queue.address, { codec: numbers })
    // All places are taken.
    const { code, stderr } = await ipckit(['recv', queue.address])
    await other.close()
    expect(stderr).toContain('ERR_IPC_PARTICIPANTS')
    expect(code).toBe(1)
  })
})

describe('peek and tail', () => {
  test('peek shows the next message and leaves it', async () => {
    const queue = await make(numbers)
    expect(await ipckit(['peek', queue.address])).toMatchObject({ code: 3, stdout: '' })
    await queue.putMany([5, 6])
    expect(await ipckit(['peek', queue.address])).toMatchObject({ code: 0, stdout: '5\n' })
    const { stdout } = await ipckit(['peek', queue.address, '--json'])
    expect(JSON.parse(stdout)).toEqual({ value: 5, bytes: 1, position: 0 })
    expect(await ipckit(['peek', queue.address, '-n', '2'])).toMatchObject({ code: 2, stdout: '' })
    expect(await depthOf(queue.address)).toBe(2)
  })

  test('tail follows the depth, and ends with 4 when the queue is shut down and empty', async () => {
    const queue = await make(numbers)
    const tail = start(['tail', queue.address, '--interval', '5', '--json'])
    await tail.says(/"depth":0/)
    await queue.put(5)
    await tail.says(/"depth":1,"change":1/)
    queue.shutdown()
    await queue.get()
    const { code, stderr } = await tail.ended
    expect(stderr).toContain('shows no more than its next message')
    expect(stderr).toContain('was shut down')
    expect(code).toBe(4)
  })

  test('tail ends with 4 when the queue is removed', async () => {
    const queue = await make(numbers)
    const tail = start(['tail', queue.address, '--interval', '5'])
    await tail.says(/ 0 of /)
    await ipckit(['rm', queue.address])
    expect(await tail.ended).toMatchObject({ code: 4, stderr: expect.stringContaining('removed') })
  })

  test('tail --take receives the messages', async () => {
    const queue = await make(numbers)
    await queue.put(5)
    const tail = start(['tail', queue.address, '--take'])
    await tail.says(/5/)
    await queue.put(6)
    await tail.says(/6/)
    tail.child.kill('SIGINT')
    expect(await tail.ended).toMatchObject({ code: 130, stdout: '5\n6\n' })
    expect(queue.stat().depth).toBe(0)
  })
})

describe('ls, stat and rm', () => {
  test('ls has a table of them: type, messages, in flight, limit, and how many have it open', async () => {
    const queue = await make(numbers, { capacity: 7, maxMessageBytes: 100 })
    await queue.putMany([1, 2, 3])
    const lease = queue.tryLease()
    const { code, stdout, stderr } = await ipckit(['ls', '--shm'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(lines(stdout)[0]).toMatch(
      /^ADDRESS +TYPE +MESSAGES +IN FLIGHT +FREE BYTES +LIMIT +OWNER +MODE +OPEN BY$/,
    )
    const row = lines(stdout).find((line) => line.startsWith(queue.address))
    expect(row).toMatch(/ json +2 +1 +[\d,]+ +7 x 100 +\S+ +0600 +1$/)
    lease?.ack()
  })

  test('ls --json tells what it takes of /dev/shm', async () => {
    const queue = await make(numbers)
    await queue.put(1)
    const all = await listed()
    expect(all.find(of(queue.address))).toEqual({
      ...{ object: 'queue', address: queue.address, kind: 'shm', type: 'json', state: 'open' },
      ...{ depth: 1, capacity: 1024, inFlight: 0, participantCount: 1 },
      ...{
        maxBytes: 8_388_608,
        freeBytes: 8_388_608,
        maxMessageBytes: 8192,
        sizeBytes: queue.stat().sizeBytes,
      },
      ...{ owner: expect.any(String), uid: process.getuid?.(), gid: process.getgid?.(), mode: '0600' },
    })
    // It is listed once, as what it is.
    expect(
      all.filter((each: { address: string }) => each.address.includes(queue.address.slice(5))),
    ).toHaveLength(1)
    expect((await listed('--posix', '--sysv')).find(of(queue.address))).toBeUndefined()
    expect((await listed('--semaphore')).find(of(queue.address))).toBeUndefined()
  })

  test.runIf(canBeNobody)(
    'ls shows the queue of another user, and a dash for what may not be seen',
    async () => {
      const queue = await make(numbers)
      const { code, stdout } = await ipckit(['ls'], { through: asNobody })
      const row = lines(stdout).find((line) => line.startsWith(queue.address))
      expect(row).toMatch(/ - +- +- +- +- +root +0600 +-$/)
      expect(code).toBe(0)
      for (const name of ['stat', 'recv', 'peek', 'tail', 'rm']) {
        const denied = await ipckit([name, queue.address], { through: asNobody })
        expect({ name, ...denied }).toMatchObject({ name, code: 5, stdout: '' })
      }
    },
  )

  test('stat tells who has it open, what they do, and what they hold', async () => {
    const queue = await make(numbers, { deadLetters: 3, maxDeliveries: 2 })
    await queue.putMany([1, 2])
    queue.tryLease()?.reject()
    const lease = queue.tryLease()
    const facts = await statOf(queue.address)
    expect(facts).toMatchObject({
      ...{ type: 'json', state: 'open', depth: 0, inFlight: 1, deadLetters: 1, maxDeliveries: 2 },
      ...{ removed: false, totals: { put: 2, dead: 1 } },
      participants: [{ pid: process.pid, role: 'both', leases: 1, alive: true }],
    })
    const { stdout } = await ipckit(['stat', queue.address])
    expect(lines(stdout)).toContainEqual(expect.stringMatching(/^totals: put +2$/))
    expect(stdout).toMatch(/\nparticipants\nPID +NAME +ROLE +LEASES +ALIVE +SINCE\n/)
    expect(stdout).toMatch(new RegExp(`\\n${process.pid} .* both +1 +true `))
    lease?.ack()
  })

  test('stat tells who died over it', async () => {
    const queue = await make(numbers)
    await queue.put(5)
    const script = `import { json, Queue } from 'ipckit'
      const queue = await Queue.open('${queue.address}', { codec: json() })
      queue.tryLease()
      process.kill(process.pid, 'SIGKILL')`
    const died = spawnSync(process.execPath, ['--input-type=module', '-e', script])
    expect(died.signal).toBe('SIGKILL')
    const facts = await statOf(queue.address)
    // Whoever comes next may have cleared up behind it already: then the message is there again.
    const dead = facts.participants.filter(({ alive }: { alive: boolean }) => !alive)
    expect(dead.length + facts.depth).toBeGreaterThanOrEqual(1)
    expect(await ipckit(['recv', queue.address, '--timeout', '10000'])).toMatchObject({
      code: 0,
      stdout: '5\n',
    })
  })

  test('rm removes it for everyone, and knows no wildcards', async () => {
    const queue = await make(numbers)
    expect(await ipckit(['rm', queue.address])).toMatchObject({ code: 0, stdout: `${queue.address}\n` })
    expect(await ipckit(['rm', queue.address])).toMatchObject({ code: 4 })
    expect(await ipckit(['rm', '-f', queue.address])).toMatchObject({ code: 0, stdout: '', stderr: '' })
    expect(await ipckit(['stat', queue.address])).toMatchObject({ code: 4 })
    expect(await ipckit(['rm', `${queue.address}*`])).toMatchObject({ code: 2 })
    expect(queue.stat().unlinked).toBe(true)
  })
})

describe('doctor', () => {
  const checksOf = async (address: string) => {
    const { checks } = JSON.parse((await ipckit(['doctor', address, '--json'])).stdout)
    return (name: string) =>
      checks.find((check: { group: string; name: string }) => check.group === address && check.name === name)
  }

  test('looks at a queue: room, type, state, participants, leases and dead letters', async () => {
    const queue = await make(numbers, { capacity: 2, deadLetters: 3 })
    await queue.putMany([1, 2])
    queue.tryLease()?.reject()
    await queue.put(3)
    const lease = queue.tryLease()
    const check = await checksOf(queue.address)
    expect(check('room')).toMatchObject({ value: 2, used: 1, unit: 'messages' })
    expect(check('type')).toMatchObject({ value: 'json' })
    expect(check('state')).toMatchObject({ value: 'open', verdict: 'ok' })
    expect(check('participants')).toMatchObject({ value: 256, used: 1, remark: `pids ${process.pid}` })
    expect(check('in flight')).toMatchObject({ value: 1, remark: `held by ${process.pid}: 1` })
    expect(check('dead letters')).toMatchObject({ value: 1, verdict: 'warn' })
    lease?.ack()
    queue.shutdown({ immediate: true })
    expect((await checksOf(queue.address))('state')).toMatchObject({ value: 'stopped', verdict: 'bad' })
  })

  test('says why a queue may not be used, or that there is none', async () => {
    const queue = await make(numbers)
    chmodSync(`/dev/shm/ipckit.${queue.address.slice('shm:/'.length)}`, 0o666)
    expect((await checksOf(queue.address))('may be used')).toMatchObject({
      ...{ value: 'no (ERR_IPC_REFUSED)', verdict: 'bad', remark: expect.stringContaining('chmod o-w') },
    })
    const missing = newAddress()
    expect((await checksOf(missing))('exists')).toMatchObject({ value: 'no (ENOENT)', verdict: 'bad' })
  })
})
