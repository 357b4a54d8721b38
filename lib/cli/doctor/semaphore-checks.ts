/** Limits of System V semaphores, the four numbers of kernel.sem: semctl(2). */
import { byUse, type Check } from './check.js'
import type { Facts, SemaphoreFacts } from './facts.js'
import { type Remedy, raiseSysctl } from './remedies.js'

const group = 'System V semaphores'

/** Everything about System V semaphores. */
export function semaphoreChecks(facts: Facts): Check[] {
  const { semaphores } = facts
  if (semaphores === undefined) return []
  const { setSize, total, operations, sets, usedSets, usedTotal } = semaphores
  const raise = (changes: Partial<SemaphoreFacts>) => raiseSem({ ...semaphores, ...changes }, facts)
  return [
    {
      group,
      name: 'SEMMSL',
      value: setSize,
      unit: 'semaphores in a set',
      verdict: 'ok',
      raise: raise({ setSize: setSize * 2 }),
    },
    {
      group,
      name: 'SEMMNS',
      value: total,
      unit: 'semaphores',
      used: usedTotal,
      verdict: byUse(usedTotal, total),
      raise: raise({ total: total * 2 }),
    },
    {
      group,
      name: 'SEMOPM',
      value: operations,
      unit: 'operations in a call',
      verdict: 'ok',
      raise: raise({ operations: operations * 2 }),
    },
    {
      group,
      name: 'SEMMNI',
      value: sets,
      unit: 'sets',
      used: usedSets,
      verdict: byUse(usedSets, sets),
      raise: raise({ sets: sets * 2 }),
    },
  ]
}

/** All four are set together. */
function raiseSem({ setSize, total, operations, sets }: SemaphoreFacts, facts: Facts): Remedy[] {
  return raiseSysctl('kernel.sem', `${setSize} ${total} ${operations} ${sets}`, facts)
}
