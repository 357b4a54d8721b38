/** Values as Node's structured clone. */
import { deserialize, serialize } from 'node:v8'
import type { Codec } from './codec.js'
import { checkDefined } from './expected.js'

/**
 * Sends values by the structured clone of V8: Map, Set, Date, bigint, typed arrays, Error, and objects that
 * refer to themselves arrive as they were. It is for Node programs that trust each other: V8's reader is
 * not made for bytes that someone hostile wrote, and an older Node may not read what a newer one writes.
 * It is also slow, several microseconds for a small object: prefer `json()` or `struct()`.
 *
 * @typeParam T - the type of the messages.
 * @returns A codec; `encode` throws a `TypeError` for `undefined` and a `DataCloneError` for what cannot be
 *   cloned, such as a function. `decode` throws an `Error` when the bytes are not of this format.
 * @example
 * ```ts
 * const caches = await Queue.open('posix:/caches', { codec: v8<Map<string, Date>>() })
 * ```
 */
export function v8<T = unknown>(): Codec<T> {
  return v8Codec as Codec<T>
}

const v8Codec: Codec<unknown> = Object.freeze({
  name: 'v8',
  encode(value: unknown, target: Uint8Array, offset: number): number {
    checkDefined(value)
    const bytes = serialize(value)
    if (bytes.length > target.length - offset) return -bytes.length
    target.set(bytes, offset)
    return bytes.length
  },
  decode(bytes: Uint8Array, offset: number, length: number): unknown {
    // Typed arrays in the value are views of what is read here, hence a copy that belongs to the value.
    const copy = new Uint8Array(length)
    copy.set(bytes.subarray(offset, offset + length))
    return deserialize(copy)
  },
})
