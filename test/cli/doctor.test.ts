import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Check, worst } from '../../lib/cli/doctor/check.js'
import { examine } from '../../lib/cli/doctor/checks.js'
import { collectFacts, type Facts, type Probes } from '../../lib/cli/doctor/facts.js'
import { KernelFiles } from '../../lib/cli/doctor/kernel-files.js'
import { render } from '../../lib/cli/doctor/render.js'
import type { QueueFacts } from '../../lib/cli/queues.js'
import {
  asNobody,
  canBeNobody,
  canUnmount,
  ipckit,
  posixAddress,
  sysvAddress,
  withoutMounting,
  withoutMqueue,
} from './command.ts'

/** A machine with the defaults of the kernel, whose user is ann, 1000. */
const host: Record<string, string> = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n',
  'proc/self/status': 'Name:\tnode\nUid:\t1000\t1000\t1000\t1000\nSigQ:\t3/500\nCapEff:\t0000000000000000\n',
  'proc/1/cgroup': '0::/init.scope\n',
  'proc/self/cgroup': '0::/user.slice/user-1000.slice\n',
  'proc/self/limits': [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    'Max processes             1000                 2000                 processes ',
    'Max pending signals       500                  500                  signals   ',
    'Max open files            1024                 524288               files     ',
    'Max msgqueue size         819200               819200               bytes     ',
    '',
  ].join('\n'),
  'proc/self/mountinfo': [
    '22 1 0:20 / / rw - ext4 /dev/sda rw',
    '25 22 0:21 / /dev/shm rw,nosuid - tmpfs tmpfs rw',
    '26 22 0:22 / /dev/mqueue rw - mqueue mqueue rw',
    '',
  ].join('\n'),
  'proc/42/status': 'Uid:\t1000\t1000\t1000\t1000\nThreads:\t7\n',
  'proc/43/status': 'Uid:\t0\t0\t0\t0\nThreads:\t100\n',
  'proc/sys/fs/mqueue/msg_max': '10\n',
  'proc/sys/fs/mqueue/msgsize_max': '8192\n',
  'proc/sys/fs/mqueue/msg_default': '10\n',
  'proc/sys/fs/mqueue/msgsize_default': '8192\n',
  'proc/sys/fs/mqueue/queues_max': '256\n',
  'proc/sys/fs/inotify/max_user_instances': '128\n',
  'proc/sys/fs/inotify/max_user_watches': '8192\n',
  'proc/sys/kernel/msgmax': '8192\n',
  'proc/sys/kernel/msgmnb': '16384\n',
  'proc/sys/kernel/msgmni': '32000\n',
  'proc/sys/kernel/shmmax': '18446744073692774399\n',
  'proc/sys/kernel/shmall': '18446744073692774399\n',
  'proc/sys/kernel/shmmni': '4096\n',
}
const hostLinks = {
  'proc/self/ns/ipc': 'ipc:[4026531839]',
  'proc/self/ns/mnt': 'mnt:[4026531840]',
  'proc/self/ns/user': 'user:[4026531837]',
  'proc/self/ns/pid': 'pid:[4026531836]',
}
const ownNamespaces = { 'proc/self/ns/ipc': 'ipc:[4026532500]', 'proc/self/ns/pid': 'pid:[4026532501]' }

const healthy: Probes = {
  posixQueues: async () => [],
  sysvQueues: async () => [],
  makePosix: async () => ({ shown: true }),
  makeSysv: async () => ({ peek: true }),
  sharedMemory: () => ({ total: 64 << 20, free: 60 << 20, files: [] }),
  futexWaitv: () => true,
}

interface Machine {
  /** More files, or others; null takes one away. */
  files?: Record<string, string | null>
  links?: Record<string, string>
  environment?: NodeJS.ProcessEnv
  probes?: Partial<Probes>
}

