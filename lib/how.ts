/** How something with a name is opened: the three verbs that every kind has. */
import { ExistsError, NotFoundError } from './errors.js'

/** `open`: it must exist; `create`: it must not. */
export type How = 'open' | 'create' | 'openOrCreate'

function exists(error: unknown): boolean {
  return error instanceof ExistsError
}

/**
 * Opens it, makes it, or whichever can be done. Never creates what may exist (O_CREAT alone): what fs.protected_* do
 * to that depends on the folder and the owner, and it would not be known who made it. Opening and creating take turns
 * until one of them succeeds; whoever removes it or makes it in between only costs a turn.
 *
 * @param raced - whether it could not be made because of somebody else's doing, so that the next turn is worth it.
 */
export function openOrMake<R>(how: How, open: () => R, make: () => R, raced = exists): R {
  if (how === 'open') return open()
  if (how === 'create') return make()
  for (;;) {
    try {
      return open()
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error
    }
    try {
      return make()
    } catch (error) {
      if (!raced(error)) throw error
    }
  }
}
