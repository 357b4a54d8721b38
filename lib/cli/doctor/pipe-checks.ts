/** Limits of pipes and FIFOs, pipe(7), and what opening other users' FIFOs is protected by: proc_sys_fs(5). */
import type { Check } from './check.js'
import type { Facts, SysctlName } from './facts.js'
import { raiseOnHost } from './remedies.js'

const group = 'Pipes and FIFOs'

/** Everything about pipes. */
export function pipeChecks(facts: Facts): Check[] {
  const protection = facts.sysctls['fs.protected_fifos']
  return [
    limit(facts, 'fs.pipe-max-size', 'bytes', 'the largest pipe, unless CAP_SYS_RESOURCE is there', 4),
    limit(
      facts,
      'fs.pipe-user-pages-soft',
      'pages',
      'all pipes of a user; beyond it new ones have two pages, and none can grow',
      4,
    ),
    limit(facts, 'fs.pipe-user-pages-hard', 'pages', 'all pipes of a user; beyond it none can be made', 2),
    protection === undefined
      ? undefined
      : {
          group,
          name: 'fs.protected_fifos',
          value: protection,
          verdict: 'ok' as const,
          remark:
            protection === 0
              ? 'off: a program that opens with O_CREAT takes a FIFO that somebody else has put into /tmp; ipckit refuses those by their owner'
              : "O_CREAT does not open others' FIFOs in folders such as /tmp (EACCES); ipckit opens without it",
          ...(protection === 0 && { raise: raiseOnHost('fs.protected_fifos', 1, facts) }),
        },
  ].filter((check) => check !== undefined)
}

/** Of the pages 0 is no limit. */
function limit(
  facts: Facts,
  name: SysctlName,
  unit: string,
  remark: string,
  times: number,
): Check | undefined {
  const value = facts.sysctls[name]
  if (value === undefined) return undefined
  if (value === 0) return { group, name, value: Number.POSITIVE_INFINITY, unit, verdict: 'ok', remark }
  return { group, name, value, unit, verdict: 'ok', remark, raise: raiseOnHost(name, value * times, facts) }
}
