/** The commands that raise a limit, for the place where this process runs. */
import type { Facts, SysctlName } from './facts.js'

/** One way to raise a limit. */
export interface Remedy {
  /** Where it is done: `on the host`, `docker run`, `pod`, `node`, `service`, `this shell`. */
  readonly where: string
  readonly command: string
}

type Where = Pick<Facts, 'place' | 'namespaces'>

function ipcIsInitial({ namespaces }: Where): boolean | null | undefined {
  return namespaces.find(({ name }) => name === 'ipc')?.initial
}

function runCommand({ place }: Where): string {
  return place.kind === 'podman' ? 'podman run' : 'docker run'
}

/** Raises a limit of sysctl(8): of the IPC namespace. */
export function raiseSysctl(name: SysctlName | 'kernel.sem', value: number | string, where: Where): Remedy[] {
  // Of several numbers the shell must make one word.
  const word = typeof value === 'string' ? `"${value}"` : value
  // A container that shares the IPC namespace of the host has its limits.
  if (where.place.kind === 'host' || ipcIsInitial(where)) {
    const now = { where: 'host, now', command: `sysctl -w ${name}=${word}` }
    if (ipcIsInitial(where) === false) return [{ ...now, where: 'this IPC namespace, as its root' }]
    return [
      now,
      { where: 'host, at boot', command: `echo '${name} = ${value}' >> /etc/sysctl.d/60-ipc.conf` },
    ]
  }
  if (where.place.kind === 'kubernetes') {
    return [
      { where: 'pod', command: `securityContext: { sysctls: [{ name: ${name}, value: "${value}" }] }` },
      { where: 'node', command: `kubelet --allowed-unsafe-sysctls=${name}` },
    ]
  }
  const run = runCommand(where)
  return [{ where: run, command: `${run} --sysctl ${name}=${word} ...` }]
}

/** Raises a limit of sysctl(8) that all containers of a machine share: it can be set on the machine alone. */
export function raiseOnHost(name: SysctlName, value: number, { place }: Where): Remedy[] {
  const host = place.kind === 'kubernetes' ? 'node' : 'host'
  return [
    { where: `${host}, now`, command: `sysctl -w ${name}=${value}` },
    { where: `${host}, at boot`, command: `echo '${name} = ${value}' >> /etc/sysctl.d/60-ipc.conf` },
  ]
}

const limits = {
  msgqueue: { shell: 'ulimit -q', systemd: 'LimitMSGQUEUE' },
  nofile: { shell: 'ulimit -n', systemd: 'LimitNOFILE' },
  nproc: { shell: 'ulimit -u', systemd: 'LimitNPROC' },
  sigpending: { shell: 'ulimit -i', systemd: 'LimitSIGPENDING' },
}

/** Raises a limit of getrlimit(2): of the process, and of those that it starts. */
export function raiseLimit(name: keyof typeof limits, value: number, hard: number, where: Where): Remedy[] {
  const { shell, systemd } = limits[name]
  // Up to the hard limit everybody may go.
  const own = value <= hard ? [{ where: 'this shell', command: `${shell} ${value}` }] : []
  switch (where.place.kind) {
    case 'host':
      return [
        ...own,
        { where: 'a process, as root', command: `prlimit --pid PID --${name}=${value}:${value}` },
        { where: 'service', command: `systemctl edit NAME, and there: [Service] ${systemd}=${value}` },
        { where: 'login', command: `echo '* - ${name} ${value}' >> /etc/security/limits.d/60-ipc.conf` },
      ]
    case 'kubernetes':
      return [
        ...own,
        {
          where: 'node',
          command: `pods have no field for it: systemctl edit containerd, and there: [Service] ${systemd}=${value} (CRI-O: default_ulimits = ["${name}=${value}:${value}"])`,
        },
        {
          where: 'pod',
          command: `securityContext: { capabilities: { add: [SYS_RESOURCE] } }, and start with: prlimit --${name}=${value} node ...`,
        },
      ]
    default: {
      const run = runCommand(where)
      return [...own, { where: run, command: `${run} --ulimit ${name}=${value}:${value} ...` }]
    }
  }
}

/** Raises how many tasks the control group may have. */
export function raiseTasks(value: number, where: Where): Remedy[] {
  switch (where.place.kind) {
    case 'host':
      return [{ where: 'service', command: `systemctl set-property NAME TasksMax=${value}` }]
    case 'kubernetes':
      return [{ where: 'node', command: `kubelet --pod-max-pids=${value}` }]
    default: {
      const run = runCommand(where)
      return [{ where: run, command: `${run} --pids-limit ${value} ...` }]
    }
  }
}

/** Makes /dev/shm larger. */
export function growSharedMemory(megabytes: number, where: Where): Remedy[] {
  switch (where.place.kind) {
    case 'host':
      return [{ where: 'host', command: `mount -o remount,size=${megabytes}m /dev/shm` }]
    case 'kubernetes':
      return [
        {
          where: 'pod',
          command: `volumes: [{ name: shm, emptyDir: { medium: Memory, sizeLimit: ${megabytes}Mi } }], mounted at /dev/shm; it counts against the memory limit`,
        },
      ]
    default: {
      const run = runCommand(where)
      return [{ where: run, command: `${run} --shm-size ${megabytes}m ...` }]
    }
  }
}

/** Mounts the mqueue file system of this IPC namespace. */
export function mountMqueue(where: Where): Remedy[] {
  const mount = 'mkdir -p /dev/mqueue && mount -t mqueue none /dev/mqueue'
  if (where.place.kind === 'host') return [{ where: 'host', command: mount }]
  return [
    {
      where: 'container',
      command: `${mount} (needs CAP_SYS_ADMIN; ${runCommand(where)} and kubelet do it unless told otherwise)`,
    },
  ]
}

/** Shares queues with processes outside of this container. */
export function shareQueues(where: Where): Remedy[] {
  switch (where.place.kind) {
    case 'host':
      return []
    case 'kubernetes':
      return [
        {
          where: 'pod',
          command: 'the containers of a pod share their queues; hostIPC: true shares those of the node',
        },
      ]
    default: {
      const run = runCommand(where)
      return [
        {
          where: run,
          command: `${run} --ipc=shareable --name one ..., and then: ${run} --ipc=container:one ...`,
        },
        { where: `${run}, with the host`, command: `${run} --ipc=host ...` },
      ]
    }
  }
}

/** Keeps systemd from removing a user's queues at logout. */
export function keepQueues(user: string): Remedy[] {
  return [
    {
      where: 'host',
      command:
        "mkdir -p /etc/systemd/logind.conf.d && printf '[Login]\\nRemoveIPC=no\\n' > /etc/systemd/logind.conf.d/60-ipc.conf && systemctl restart systemd-logind",
    },
    { where: 'this user', command: `loginctl enable-linger ${user}` },
  ]
}
