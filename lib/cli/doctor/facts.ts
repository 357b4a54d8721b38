/** What the doctor looks at. Collecting judges nothing; `checks.ts` does. */
import { namesIn } from '../owner.js'
import type { QueueFacts } from '../queues.js'
import { type KernelFiles, numberOf } from './kernel-files.js'
import { type Place, placeOf } from './place.js'

/** What only trying can tell; tests give their own. */
export interface Probes {
  posixQueues(): Promise<QueueFacts[]>
  sysvQueues(): Promise<QueueFacts[]>
  /** Makes and removes a small POSIX queue; `mount` is where the mqueue file system is, if anywhere. */
  makePosix(mount: string | undefined): Promise<PosixTrial>
  /** Makes and removes a System V queue. */
  makeSysv(): Promise<SysvTrial>
  /** statfs(2) of /dev/shm, and the files in it. */
  sharedMemory(): { total: number; free: number; files: SharedFile[] } | undefined
  /** Whether the kernel has futex_waitv(2), and the sandbox lets it pass. */
  futexWaitv(): boolean
}

/** A file of /dev/shm. */
export interface SharedFile {
  /** As the other commands take it. */
  address: string
  object: 'queue' | 'semaphore' | 'memory'
  owner: string
  /** What it takes, which may be less than its size. */
  bytes: number
}

/** How making a queue went: the code of the error when it failed. */
export interface PosixTrial {
  error?: string
  /** Whether the mount of the mqueue file system shows it; undefined when there is no mount. */
  shown?: boolean
}

export interface SysvTrial {
  error?: string
  /** Whether the kernel has MSG_COPY; undefined when it could not be tried. */
  peek?: boolean
}

/** Queues, or why they cannot be listed. */
export interface Listing {
  queues: QueueFacts[]
  error?: string
}

export interface Limit {
  soft: number
  hard: number
}

export interface Namespace {
  name: 'ipc' | 'mnt' | 'user' | 'pid'
  /** As `ipc:[4026531839]`. */
  id: string | null
  /** Whether it is the one that the machine started with; null where that cannot be told. */
  initial: boolean | null
}

export const sysctlNames = [
  'fs.mqueue.msg_max',
  'fs.mqueue.msgsize_max',
  'fs.mqueue.msg_default',
  'fs.mqueue.msgsize_default',
  'fs.mqueue.queues_max',
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.shmmax',
  'kernel.shmall',
  'kernel.shmmni',
  'fs.pipe-max-size',
  'fs.pipe-user-pages-soft',
  'fs.pipe-user-pages-hard',
  'fs.protected_fifos',
  'fs.inotify.max_user_instances',
  'fs.inotify.max_user_watches',
] as const
export type SysctlName = (typeof sysctlNames)[number]

export const capabilityBits = { CAP_IPC_OWNER: 15, CAP_SYS_ADMIN: 21, CAP_SYS_RESOURCE: 24 } as const
export type CapabilityName = keyof typeof capabilityBits

export interface Facts {
  user: { uid: number; name: string }
  place: Place
  namespaces: Namespace[]
  capabilities: Record<CapabilityName, boolean> | undefined
  sysctls: Partial<Record<SysctlName, number>>
  limits: { msgqueue?: Limit; files?: Limit; processes?: Limit; signals?: Limit }
  /** Threads of this user that are visible from here. */
  threads: number
  /** Signals that wait for processes of this user, and timers of theirs: the kernel counts them together. */
  signals: number | undefined
  /** The control group of this process that limits tasks. */
  tasks: { max: number; current: number } | undefined
  mqueueMount: string | undefined
  sharedMemory: { mounted: boolean; total?: number; free?: number; files?: SharedFile[] }
  futexWaitv: boolean
  /** System V segments of all users. */
  segments: { count: number; bytes: number }
  logind: { running: boolean; removeIpc: boolean; setIn?: string; lingers: boolean }
  posix: Listing & { trial: PosixTrial }
  sysv: Listing & { trial: SysvTrial }
  /** The four numbers of kernel.sem, and how much of them is used; absent where there are no such semaphores. */
  semaphores?: SemaphoreFacts | undefined
}

