/** The limits of System V semaphores, and how much of them is used: semctl(2). */
import { native } from '../binding.js'

/** The four numbers of kernel.sem, and the largest value. */
export interface SemaphoreLimits {
  /** Semaphores in a set: SEMMSL, the first number of kernel.sem. */
  readonly setSize: number
  /** Semaphores in all sets of this namespace: SEMMNS, the second. */
  readonly semaphores: number
  /** Operations in one call: SEMOPM, the third. */
  readonly operations: number
  /** Sets in this namespace: SEMMNI, the fourth. */
  readonly sets: number
  /** The largest value: SEMVMX, 32,767. */
  readonly value: number
}

export interface SemaphoreUsage {
  /** Sets of all users in this namespace. */
  readonly sets: number
  /** Semaphores in all of them. */
  readonly semaphores: number
}

function read(): number[] {
  const out = new Float64Array(7)
  native.semsetLimits(out)
  return Array.from(out)
}

/** Reads the limits: IPC_INFO. */
export function semaphoreLimits(): SemaphoreLimits {
  const [sets = 0, setSize = 0, semaphores = 0, operations = 0, value = 0] = read()
  return { setSize, semaphores, operations, sets, value }
}

/** Reads how much of them is used: SEM_INFO. */
export function semaphoreUsage(): SemaphoreUsage {
  const [, , , , , sets = 0, semaphores = 0] = read()
  return { sets, semaphores }
}
