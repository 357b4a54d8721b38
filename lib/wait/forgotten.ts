/**
 * Handles that were dropped without being closed are closed when the garbage collector finds them. Nothing
 * may depend on it: it may be late, and never comes for a handle in which somebody waits.
 */
const registry = new FinalizationRegistry<() => void>((close) => close())

/** `close` must not refer to `owner`, or it is never forgotten. */
export function closeWhenForgotten(owner: object, close: () => void): void {
  registry.register(owner, close, owner)
}

/** The owner was closed in the proper way. */
export function wasClosed(owner: object): void {
  registry.unregister(owner)
}
