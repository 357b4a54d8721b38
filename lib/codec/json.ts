/** Values as JSON. */
import type { Codec } from './codec.js'
import { wrongType } from './expected.js'
import { decodeText } from './text.js'
import { writeUtf8 } from './utf8.js'

/**
 * Sends values as JSON in UTF-8, which every language reads. What JSON cannot hold follows the rules of
 * `JSON.stringify`: a property that is `undefined` or a function is left out, `NaN` becomes `null`, a `Date`
 * a string. `T` is your word for what arrives; {@link checked} makes sure of it.
 *
 * @typeParam T - the type of the messages.
 * @returns A codec; `encode` throws a `TypeError` when the value is `undefined` or a function, holds a bigint,
 *   or refers to itself. `decode` throws an `Error` when the bytes are not UTF-8 (no character is ever
 *   replaced) and a `SyntaxError` when the text is not JSON.
 * @example
 * ```ts
 * interface Job { id: number; url: string }
 * const jobs = await Queue.openOrCreate('posix:/jobs', { codec: json<Job>() })
 * ```
 */
export function json<T = unknown>(): Codec<T> {
  return jsonCodec as Codec<T>
}

const jsonCodec: Codec<unknown> = Object.freeze({
  name: 'json',
  encode(value: unknown, target: Uint8Array, offset: number): number {
    const text = JSON.stringify(value) as string | undefined
    if (text === undefined) throw wrongType('value', 'a value that JSON can hold', value)
    // Always well-formed: JSON.stringify escapes lone surrogates.
    return writeUtf8(text, target, offset)
  },
  decode(bytes: Uint8Array, offset: number, length: number): unknown {
    return JSON.parse(decodeText(bytes, offset, length))
  },
})
