/**
 * The sentences of refused values: "Expected X for `name`, received Y". Codecs have their own copy, since
 * they import nothing of ours.
 */
import { inspect } from 'node:util'

/** Describes a refused value in one short line. */
export function received(value: unknown): string {
  return inspect(value, {
    depth: 0,
    maxStringLength: 80,
    maxArrayLength: 8,
    breakLength: Number.POSITIVE_INFINITY,
  })
}

export function wrongType(name: string, expected: string, value: unknown): TypeError {
  return new TypeError(`Expected ${expected} for \`${name}\`, received ${received(value)}`)
}

export function outOfRange(name: string, expected: string, value: unknown): RangeError {
  return new RangeError(`Expected ${expected} for \`${name}\`, received ${received(value)}`)
}

/**
 * A queue's `tryGet` says "nothing there" by `undefined`, so no message may be `undefined`.
 */
export function checkDefined(value: unknown): void {
  if (value === undefined)
    throw wrongType('value', 'anything but undefined, which stands for no message,', value)
}

/** The first bytes of a refused message, for error sentences. */
export function hexOf(bytes: Uint8Array, offset: number, length: number): string {
  const shown = Buffer.from(bytes.subarray(offset, offset + Math.min(length, 24)))
  return `${shown.toString('hex').replace(/..(?=.)/g, '$& ')}${length > 24 ? ' ...' : ''}`
}