export interface SemaphoreFacts {
  /** Semaphores in a set: SEMMSL. */
  setSize: number
  /** Semaphores in all sets: SEMMNS. */
  total: number
  /** Operations in one call: SEMOPM. */
  operations: number
  /** Sets: SEMMNI. */
  sets: number
  usedSets: number
  usedTotal: number
}

/** Collects everything. */
export async function collectFacts(
  files: KernelFiles,
  environment: NodeJS.ProcessEnv,
  probes: Probes,
): Promise<Facts> {
  const status = files.text('proc/self/status') ?? ''
  const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? 0)
  const name = namesIn(files.text('etc/passwd') ?? '').get(uid) ?? String(uid)
  const mounts = mountsIn(files.text('proc/self/mountinfo') ?? '')
  const mqueueMount = mounts.find(({ type }) => type === 'mqueue')?.at
  return {
    user: { uid, name },
    place: placeOf(files, environment),
    namespaces: namespacesIn(files),
    capabilities: capabilitiesIn(status),
    sysctls: sysctlsIn(files),
    limits: limitsIn(files.text('proc/self/limits') ?? ''),
    threads: threadsOf(files, uid),
    signals: numberOf(/^SigQ:\s+(\d+)/m.exec(status)?.[1]),
    tasks: tasksIn(files),
    mqueueMount,
    sharedMemory: { mounted: mounts.some(({ at }) => at === '/dev/shm'), ...probes.sharedMemory() },
    futexWaitv: probes.futexWaitv(),
    segments: segmentsIn(files.text('proc/sysvipc/shm') ?? ''),
    logind: logindIn(files, name),
    posix: { ...(await listing(probes.posixQueues)), trial: await probes.makePosix(mqueueMount) },
    sysv: { ...(await listing(probes.sysvQueues)), trial: await probes.makeSysv() },
    semaphores: semaphoresIn(files),
  }
}

async function listing(list: () => Promise<QueueFacts[]>): Promise<Listing> {
  try {
    return { queues: await list() }
  } catch (error) {
    return { queues: [], error: (error as Error).message }
  }
}

/** Inode numbers that the kernel gives to its first namespaces (include/linux/proc_ns.h). */
const initialInodes = { ipc: 0xef_ff_ff_ff, user: 0xef_ff_ff_fd, pid: 0xef_ff_ff_fc } as const

function namespacesIn(files: KernelFiles): Namespace[] {
  return (['ipc', 'mnt', 'user', 'pid'] as const).map((name) => {
    const id = files.link(`proc/self/ns/${name}`) ?? null
    const first = name === 'mnt' ? null : initialInodes[name]
    return { name, id, initial: id === null || first === null ? null : id === `${name}:[${first}]` }
  })
}

function capabilitiesIn(status: string): Facts['capabilities'] {
  const mask = /^CapEff:\s+([0-9a-f]+)/m.exec(status)?.[1]
  if (mask === undefined) return undefined
  const has = (bit: number) => ((BigInt(`0x${mask}`) >> BigInt(bit)) & 1n) === 1n
  const entries = Object.entries(capabilityBits).map(([name, bit]) => [name, has(bit)])
  return Object.fromEntries(entries) as Facts['capabilities']
}

function sysctlsIn(files: KernelFiles): Facts['sysctls'] {
  const entries = sysctlNames.map((name) => [name, files.number(`proc/sys/${name.replaceAll('.', '/')}`)])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

function limitsIn(text: string): Facts['limits'] {
  const read = (label: string): Limit | undefined => {
    const [, soft, hard] = new RegExp(`^${label}\\s+(\\S+)\\s+(\\S+)`, 'm').exec(text) ?? []
    const [low, high] = [numberOf(soft), numberOf(hard)]
    return low === undefined || high === undefined ? undefined : { soft: low, hard: high }
  }
  const found = {
    msgqueue: read('Max msgqueue size'),
    files: read('Max open files'),
    processes: read('Max processes'),
    signals: read('Max pending signals'),
  }
  return Object.fromEntries(Object.entries(found).filter(([, limit]) => limit !== undefined))
}

function threadsOf(files: KernelFiles, uid: number): number {
  let threads = 0
  for (const pid of files.names('proc')) {
    if (!/^\d+$/.test(pid)) continue
    const status = files.text(`proc/${pid}/status`) ?? ''
    if (Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]) !== uid) continue
    threads += Number(/^Threads:\s+(\d+)/m.exec(status)?.[1] ?? 1)
  }
  return threads
}

