// Where the processes of a measurement run. `free` leaves it to the scheduler; `same` puts both ends on one
// CPU, so that every wait is a context switch; `apart` gives each end a CPU of its own, so that every wait is
// a wake-up across CPUs.
import { spawnSync } from 'node:child_process'

/** The CPUs that this process may use. */
const cpus = allowedCpus()

function allowedCpus() {
  const { status, stdout } = spawnSync('taskset', ['-pc', String(process.pid)], { encoding: 'utf8' })
  if (status !== 0) return []
  return stdout
    .slice(stdout.lastIndexOf(':') + 1)
    .split(',')
    .flatMap((range) => {
      const [first, last = first] = range.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, at) => first + at)
    })
}

export function isPossible(place) {
  return place === 'free' || cpus.length >= (place === 'apart' ? 2 : 1)
}

/** What stands in front of the command line of a process; `end` is 0 or 1. */
export function launcher(place, end) {
  if (place === 'free') return []
  const cpu = place === 'apart' ? cpus[end * (cpus.length - 1)] : cpus[0]
  return ['taskset', '-c', String(cpu)]
}

function keepTo(list) {
  spawnSync('taskset', ['-pc', list, String(process.pid)])
}

/** Runs something while this thread, and every process that it starts, keeps to one CPU. */
export async function onOneCpu(run) {
  if (!isPossible('same')) return run()
  keepTo(String(cpus[0]))
  try {
    return await run()
  } finally {
    keepTo(cpus.join(','))
  }
}
