/** What the kernel allows here: its settings, and what this process may do. */
import { closeSync, existsSync, openSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'

/**
 * Whether the settings of IPC here are those of a namespace that scripts/isolated.mjs made for this run, which the
 * tests may change; those of the machine they may not.
 */
export const ownNamespace =
  process.env.IPCKIT_ISOLATED === '1' &&
  ['kernel/msgmnb', 'kernel/msgmni', 'fs/mqueue/msg_max'].every(mayWrite)

function mayWrite(setting: string): boolean {
  try {
    writeFileSync(`/proc/sys/${setting}`, readFileSync(`/proc/sys/${setting}`))
    return true
  } catch {
    return false
  }
}

export function readSetting(setting: string): number {
  return Number(readFileSync(`/proc/sys/${setting}`, 'utf8'))
}

/** Changes a setting, such as `kernel/msgmnb`, until the end of the test. */
export function changeSetting(setting: string, value: number): void {
  const before = readSetting(setting)
  onTestFinished(() => writeFileSync(`/proc/sys/${setting}`, String(before)))
  writeFileSync(`/proc/sys/${setting}`, String(value))
}

/** Whether {@link makeInLatin1} works here. */
export const canMakeInLatin1 = existsSync('/dev/mqueue') && ownNamespace

/** Makes a POSIX queue as a program with another character set does: the bytes of its name. It is removed after the test. */
export function makeInLatin1(name: string): Buffer {
  const path = Buffer.from(`/dev/mqueue${name}`, 'latin1')
  closeSync(openSync(path, 'wx', 0o600))
  onTestFinished(() => unlinkSync(path))
  return path.subarray('/dev/mqueue'.length)
}

/** An object of System V, as the settings of the kernel call it. */
type SystemVKind = 'msg' | 'sem' | 'shm'
const nextIdOf = (kind: SystemVKind) => `/proc/sys/kernel/${kind}_next_id`

/** Whether {@link chooseNextId} works here: the kernel has these settings with CONFIG_CHECKPOINT_RESTORE. */
export function canChooseIds(kind: SystemVKind): boolean {
  if (!ownNamespace) return false
  try {
    closeSync(openSync(nextIdOf(kind), 'w'))
    return true
  } catch {
    return false
  }
}

/** The next object that is made has this id, when no other has it. */
export function chooseNextId(kind: SystemVKind, id: number): void {
  writeFileSync(nextIdOf(kind), String(id))
}
