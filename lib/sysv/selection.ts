/**
 * Types of System V messages, and the selectors of msgrcv(2) that choose by them.
 */
import { checkInteger, wrongType } from '../options.js'
import type { GetSelector, Selector } from '../queue/transport.js'
import { anyMessage } from '../wait/selector.js'

/** The highest type that crosses exactly; the kernel takes 2^63 - 1. */
export const maxType = Number.MAX_SAFE_INTEGER

export function checkType(value: unknown): number {
  return checkInteger('type', value, 1, maxType)
}

/** The selector of msgrcv(2) for one of: this type, the lowest type up to this, any but this. */
export function selectorOf(wish: GetSelector): Selector {
  const { type, maxType: upTo, except } = wish
  if ([type, upTo, except].filter((value) => value !== undefined).length > 1) {
    throw wrongType('options', 'at most one of `type`, `maxType` and `except`', wish)
  }
  if (type !== undefined) return { type: checkType(type), except: false }
  if (upTo !== undefined) return { type: -checkInteger('maxType', upTo, 1, maxType), except: false }
  if (except !== undefined) return { type: checkInteger('except', except, 1, maxType), except: true }
  return anyMessage
}

/** Whether a message of this type is wanted, as the kernel decides it. */
export function matches({ type: wanted, except }: Selector, type: number): boolean {
  if (wanted === 0) return true
  if (wanted < 0) return type <= -wanted
  return except ? type !== wanted : type === wanted
}
