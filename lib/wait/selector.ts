import type { Selector } from '../queue/transport.js'

/** The selector of transports that have nothing to select by. */
export const anyMessage: Selector = { type: 0, except: false }

/** Equal for equal wishes. */
export function keyOf({ type, except, maxBytes, truncate, lease }: Selector): string {
  if (lease !== undefined) return `lease ${lease}`
  return `${except ? 'except ' : ''}${type}${maxBytes === undefined ? '' : ` up to ${maxBytes} ${truncate}`}`
}
