/**
 * Operations on a System V semaphore set, as semop(2) takes them: many at once, all or none.
 */
import { checkBoolean, checkInteger, checkKeys, checkObject, outOfRange, wrongType } from '../options.js'
import type { Operation } from '../wait/operation-line.js'

/** One of the operations that are done together. */
export interface SemaphoreOperation {
  /** Which semaphore of the set, from 0. */
  semaphore: number
  /** What is added to its value, -32,767 to 32,767; below 0 it waits until it can, and 0 waits for the value 0. */
  by: number
  /** The kernel takes it back when this process ends: SEM_UNDO. Default false. */
  undo?: boolean | undefined
}

/** Operations as the addon takes them. */
export interface SetOperation extends Operation {
  /** Three int16 each: semaphore, change, flags. */
  readonly packed: Int16Array
}

/** SEMVMX of Linux. */
export const maxSetValue = 32_767
const undoFlag = 0o10000

/** A set has at most so many semaphores: their number is 16 bits wide. */
const maxIndex = 65_535

export function checkIndex(value: unknown, name = 'semaphore'): number {
  return checkInteger(name, value, 0, maxIndex)
}

/** Checks operations and lays them out. */
export function packOperations(operations: readonly SemaphoreOperation[]): SetOperation {
  if (!Array.isArray(operations)) throw wrongType('operations', 'an array of operations', operations)
  if (operations.length === 0) throw outOfRange('operations', 'at least one operation', operations)
  const packed = new Int16Array(operations.length * 3)
  for (const [at, operation] of operations.entries()) {
    checkKeys(`operations[${at}]`, checkObject(`operations[${at}]`, operation), ['semaphore', 'by', 'undo'])
    const { semaphore, by, undo = false } = operation
    checkIndex(semaphore, `operations[${at}].semaphore`)
    checkInteger(`operations[${at}].by`, by, -maxSetValue, maxSetValue)
    checkBoolean(`operations[${at}].undo`, undo)
    packed.set([semaphore, by, undo ? undoFlag : 0], at * 3)
  }
  return setOperation(packed)
}

const singles = new Map<string, SetOperation>()

/** One operation; those that are used often are made once. */
export function singleOperation(semaphore: number, by: number, undo: boolean): SetOperation {
  const key = `${semaphore} ${by} ${undo}`
  const standing = singles.get(key)
  if (standing !== undefined) return standing
  const made = setOperation(Int16Array.of(semaphore, by, undo ? undoFlag : 0))
  if (singles.size < 256) singles.set(key, made)
  return made
}

function setOperation(packed: Int16Array): SetOperation {
  const takes = new Set<number>()
  let returnable = true
  for (let at = 0; at < packed.length; at += 3) {
    const by = packed[at + 1] as number
    if (by < 0) takes.add((packed[at] as number) & 0xffff)
    if (by > 0) returnable = false
  }
  return { packed, key: packed.join(), takes: [...takes], returnable }
}
