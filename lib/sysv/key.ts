/**
 * Keys of System V objects: the 32-bit numbers under which unrelated processes find them.
 */
import { native } from '../binding.js'
import { errnoOf, type SystemFailure, systemError } from '../errors.js'
import { checkInteger, checkText, outOfRange } from '../options.js'

/** IPC_PRIVATE: a new object that only its id leads to. */
export const privateKey = 0

/** Checks a key: 1 to 0xffffffff; negative numbers, as C shows them, are taken too. */
export function checkKey(value: unknown): number {
  const key = checkInteger('key', value, -(2 ** 31), 2 ** 32 - 1)
  if (key === privateKey) throw outOfRange('key', 'a key other than 0, which is IPC_PRIVATE', value)
  return key | 0
}

/** A key as people write it: `0x00001234`. */
export function formatKey(key: number): string {
  return `0x${(key >>> 0).toString(16).padStart(8, '0')}`
}

/**
 * Makes a key of a file and a project number: ftok(3). Every process that names the same file and number gets
 * the same key. The key is made of the low bits of the file's inode and device, so two files may share one,
 * and a file that is made anew has another.
 *
 * @param path - An existing file or folder.
 * @param project - 1 to 255; only these 8 bits count.
 * @throws {@link NotFoundError} when there is no such file.
 * @see {@link https://man7.org/linux/man-pages/man3/ftok.3.html | ftok(3)}
 * @example
 * ```ts
 * import { ftok, MessageQueue } from 'ipckit/sysv'
 * const queue = MessageQueue.openOrCreate(ftok('/etc/myapp.conf', 1))
 * ```
 */
export function ftok(path: string, project: number): number {
  checkText('path', path)
  if (path.includes('\0')) throw outOfRange('path', 'a path without NUL', path)
  checkInteger('project', project, 1, 255)
  try {
    return native.ftok(path, project)
  } catch (error) {
    const { errno, syscall } = error as SystemFailure
    const advice =
      errno === -errnoOf.ENOENT ? 'the file must exist, as the key is made of its inode' : undefined
    throw systemError({ errno, syscall, resource: path, action: 'make a key of', advice })
  }
}