/** The innermost group that has a limit; a container sees its own group at the root of the mount. */
function tasksIn(files: KernelFiles): Facts['tasks'] {
  for (const line of files.text('proc/self/cgroup')?.split('\n') ?? []) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (path === undefined) continue
    const mount = controllers === '' ? 'sys/fs/cgroup' : 'sys/fs/cgroup/pids'
    if (controllers !== '' && !controllers?.split(',').includes('pids')) continue
    for (const folder of [`${mount}${path}`, mount]) {
      const max = files.number(`${folder}/pids.max`)
      const current = files.number(`${folder}/pids.current`)
      if (max !== undefined && current !== undefined && Number.isFinite(max)) return { max, current }
    }
  }
  return undefined
}

/** proc_sysvipc(5): a heading, then a line for each, with the size in the fourth column. */
function segmentsIn(text: string): Facts['segments'] {
  const lines = text.trimEnd().split('\n').slice(1)
  const sizes = lines.map((line) => Number(line.trim().split(/\s+/)[3] ?? 0))
  return { count: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
}

/** mountinfo of proc(5): where, then after a dash the type. Of two mounts at one place the later is seen. */
function mountsIn(text: string): { at: string; type: string }[] {
  const lines = text.split('\n').filter((line) => line.includes(' - '))
  const mounts = lines.map((line) => {
    const [before = '', after = ''] = line.split(' - ')
    return { at: (before.split(' ')[4] ?? '').replaceAll('\\040', ' '), type: after.split(' ')[0] ?? '' }
  })
  return mounts.reverse()
}

/** logind.conf(5): a file in /etc counts before one in /run and /usr/lib, and drop-ins before the main file. */
function logindIn(files: KernelFiles, user: string): Facts['logind'] {
  const folders = ['usr/lib/systemd', 'run/systemd', 'etc/systemd']
  const dropIns = folders.flatMap((folder) =>
    files.names(`${folder}/logind.conf.d`).map((name) => `${folder}/logind.conf.d/${name}`),
  )
  // Drop-ins of all folders are sorted by their own names.
  const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1)
  dropIns.sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))
  const found = { removeIpc: true, setIn: undefined as string | undefined }
  for (const path of [...folders.map((folder) => `${folder}/logind.conf`), ...dropIns]) {
    const setting = [...(files.text(path) ?? '').matchAll(/^\s*RemoveIPC\s*=\s*(\S+)/gm)].at(-1)?.[1]
    if (setting === undefined) continue
    found.removeIpc = /^(yes|true|on|1)$/i.test(setting)
    found.setIn = `/${path}`
  }
  return {
    running: files.exists('run/systemd/seats') || files.exists('run/systemd/sessions'),
    removeIpc: found.removeIpc,
    ...(found.setIn === undefined ? {} : { setIn: found.setIn }),
    lingers: files.exists(`var/lib/systemd/linger/${user}`),
  }
}

function semaphoresIn(files: KernelFiles): SemaphoreFacts | undefined {
  const numbers = files.text('proc/sys/kernel/sem')?.trim().split(/\s+/).map(Number)
  if (numbers?.length !== 4) return undefined
  const [setSize = 0, total = 0, operations = 0, sets = 0] = numbers
  const [, ...lines] = (files.text('proc/sysvipc/sem') ?? '').trimEnd().split('\n')
  const sizes = lines.map((line) => Number(line.trim().split(/\s+/)[3]))
  return {
    ...{ setSize, total, operations, sets },
    usedSets: sizes.length,
    usedTotal: sizes.reduce((sum, size) => sum + size, 0),
  }
}