async function factsOf({ files, links, environment = {}, probes }: Machine): Promise<Facts> {
  const root = mkdtempSync(join(tmpdir(), 'ipckit-doctor-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  for (const [path, content] of Object.entries({ ...host, ...files })) {
    if (content === null) continue
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  mkdirSync(join(root, 'proc/self/ns'), { recursive: true })
  for (const [path, to] of Object.entries({ ...hostLinks, ...links })) symlinkSync(to, join(root, path))
  return collectFacts(new KernelFiles(root), environment, { ...healthy, ...probes })
}

async function checksOf(machine: Machine): Promise<(name: string) => Check> {
  const checks = examine(await factsOf(machine))
  return (name) => {
    const check = checks.find((each) => each.name === name)
    if (check === undefined) throw new Error(`no check ${name} among ${checks.map((each) => each.name)}`)
    return check
  }
}

const commandsOf = (check: Check) => check.raise?.map(({ command }) => command) ?? []

function posixQueue(name: string, facts: Partial<QueueFacts> = {}): QueueFacts {
  return {
    ...{ object: 'queue' as const, address: `posix:/${name}` },
    ...{ kind: 'posix' as const, depth: 0, capacity: 10, bytes: 0, maxBytes: null },
    ...{ maxMessageBytes: 8192, owner: 'ann', uid: 1000, gid: 1000, mode: '0600' },
    ...{ lastSender: null, lastReceiver: null, notifyPid: 0 },
    ...facts,
  }
}

function sysvQueue(id: number, facts: Partial<QueueFacts>): QueueFacts {
  const sizes = { capacity: null, maxMessageBytes: 8192, maxBytes: 16_384 }
  return { ...posixQueue('', { kind: 'sysv', ...sizes }), address: `sysv:id=${id}`, ...facts }
}

describe('on a host with the defaults of the kernel', () => {
  test('all is well', async () => {
    const checks = examine(await factsOf({}))
    expect(worst(checks)).toBe('ok')
    expect(checks.filter(({ value }) => value === null)).toEqual([])
  })

  test('it says where it is, and whose namespaces these are', async () => {
    const check = await checksOf({})
    expect(check('runs in').value).toBe('host')
    expect(check('user').value).toBe('ann (1000)')
    expect(check('ipc namespace')).toMatchObject({ value: '4026531839', remark: "the machine's own" })
    expect(check('CAP_SYS_RESOURCE').value).toBe('no')
  })

  test('limits are raised with sysctl, now and at boot', async () => {
    const check = await checksOf({})
    expect(commandsOf(check('fs.mqueue.msg_max'))).toEqual([
      'sysctl -w fs.mqueue.msg_max=100',
      "echo 'fs.mqueue.msg_max = 100' >> /etc/sysctl.d/60-ipc.conf",
    ])
    for (const name of ['msgsize_max', 'msg_default', 'msgsize_default', 'queues_max']) {
      expect(commandsOf(check(`fs.mqueue.${name}`))[0]).toMatch(
        new RegExp(`^sysctl -w fs.mqueue.${name}=\\d+$`),
      )
    }
    for (const name of ['msgmax', 'msgmnb', 'msgmni']) {
      expect(commandsOf(check(`kernel.${name}`))[0]).toMatch(new RegExp(`^sysctl -w kernel.${name}=\\d+$`))
    }
  })

  test('the limits of inotify are told, and that removals are noticed by looking past them', async () => {
    const check = await checksOf({})
    const instances = check('fs.inotify.max_user_instances')
    expect(instances).toMatchObject({ value: 128, unit: 'instances', verdict: 'ok' })
    expect(instances.remark).toContain('4 times a second')
    expect(commandsOf(instances)[0]).toBe('sysctl -w fs.inotify.max_user_instances=1024')
    expect(check('fs.inotify.max_user_watches')).toMatchObject({
      value: 8192,
      unit: 'watches',
      verdict: 'ok',
    })
  })

  test('what is set to the most that a kernel allows cannot be raised', async () => {
    const check = await checksOf({
      files: { 'proc/sys/fs/mqueue/msg_max': '65536\n', 'proc/sys/fs/mqueue/msgsize_max': '16000000\n' },
    })
    expect(check('fs.mqueue.msg_max')).toMatchObject({
      remark: expect.stringContaining('no kernel allows more'),
    })
    expect(commandsOf(check('fs.mqueue.msg_max'))).toEqual([])
    expect(commandsOf(check('fs.mqueue.msgsize_max'))[0]).toBe('sysctl -w fs.mqueue.msgsize_max=16777216')
  })

  test('limits of a process are raised in the shell up to the hard limit, and by root, systemd and PAM beyond', async () => {
    const check = await checksOf({})
    expect(commandsOf(check('RLIMIT_NOFILE'))[0]).toBe('ulimit -n 4096')
    expect(commandsOf(check('RLIMIT_MSGQUEUE'))).toEqual([
      'prlimit --pid PID --msgqueue=8192000:8192000',
      'systemctl edit NAME, and there: [Service] LimitMSGQUEUE=8192000',
      "echo '* - msgqueue 8192000' >> /etc/security/limits.d/60-ipc.conf",
    ])
  })

  test('threads of the user are counted against RLIMIT_NPROC', async () => {
    const check = await checksOf({})
    expect(check('RLIMIT_NPROC')).toMatchObject({ value: 1000, used: 7, verdict: 'ok' })
    const crowded = await checksOf({ files: { 'proc/44/status': 'Uid:\t1000\t1\nThreads:\t900\n' } })
    expect(crowded('RLIMIT_NPROC')).toMatchObject({ used: 907, verdict: 'warn' })
  })

  test('timers of the user are counted against RLIMIT_SIGPENDING', async () => {
    const check = await checksOf({})
    expect(check('RLIMIT_SIGPENDING')).toMatchObject({ value: 500, used: 3, verdict: 'ok' })
    expect(commandsOf(check('RLIMIT_SIGPENDING'))).toEqual([
      'prlimit --pid PID --sigpending=1000:1000',
      'systemctl edit NAME, and there: [Service] LimitSIGPENDING=1000',
      "echo '* - sigpending 1000' >> /etc/security/limits.d/60-ipc.conf",
    ])
    const status = host['proc/self/status'] as string
    const used = await checksOf({ files: { 'proc/self/status': status.replace('3/500', '500/500') } })
    expect(used('RLIMIT_SIGPENDING')).toMatchObject({ used: 500, verdict: 'bad' })
    const none = await checksOf({ files: { 'proc/self/status': status.replace(/SigQ.*\n/, '') } })
    expect(none('RLIMIT_SIGPENDING')).toMatchObject({ used: null, verdict: 'ok' })
    // The kernel holds root to it too.
    const root = status.replaceAll('1000', '0').replace('3/500', '400/500')
    expect((await checksOf({ files: { 'proc/self/status': root } }))('RLIMIT_SIGPENDING').verdict).toBe(
      'warn',
    )
  })

  test('an unlimited limit is no trouble', async () => {
    const limits = 'Max msgqueue size         unlimited            unlimited            bytes\n'
    const check = await checksOf({ files: { 'proc/self/limits': limits } })
    expect(check('RLIMIT_MSGQUEUE')).toMatchObject({ value: Number.POSITIVE_INFINITY, verdict: 'ok' })
    expect(await render([check('RLIMIT_MSGQUEUE')])).toContain('unlimited')
  })
})

describe('where limits are used up', () => {
  test('RLIMIT_MSGQUEUE says by which queues of this user, and how to raise it', async () => {
    const queues = [
      posixQueue('small', { capacity: 1 }),
      posixQueue('large', { capacity: 97 }),
      posixQueue('of-root', { uid: 0, owner: 'root' }),
    ]
    const probes = { posixQueues: async () => queues, makePosix: async () => ({ error: 'EMFILE' }) }
    const check = (await checksOf({ probes }))('RLIMIT_MSGQUEUE')
    expect(check).toMatchObject({
      verdict: 'bad',
      used: 98 * 8288,
      by: [
        { address: 'posix:/large', used: 97 * 8288 },
        { address: 'posix:/small', used: 8288 },
      ],
    })
    const report = await render([check])
    expect(report).toMatch(
      /bad +RLIMIT_MSGQUEUE +819,200 bytes +812,224 used: posix:\/large 803,936, posix:\/small 8,288/,
    )
    expect(report).toContain('prlimit --pid PID --msgqueue=')
  })

  test('RLIMIT_MSGQUEUE is a warning when a queue of default size has no room', async () => {
    const probes = { posixQueues: async () => [posixQueue('large', { capacity: 90 })] }
    const check = (await checksOf({ probes }))('RLIMIT_MSGQUEUE')
    expect(check).toMatchObject({ verdict: 'warn', remark: expect.stringContaining('room for 0 more') })
  })

  test('RLIMIT_MSGQUEUE is bad also when queues that are not seen here use it up', async () => {
    const probes = { makePosix: async () => ({ error: 'EMFILE' }) }
    const check = await checksOf({ probes })
    expect(check('a small queue')).toMatchObject({ verdict: 'bad', value: 'cannot be made (EMFILE)' })
    expect(check('RLIMIT_MSGQUEUE')).toMatchObject({ verdict: 'bad', used: 0 })
    expect(check('RLIMIT_MSGQUEUE').remark).toContain('other containers')
  })

  test('queues_max and msgmni count the queues of all users', async () => {
    const check = await checksOf({
      files: { 'proc/sys/fs/mqueue/queues_max': '2', 'proc/sys/kernel/msgmni': '2' },
      probes: {
        posixQueues: async () => [posixQueue('a'), posixQueue('b', { uid: 0 })],
        sysvQueues: async () => [sysvQueue(1, {}), sysvQueue(2, {})],
        makeSysv: async () => ({ error: 'ENOSPC' }),
      },
    })
    expect(check('fs.mqueue.queues_max')).toMatchObject({ used: 2, verdict: 'bad' })
    expect(commandsOf(check('fs.mqueue.queues_max'))[0]).toBe('sysctl -w fs.mqueue.queues_max=4')
    expect(check('kernel.msgmni')).toMatchObject({ used: 2, verdict: 'bad' })
    expect(check('a queue')).toMatchObject({ verdict: 'bad', value: 'cannot be made (ENOSPC)' })
  })

  test('full queues are named', async () => {
    const check = await checksOf({
      probes: {
        posixQueues: async () => [posixQueue('stuck', { depth: 10 }), posixQueue('fine', { depth: 9 })],
        sysvQueues: async () => [sysvQueue(7, { bytes: 16_384 }), sysvQueue(8, { depth: 16_384 })],
      },
    })
    expect(check('posix:/stuck')).toMatchObject({ verdict: 'warn', used: 10 })
    expect(check('sysv:id=7')).toMatchObject({ verdict: 'warn' })
    expect(check('sysv:id=8')).toMatchObject({ verdict: 'warn' })
    expect(() => check('posix:/fine')).toThrow('no check')
  })

  test('the control group of version 2 limits threads, and so does that of version 1', async () => {
    const two = await checksOf({
      files: {
        'sys/fs/cgroup/user.slice/user-1000.slice/pids.max': '100\n',
        'sys/fs/cgroup/user.slice/user-1000.slice/pids.current': '100\n',
      },
    })
    expect(two('pids cgroup')).toMatchObject({ value: 100, used: 100, verdict: 'bad' })
    expect(commandsOf(two('pids cgroup'))).toEqual(['systemctl set-property NAME TasksMax=200'])
    const one = await checksOf({
      files: {
        'proc/self/cgroup': '9:name=systemd:/\n8:pids:/app\n0::/\n',
        'sys/fs/cgroup/pids/pids.max': '50\n',
        'sys/fs/cgroup/pids/pids.current': '5\n',
      },
    })
    expect(one('pids cgroup')).toMatchObject({ value: 50, used: 5, verdict: 'ok' })
  })

  test('a full /dev/shm is bad', async () => {
    const probes = { sharedMemory: () => ({ total: 64 << 20, free: 0, files: [] }) }
    const check = (await checksOf({ probes }))('/dev/shm')
    expect(check).toMatchObject({ verdict: 'bad', used: 64 << 20 })
    expect(commandsOf(check)).toEqual(['mount -o remount,size=128m /dev/shm'])
  })
})

describe('in a container', () => {
  test.each([
    ['docker', { '.dockerenv': '' }, 'docker run'],
    ['docker', { 'proc/1/cgroup': '0::/system.slice/docker-0123.scope\n' }, 'docker run'],
    ['podman', { 'run/.containerenv': 'engine="podman-4.9"\n' }, 'podman run'],
    ['container', { 'proc/1/environ': 'PATH=/bin\0container=lxc\0' }, 'docker run'],
  ] as const)('of %s, by %j, the commands are those of %s', async (kind, files, run) => {
    const check = await checksOf({ files, links: ownNamespaces })
    expect(check('runs in').value).toBe(kind)
    expect(commandsOf(check('fs.mqueue.msg_max'))).toEqual([`${run} --sysctl fs.mqueue.msg_max=100 ...`])
    expect(commandsOf(check('RLIMIT_MSGQUEUE'))).toEqual([`${run} --ulimit msgqueue=8192000:8192000 ...`])
    expect(commandsOf(check('/dev/shm'))).toEqual([`${run} --shm-size 128m ...`])
    expect(commandsOf(check('runs in')).join()).toContain('--ipc=host')
    expect(check('ipc namespace').remark).toContain('its own')
  })

  test('that shares the IPC namespace of the host, sysctl is for the host', async () => {
    const check = await checksOf({ files: { '.dockerenv': '' } })
    expect(check('fs.mqueue.msg_max').raise?.[0]).toEqual({
      where: 'host, now',
      command: 'sysctl -w fs.mqueue.msg_max=100',
    })
  })

  test.each([
    ['its environment', {}, { KUBERNETES_SERVICE_HOST: '10.0.0.1' }],
    [
      'its service account',
      { 'var/run/secrets/kubernetes.io/serviceaccount/token': 'x', '.dockerenv': '' },
      {},
    ],
    ['its control group', { 'proc/self/cgroup': '0::/kubepods.slice/kubepods-pod1.slice\n' }, {}],
  ])('of Kubernetes, by %s, the commands are for pod and node', async (_, files, environment) => {
    const check = await checksOf({ files, environment, links: ownNamespaces })
    expect(check('runs in').value).toBe('kubernetes')
    expect(check('fs.mqueue.msg_max').raise).toEqual([
      { where: 'pod', command: 'securityContext: { sysctls: [{ name: fs.mqueue.msg_max, value: "100" }] }' },
      { where: 'node', command: 'kubelet --allowed-unsafe-sysctls=fs.mqueue.msg_max' },
    ])
    expect(commandsOf(check('RLIMIT_MSGQUEUE')).join()).toContain('LimitMSGQUEUE=8192000')
    expect(commandsOf(check('/dev/shm')).join()).toContain('emptyDir: { medium: Memory')
  })

  test('a namespace that is not of a container is told too', async () => {
    const check = await checksOf({ links: ownNamespaces })
    expect(check('runs in').value).toBe('host')
    expect(check('fs.mqueue.msg_max').raise?.[0]?.where).toBe('this IPC namespace, as its root')
  })
})

describe('the mqueue file system', () => {
  const unmounted = { 'proc/self/mountinfo': '22 1 0:20 / / rw - ext4 /dev/sda rw\n' }
  const posixQueues = async () => {
    throw new Error('not mounted')
  }

  test('is missed only where queues cannot be listed without it', async () => {
    const needed = await checksOf({ files: unmounted, probes: { posixQueues } })
    expect(needed('/dev/mqueue')).toMatchObject({ value: 'not mounted', verdict: 'warn' })
    expect(commandsOf(needed('/dev/mqueue'))[0]).toContain('mount -t mqueue none /dev/mqueue')
    expect(needed('RLIMIT_MSGQUEUE')).toMatchObject({ used: null, verdict: 'ok' })
    const root = await checksOf({ files: unmounted })
    expect(root('/dev/mqueue')).toMatchObject({ value: 'not mounted', verdict: 'ok' })
  })

  test('of another namespace is a warning', async () => {
    const check = (await checksOf({ probes: { makePosix: async () => ({ shown: false }) } }))('/dev/mqueue')
    expect(check).toMatchObject({ verdict: 'warn', remark: expect.stringContaining('another IPC namespace') })
  })

  test('may be mounted elsewhere', async () => {
    const files = { 'proc/self/mountinfo': '26 22 0:22 / /mnt/my\\040queues rw - mqueue mqueue rw\n' }
    expect((await checksOf({ files }))('/mnt/my queues').value).toBe('mounted')
  })
})

describe('RemoveIPC of systemd', () => {
  const running = { 'run/systemd/seats/.keep': '' }
  const service = { ...running, 'proc/self/status': 'Uid:\t999\t999\t999\t999\nCapEff:\t0\n' }

  test.each([
    ['without logind', {}, 'ok'],
    ['with logind and its default', running, 'warn'],
    ['for a system user', service, 'ok'],
    ['for a user that lingers', { ...running, 'var/lib/systemd/linger/ann': '' }, 'ok'],
    [
      'when logind.conf says no',
      { ...running, 'etc/systemd/logind.conf': '[Login]\n#RemoveIPC=yes\nRemoveIPC=no\n' },
      'ok',
    ],
    [
      'when a drop-in says yes again',
      {
        ...running,
        'etc/systemd/logind.conf': 'RemoveIPC=no\n',
        'usr/lib/systemd/logind.conf.d/50-yes.conf': 'RemoveIPC=yes\n',
      },
      'warn',
    ],
  ])('%s', async (_, files, verdict) => {
    const check = (await checksOf({ files }))('RemoveIPC')
    expect(check.verdict).toBe(verdict)
    expect(commandsOf(check).join()).toContain(verdict === 'warn' ? 'loginctl enable-linger ann' : '')
  })
})

describe('a kernel that lacks something', () => {
  test('MSG_COPY: peek does not work', async () => {
    const check = (await checksOf({ probes: { makeSysv: async () => ({ peek: false }) } }))('MSG_COPY')
    expect(check).toMatchObject({
      value: 'no',
      verdict: 'warn',
      remark: expect.stringContaining('CONFIG_CHECKPOINT_RESTORE'),
    })
  })

  test('both kinds of queues: it says so', async () => {
    const without = Object.keys(host).filter((path) => path.startsWith('proc/sys/'))
    const error = async () => ({ error: 'ENOSYS' })
    const checks = examine(
      await factsOf({
        files: Object.fromEntries(without.map((path) => [path, null])),
        probes: { makePosix: error, makeSysv: error },
      }),
    )
    expect(checks.filter(({ verdict }) => verdict === 'bad').map(({ group }) => group)).toEqual([
      'POSIX queues',
      'System V queues',
    ])
  })
})

describe('on the real system', () => {
  const ours = () =>
    existsSync('/dev/mqueue') ? readdirSync('/dev/mqueue').filter((name) => name.includes('doctor')) : []

  test('it reports as text, and leaves nothing behind', async () => {
    const before = (await ipckit(['ls', '--sysv', '--queue'])).stdout
    const { code, stdout, stderr } = await ipckit(['doctor'])
    expect(stderr).toBe('')
    for (const part of [
      'This process',
      'fs.mqueue.msg_max',
      'RLIMIT_MSGQUEUE',
      'kernel.msgmnb',
      '/dev/shm',
    ]) {
      expect(stdout).toContain(part)
    }
    expect(stdout).toMatch(/(ok|warn|bad): \d+ bad, \d+ to watch, \d+ ok\n$/)
    expect(code).toBe(stdout.includes(': 0 bad') ? 0 : 1)
    expect(ours()).toEqual([])
    expect((await ipckit(['ls', '--sysv', '--queue'])).stdout).toBe(before)
  })

  test('it reports as JSON, without infinities', async () => {
    const { stdout } = await ipckit(['doctor', '--json'])
    const { verdict, place, namespaces, checks } = JSON.parse(stdout)
    expect(['ok', 'warn', 'bad']).toContain(verdict)
    expect(place.kind).toEqual(expect.any(String))
    expect(namespaces.map(({ name }: { name: string }) => name)).toEqual(['ipc', 'mnt', 'user', 'pid'])
    for (const check of checks) expect(check.value).toEqual(expect.anything())
    expect(checks.find(({ name }: Check) => name === 'a small queue').value).toBe('can be made')
  })

  test('it looks at a queue', async () => {
    const [posix, sysv] = [posixAddress(), sysvAddress()]
    await ipckit(['send', posix, 'x', '--create', '--capacity', '1'])
    await ipckit(['send', sysv, 'x', '--create'])
    const room = async (address: string) => {
      const { checks } = JSON.parse((await ipckit(['doctor', address, '--json'])).stdout)
      return checks.find(({ group, name }: Check) => group === address && name === 'room')
    }
    expect(await room(posix)).toMatchObject({ value: 1, used: 1, unit: 'messages', verdict: 'warn' })
    expect(await room(sysv)).toMatchObject({ used: 1, unit: 'bytes', verdict: 'ok' })
  })

  test('a queue that is not there is bad', async () => {
    const address = posixAddress()
    const missing = await ipckit(['doctor', address])
    expect(missing.stdout).toMatch(/bad +exists +no \(ENOENT\)/)
    expect(missing.code).toBe(1)
  })

  test.runIf(canBeNobody)('it says what this user may not do with a queue', async () => {
    for (const address of [posixAddress(), sysvAddress()]) {
      await ipckit(['send', address, 'x', '--create', '--mode', '644'])
      const { code, stdout } = await ipckit(['doctor', address], { through: asNobody })
      expect(stdout).toMatch(/(ok|warn) +room/)
      expect(stdout).toMatch(/bad +may send +no \(EACCES\)/)
      expect(stdout).not.toContain('may receive')
      expect(code).toBe(1)
    }
  })

  test.runIf(canUnmount)('it tells a mount of another namespace, and none', async () => {
    const mount = async (through: string[]) => {
      const { stdout } = await ipckit(['doctor', '--json'], { through })
      return JSON.parse(stdout).checks.find(({ name }: Check) => name === '/dev/mqueue')
    }
    expect(await mount(['unshare', '--ipc', ...withoutMounting])).toMatchObject({
      verdict: 'warn',
      remark: expect.stringContaining('another IPC namespace'),
    })
    expect(await mount(withoutMqueue)).toMatchObject({ verdict: 'warn', value: 'not mounted' })
  })
})

describe('semaphores', () => {
  const withSemaphores = (sem: string, sets: string[] = []) => ({
    'proc/sys/kernel/sem': sem,
    'proc/sysvipc/sem': ['key semid perms nsems', ...sets, ''].join('\n'),
  })
  const semaphoreChecks = async (files: Record<string, string>) =>
    examine(await factsOf({ files })).filter(({ group }) => group === 'System V semaphores')

  test('the four limits of kernel.sem are told, with how much is used', async () => {
    const files = withSemaphores('32000\t1024000000\t500\t32000\n', ['5 0 600 10', '0 1 600 3'])
    const shown = (await semaphoreChecks(files)).map(({ name, value, used, verdict }) => [
      name,
      value,
      used,
      verdict,
    ])
    expect(shown).toEqual([
      ['SEMMSL', 32_000, undefined, 'ok'],
      ['SEMMNS', 1_024_000_000, 13, 'ok'],
      ['SEMOPM', 500, undefined, 'ok'],
      ['SEMMNI', 32_000, 2, 'ok'],
    ])
  })

  test('a limit that is used up is bad, and the command sets all four', async () => {
    const [, total, , sets] = await semaphoreChecks(
      withSemaphores('10 13 500 2', ['5 0 600 10', '0 1 600 3']),
    )
    expect([total?.verdict, sets?.verdict]).toEqual(['bad', 'bad'])
    expect(sets?.raise?.map(({ command }) => command)).toContain('sysctl -w kernel.sem="10 13 500 4"')
  })

  test('a kernel without them has no such checks', async () => {
    expect(await semaphoreChecks({})).toEqual([])
  })
})
