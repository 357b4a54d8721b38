/** Where this process runs, which decides how a limit is raised. */
import type { KernelFiles } from './kernel-files.js'

/** `container`: of a kind that we do not know. */
export type PlaceKind = 'host' | 'docker' | 'podman' | 'kubernetes' | 'container'

export interface Place {
  kind: PlaceKind
  /** What tells so. */
  evidence: string[]
}

/** Finds out where this process runs. */
export function placeOf(files: KernelFiles, environment: NodeJS.ProcessEnv): Place {
  const groups = `${files.text('proc/1/cgroup') ?? ''}${files.text('proc/self/cgroup') ?? ''}`
  const container = /(?:^|\0)container=([^\0]+)/.exec(files.text('proc/1/environ') ?? '')?.[1]
  const signs: [PlaceKind, unknown, string][] = [
    ['kubernetes', environment.KUBERNETES_SERVICE_HOST, 'KUBERNETES_SERVICE_HOST is set'],
    ['kubernetes', files.exists('var/run/secrets/kubernetes.io'), '/var/run/secrets/kubernetes.io exists'],
    ['kubernetes', groups.includes('kubepods'), 'its control group is of kubepods'],
    ['podman', files.exists('run/.containerenv'), '/run/.containerenv exists'],
    ['podman', /libpod/.test(groups), 'its control group is of libpod'],
    ['docker', files.exists('.dockerenv'), '/.dockerenv exists'],
    ['docker', /\/docker[/-]/.test(groups), 'its control group is of docker'],
    ['container', container, `process 1 says container=${container}`],
    ['container', /\/(lxc|machine\.slice)/.test(groups), 'its control group is of a container'],
  ]
  const kind = signs.find(([, present]) => present)?.[0] ?? 'host'
  return { kind, evidence: signs.filter(([of, present]) => of === kind && present).map(([, , what]) => what) }
}
