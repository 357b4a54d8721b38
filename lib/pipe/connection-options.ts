/** What a connection is made with, and the checks of it. */
import type { Codec } from '../codec/codec.js'
import { checkInteger, checkKeys, checkObject, wrongType } from '../options.js'

/** Options of every way to get a {@link Connection}. */
export interface ConnectionOptions<T, I = T> {
  /** How `send` and `recv` turn values into bytes; default `json()`. `sendBytes` and `recvBytes` use none. */
  codec?: Codec<T, I>
  /**
   * The largest message that is sent or received, bytes, 1 to 2^31 - 1, default 64 MiB (67,108,864). No memory is made
   * for one that announces itself as larger.
   */
  maxMessageBytes?: number
}

/** 64 MiB. */
export const defaultMaxMessageBytes = 64 * 1024 * 1024

/** Checks the options that every connection has, beside `others`. */
export function checkConnectionOptions(options: object, others: readonly string[] = []): void {
  checkKeys('options', checkObject('options', options), ['codec', 'maxMessageBytes', ...others])
  const { codec, maxMessageBytes } = options as ConnectionOptions<unknown>
  if (maxMessageBytes !== undefined) checkInteger('maxMessageBytes', maxMessageBytes, 1, 2 ** 31 - 1)
  if (codec === undefined) return
  const { encode, decode } = checkObject('codec', codec) as Codec<unknown>
  if (typeof encode !== 'function' || typeof decode !== 'function') {
    throw wrongType('codec', 'a codec such as json() or raw()', codec)
  }
}
