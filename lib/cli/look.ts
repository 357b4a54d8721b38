/** Opens objects for a moment, which others may have removed meanwhile, or which this user may not see. */
import { IpcError } from '../index.js'

/** Does something with an object, and closes it. */
export async function closeAfter<O extends { close(): unknown }, R>(
  object: O,
  use: (object: O) => R | Promise<R>,
): Promise<R> {
  try {
    return await use(object)
  } finally {
    await object.close()
  }
}

/** What `look` finds; undefined where this user may not look, where it is broken, or gone by now. */
export async function ifPossible<R>(look: () => Promise<R>): Promise<R | undefined> {
  try {
    return await look()
  } catch (error) {
    if (!IpcError.is(error)) throw error
    return undefined
  }
}
