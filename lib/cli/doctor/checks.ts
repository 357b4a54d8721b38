/** Judges the facts. Nothing is read here. */
import { byUse, type Check } from './check.js'
import type { Facts } from './facts.js'
import { pipeChecks } from './pipe-checks.js'
import { posixChecks } from './posix-checks.js'
import { keepQueues, raiseLimit, raiseTasks, shareQueues } from './remedies.js'
import { removalChecks } from './removal-checks.js'
import { semaphoreChecks } from './semaphore-checks.js'
import { futexCheck, segmentChecks, sharedMemoryCheck } from './shared-memory-checks.js'
import { sysvChecks } from './sysv-checks.js'

/** Everything that is to be said of the system, in the order of the report. */
export function examine(facts: Facts): Check[] {
  return [
    ...placeChecks(facts),
    ...posixChecks(facts),
    ...sysvChecks(facts),
    ...semaphoreChecks(facts),
    ...processChecks(facts),
    sharedMemoryCheck(facts),
    futexCheck(facts),
    ...segmentChecks(facts),
    ...pipeChecks(facts),
    ...removalChecks(facts),
    logindCheck(facts),
  ].filter((check) => check !== undefined)
}

const place = 'This process'

function placeChecks(facts: Facts): Check[] {
  const { kind, evidence } = facts.place
  return [
    {
      group: place,
      name: 'runs in',
      value: kind,
      verdict: 'ok',
      remark: evidence.length === 0 ? 'nothing tells of a container' : evidence.join(', '),
      raise: shareQueues(facts),
    },
    { group: place, name: 'user', value: `${facts.user.name} (${facts.user.uid})`, verdict: 'ok' },
    ...facts.namespaces.map((namespace): Check => {
      const { name, id, initial } = namespace
      const value = id?.replace(/^\w+:\[(\d+)\]$/, '$1') ?? null
      const remark = initial === null ? undefined : initial ? "the machine's own" : remarks[name]
      return { group: place, name: `${name} namespace`, value, verdict: 'ok', ...(remark && { remark }) }
    }),
    ...Object.entries(facts.capabilities ?? {}).map(
      ([name, has]): Check => ({
        group: place,
        name,
        value: has ? 'yes' : 'no',
        verdict: 'ok',
        remark: powers[name as keyof typeof powers],
      }),
    ),
  ]
}

const remarks = {
  ipc: 'its own: queues of the host and of other containers are not seen here',
  mnt: 'its own',
  user: 'its own: capabilities do not pass the limits of the machine',
  pid: 'its own: pids of processes outside are shown as 0',
}

const powers = {
  CAP_SYS_RESOURCE: 'passes msg_max, msgsize_max, queues_max and msgmnb, and raises hard limits',
  CAP_SYS_ADMIN: 'mounts the mqueue file system, and changes sysctls',
  CAP_IPC_OWNER: 'uses System V queues of others whatever their mode',
}

const limits = 'Limits of the process'

function processChecks(facts: Facts): (Check | undefined)[] {
  const { files, processes, signals } = facts.limits
  const { tasks, threads } = facts
  return [
    files && {
      group: limits,
      name: 'RLIMIT_NOFILE',
      value: files.soft,
      unit: 'descriptors',
      verdict: files.soft < 256 ? 'warn' : 'ok',
      remark: `each POSIX queue that is open takes one; hard limit ${files.hard}`,
      raise: raiseLimit('nofile', Math.max(4096, files.soft * 2), files.hard, facts),
    },
    processes && {
      group: limits,
      name: 'RLIMIT_NPROC',
      value: processes.soft,
      unit: 'threads of the user',
      used: threads,
      // The kernel does not hold root to it.
      verdict: facts.user.uid === 0 ? 'ok' : byUse(threads, processes.soft),
      remark: 'each System V queue that waits takes a thread',
      raise: raiseLimit('nproc', doubled(processes.soft), processes.hard, facts),
    },
    signals && {
      group: limits,
      name: 'RLIMIT_SIGPENDING',
      value: signals.soft,
      unit: 'signals and timers of the user',
      used: facts.signals ?? null,
      verdict: facts.signals === undefined ? 'ok' : byUse(facts.signals, signals.soft),
      remark: 'each thread that waits at a System V queue, or at a semaphore, takes a timer',
      raise: raiseLimit('sigpending', doubled(signals.soft), signals.hard, facts),
    },
    tasks && {
      group: limits,
      name: 'pids cgroup',
      value: tasks.max,
      unit: 'threads of the group',
      used: tasks.current,
      verdict: byUse(tasks.current, tasks.max),
      raise: raiseTasks(doubled(tasks.max), facts),
    },
  ]
}

/** logind spares system users (SYS_UID_MAX of login.defs) and nobody. */
const isSystemUser = (uid: number) => uid < 1000 || uid >= 65_534

function logindCheck(facts: Facts): Check {
  const { running, removeIpc, setIn, lingers } = facts.logind
  const spared = isSystemUser(facts.user.uid)
  const threatened = running && removeIpc && !spared && !lingers
  const says = `${removeIpc ? 'yes' : 'no'}, ${setIn === undefined ? 'the default' : `set in ${setIn}`}`
  return {
    group: 'Logout',
    name: 'RemoveIPC',
    value: running ? says : 'no logind here',
    verdict: threatened ? 'warn' : 'ok',
    ...(running && removeIpc && { remark: logoutRemark(facts, threatened, spared) }),
    ...(threatened && { raise: keepQueues(facts.user.name) }),
  }
}

function logoutRemark({ user }: Facts, threatened: boolean, spared: boolean): string {
  if (threatened)
    return `systemd removes all queues of ${user.name} when the last session of ${user.name} ends`
  return spared ? 'spares system users' : `${user.name} lingers, which spares the queues`
}

/** The next limit that is worth trying. */
function doubled(value: number): number {
  return Number.isFinite(value) ? value * 2 : value
}
