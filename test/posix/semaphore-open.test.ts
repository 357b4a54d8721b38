/**
 * sem_open(3), sem_close(3), sem_unlink(3), sem_getvalue(3): the assertions of the Open POSIX Test Suite
 * (conformance/interfaces/sem_open, sem_close, sem_unlink, sem_getvalue).
 *
 * Not here: sem_open/8 and 9 and sem_getvalue/3, undefined without a handle of ours, which throws ClosedError;
 * sem_open/11, which is about variable arguments of C; sem_open/15, the address of a semaphore, which JavaScript does
 * not see; sem_init and sem_destroy, which are for memory that programs share.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { Semaphore } from 'ipckit/posix'
import { describe, expect, test } from 'vitest'
import { Agent, endAgents, mayChangeUser, stranger } from '../helpers/agent.ts'
import { descriptors } from '../helpers/counts.ts'
import { withUmask } from '../helpers/umask.ts'
import { fileOf, nameOf, Semaphores } from './semaphore-support.ts'

const semaphores = new Semaphores()
endAgents()

const code = (wanted: string) => expect.objectContaining({ code: wanted })

describe('sem_open', () => {
  test('sem_open/1-1: connects to the semaphore of that name', () => {
    const semaphore = semaphores.create({ value: 3 })
    expect(semaphores.again(semaphore).value).toBe(3)
  })

  test('sem_open/2-1, 4-1: create refuses a name that exists', () => {
    const semaphore = semaphores.create()
    expect(() => Semaphore.create(nameOf(semaphore))).toThrow(
      expect.objectContaining({ name: 'ExistsError', code: 'EEXIST', errno: -17, syscall: 'sem_open' }),
    )
  })

  test.runIf(mayChangeUser)('sem_open/3-1: without permission it is refused with EACCES', async () => {
    const semaphore = semaphores.create({ mode: 0o600 })
    const agent = await Agent.start({ uid: stranger })
    await expect(agent.open('posix.Semaphore', 'open', nameOf(semaphore))).rejects.toMatchObject({
      code: 'EACCES',
    })
  })

  test('sem_open/5-1, 12-1: a value over SEM_VALUE_MAX is refused, and the largest taken', () => {
    expect(() => Semaphore.create(semaphores.name(), { value: 2 ** 31 })).toThrow(RangeError)
    expect(() => Semaphore.create(semaphores.name(), { value: -1 })).toThrow(RangeError)
    expect(semaphores.create({ value: 2 ** 31 - 1 }).value).toBe(2 ** 31 - 1)
  })

  test('sem_open/6-1: open of a name that does not exist fails with ENOENT', () => {
    expect(() => Semaphore.open(semaphores.name())).toThrow(
      expect.objectContaining({
        name: 'NotFoundError',
        code: 'ENOENT',
        message: expect.stringMatching(/create it first/),
      }),
    )
  })

  test('sem_open/7-1: a name of 251 bytes is taken, a longer one refused', () => {
    const longest = semaphores.name().padEnd(252, 'x')
    semaphores.create({}, longest)
    expect(() => Semaphore.create(`${longest}x`)).toThrow(RangeError)
    Semaphore.unlink(longest)
  })

  test('sem_open/10-1: openOrCreate of one that exists leaves its value and mode', () => {
    const semaphore = semaphores.create({ value: 7, mode: 0o640 })
    const again = semaphores.keep(Semaphore.openOrCreate(nameOf(semaphore), { value: 1, mode: 0o600 }))
    expect(again.stat()).toMatchObject({ value: 7, mode: 0o640 })
  })

  test('sem_open/13-1: it belongs to who made it, with exactly the mode, whatever the umask', () => {
    const name = semaphores.name()
    withUmask(0o077, () => void semaphores.create({ mode: 0o664 }, name))
    const semaphore = semaphores.open(name)
    expect(semaphore.stat()).toMatchObject({
      uid: process.geteuid?.(),
      gid: process.getegid?.(),
      mode: 0o664,
      unlinked: false,
    })
  })

  test('sem_open/14-1: others connect, and see what we do', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const agent = await Agent.start()
    const theirs = await agent.open('posix.Semaphore', 'open', nameOf(semaphore))
    await agent.call(theirs, 'release', 5)
    expect(semaphore.value).toBe(5)
  })

  test.each(['', 'jobs', '/', '/a/b', '/a\0b', '/..', 7, undefined])(
    'a name such as %j is refused',
    (name) => {
      for (const call of [Semaphore.open, Semaphore.create, Semaphore.openOrCreate, Semaphore.unlink]) {
        expect(() => (call as (name: string) => unknown).call(Semaphore, name as string)).toThrow(
          /Expected .* for `name`/,
        )
      }
    },
  )

  test.each([{ vlaue: 1 }, { value: '1' }, { mode: 0o1777 }, { trustOthers: 1 }, null, 5])(
    'options such as %j are refused, and nothing is made',
    (options) => {
      const name = semaphores.name()
      expect(() => Semaphore.create(name, options as never)).toThrow(/Expected/)
      expect(() => Semaphore.open(name)).toThrow(code('ENOENT'))
    },
  )

  test('EMFILE tells what to do, and opening works again afterwards', async () => {
    const semaphore = semaphores.create()
    const agent = await Agent.start({ through: ['prlimit', '--nofile=48'] })
    const outcome = async () => {
      for (;;) await agent.open('posix.Semaphore', 'open', nameOf(semaphore))
    }
    await expect(outcome()).rejects.toMatchObject({
      code: 'EMFILE',
      message: expect.stringMatching(/ulimit -n/),
    })
    await agent.call(0, 'close')
    await agent.open('posix.Semaphore', 'open', nameOf(semaphore))
  })

  test('a thousand opened and closed leave no descriptor', async () => {
    const semaphore = semaphores.create()
    const before = descriptors()
    for (let round = 0; round < 1000; round++) await Semaphore.open(nameOf(semaphore)).close()
    expect(descriptors()).toBe(before)
  })

  test('who makes one while it is removed again and again either makes or opens it', async () => {
    const name = semaphores.name()
    const agent = await Agent.start()
    const theirs = (async () => {
      for (let round = 0; round < 100; round++) {
        const number = await agent.open('posix.Semaphore', 'openOrCreate', name, { value: 2 })
        await agent.call('posix.Semaphore', 'unlink', name).catch(({ code }) => expect(code).toBe('ENOENT'))
        await agent.call(number, 'close')
      }
    })()
    for (let round = 0; round < 300; round++) {
      const ours = Semaphore.openOrCreate(name, { value: 2 })
      expect(ours.value).toBe(2)
      await ours.close()
      if (round % 3 === 0) await new Promise(setImmediate)
    }
    await theirs
  })
})

describe('what somebody planted in place of a semaphore', () => {
  const planted: Record<string, (path: string) => void> = {
    'a file of 0 bytes': (path) => writeFileSync(path, ''),
    'a file that is too small': (path) => writeFileSync(path, Buffer.alloc(31)),
    'a file that is too large': (path) => writeFileSync(path, Buffer.alloc(4096)),
    'a symbolic link': (path) => symlinkSync('/dev/shm/nowhere', path),
    'a link to another semaphore': (path) => symlinkSync(fileOf(nameOf(semaphores.create())), path),
    'a folder': (path) => mkdirSync(path),
    'a pipe': (path) => execFileSync('mkfifo', [path]),
  }

  test.each(Object.entries(planted))('%s is refused by open, create and openOrCreate', (_, plant) => {
    const name = semaphores.name()
    plant(fileOf(name))
    const refused = expect.objectContaining({
      code: 'EINVAL',
      message: expect.stringMatching(/not a semaphore/),
    })
    expect(() => Semaphore.open(name)).toThrow(refused)
    expect(() => Semaphore.openOrCreate(name)).toThrow(refused)
    expect(() => Semaphore.create(name)).toThrow(code('EEXIST'))
    expect(Semaphore.list().map((entry) => entry.name)).not.toContain(name)
  })

  test('one that everybody may write to is refused, unless others are trusted', () => {
    const semaphore = semaphores.create({ mode: 0o666 })
    const refused = expect.objectContaining({
      code: 'ERR_IPC_UNSAFE',
      message: expect.stringMatching(/trustOthers/),
    })
    expect(() => Semaphore.open(nameOf(semaphore))).toThrow(refused)
    expect(() => Semaphore.openOrCreate(nameOf(semaphore))).toThrow(refused)
    expect(semaphores.open(nameOf(semaphore), { trustOthers: true }).value).toBe(1)
  })

  test.runIf(mayChangeUser)('one of another user is refused, unless others are trusted', async () => {
    const name = semaphores.name()
    const agent = await Agent.start({ uid: stranger })
    await agent.open('posix.Semaphore', 'create', name, { mode: 0o600, value: 3 })
    expect(statSync(fileOf(name)).uid).toBe(stranger)
    expect(() => Semaphore.open(name)).toThrow(code('ERR_IPC_UNSAFE'))
    expect(semaphores.open(name, { trustOthers: true }).value).toBe(3)
  })

  test.runIf(mayChangeUser)('one of root that others may use is taken by them', async () => {
    const semaphore = semaphores.create({ mode: 0o666 })
    const agent = await Agent.start({ uid: stranger })
    await expect(agent.open('posix.Semaphore', 'open', nameOf(semaphore))).rejects.toMatchObject({
      code: 'ERR_IPC_UNSAFE',
    })
    const theirs = await agent.open('posix.Semaphore', 'open', nameOf(semaphore), { trustOthers: true })
    await agent.call(theirs, 'tryAcquire')
    expect(semaphore.value).toBe(0)
  })
})

describe('sem_close', () => {
  test('sem_close/1-1, 2-1, 3-1: closes, frees the descriptor, and leaves the value', async () => {
    const semaphore = semaphores.create({ value: 2 })
    const before = descriptors()
    const other = semaphores.again(semaphore)
    expect(descriptors()).toBe(before + 1)
    other.tryAcquire()?.release()
    await other.close()
    await other.close()
    expect(descriptors()).toBe(before)
    expect(semaphore.value).toBe(2)
  })

  test('sem_close/4-1: every method of a closed handle throws ClosedError', async () => {
    const semaphore = semaphores.create()
    await semaphore.close()
    const closed = code('ERR_IPC_CLOSED')
    expect(semaphore.closed).toBe(true)
    for (const call of [
      () => semaphore.value,
      () => semaphore.tryAcquire(),
      () => semaphore.acquireSync(),
      () => semaphore.release(),
      () => semaphore.stat(),
      () => semaphore.unlink(),
    ]) {
      expect(call).toThrow(closed)
    }
    await expect(semaphore.acquire()).rejects.toEqual(closed)
    expect(() => semaphore.ref().unref()).not.toThrow()
  })

  test('a permit may be released after its semaphore was closed', async () => {
    const semaphore = semaphores.create({ value: 1 })
    const other = semaphores.again(semaphore)
    const before = descriptors()
    const permit = await other.acquire()
    await other.close()
    expect(descriptors()).toBe(before)
    expect(semaphore.value).toBe(0)
    permit.release()
    permit.release()
    expect(semaphore.value).toBe(1)
    expect(descriptors()).toBe(before - 1)
  })
})

describe('sem_unlink', () => {
  test('sem_unlink/1-1, 6-1: the name is gone, and making it anew gives another semaphore', () => {
    const semaphore = semaphores.create({ value: 5 })
    semaphore.unlink()
    expect(() => Semaphore.open(nameOf(semaphore))).toThrow(code('ENOENT'))
    expect(semaphores.create({ value: 1 }, nameOf(semaphore)).value).toBe(1)
    expect(semaphore.value).toBe(5)
  })

  test('sem_unlink/2-1, 2-2, 7-1, 9-1: those who have it open go on, also who waits, with its value', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const other = semaphores.again(semaphore)
    const acquired = semaphore.acquire()
    semaphore.unlink()
    expect(other.stat()).toMatchObject({ unlinked: true, value: 0 })
    other.release(2)
    await acquired
    expect(semaphore.value).toBe(1)
  })

  test.runIf(mayChangeUser)('sem_unlink/3-1: who does not own it is refused with EACCES', async () => {
    const semaphore = semaphores.create({ mode: 0o666 })
    const agent = await Agent.start({ uid: stranger })
    await expect(agent.call('posix.Semaphore', 'unlink', nameOf(semaphore))).rejects.toMatchObject({
      code: 'EACCES',
      syscall: 'sem_unlink',
    })
    expect(semaphore.stat().unlinked).toBe(false)
  })

  test('a handle whose name is gone leaves alone what others made under it', () => {
    const semaphore = semaphores.create()
    const name = nameOf(semaphore)
    Semaphore.unlink(name)
    const theirs = semaphores.keep(Semaphore.create(name))
    expect(() => semaphore.unlink()).toThrow(code('ENOENT'))
    expect(theirs.stat().unlinked).toBe(false)
  })

  test('sem_unlink/4-1, 4-2: a name that does not exist, or not any more, fails with ENOENT', () => {
    const semaphore = semaphores.create()
    semaphore.unlink()
    expect(() => semaphore.unlink()).toThrow(code('ENOENT'))
    expect(() => Semaphore.unlink(semaphores.name())).toThrow(code('ENOENT'))
  })

  test('sem_unlink/5-1: a name that is too long is refused', () => {
    expect(() => Semaphore.unlink(`/${'x'.repeat(252)}`)).toThrow(RangeError)
  })
})

describe('sem_getvalue and the list', () => {
  test('sem_getvalue/1-1, 2-1, 5-1: tells the value, 0 when all is taken, and changes nothing', () => {
    const semaphore = semaphores.create({ value: 2 })
    expect(semaphore.value).toBe(2)
    semaphore.tryAcquire()
    semaphore.tryAcquire()
    expect([semaphore.value, semaphore.value]).toEqual([0, 0])
  })

  test('sem_getvalue/2-2: who waits does not make it negative', async () => {
    const semaphore = semaphores.create({ value: 0 })
    const waiting = semaphore.acquire()
    expect(semaphore.value).toBe(0)
    semaphore.release()
    await waiting
  })

  test('the list has name, value, owner and mode', () => {
    const semaphore = semaphores.create({ value: 4, mode: 0o640 })
    expect(Semaphore.list()).toContainEqual({
      name: nameOf(semaphore),
      address: semaphore.address,
      value: 4,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
      mode: 0o640,
    })
    semaphore.unlink()
    expect(Semaphore.list().map(({ name }) => name)).not.toContain(nameOf(semaphore))
  })
})
