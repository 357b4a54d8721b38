/**
 * What a codec is: a way from values to bytes and back. Codecs write into and read from memory that the
 * queue owns, so that no buffer is made per message. They know nothing of queues.
 */

/**
 * Turns values into bytes and back.
 *
 * @typeParam T - what `decode` gives.
 * @typeParam I - what `encode` takes; the same type, unless a schema in between transforms.
 */
export interface Codec<T, I = T> {
  /** Says which bytes these are: `json`, `text`, `struct{id:i32,px:f64}`. Equal names read each other. */
  readonly name: string

  /**
   * Writes `value` into `target` from `offset` on.
   *
   * @returns The number of bytes written; or, when `target` is too small, the negative of the bytes that
   *   are needed (nothing that matters was written then; the queue makes room or reports the message as
   *   too large). A message of 0 bytes always fits.
   * @throws Any error when the value is not one that this codec can write; the queue wraps it into an
   *   `IpcError` with code `ERR_IPC_ENCODE`. User code (getters, `toJSON`, schemas) may run in here, and may
   *   itself use queues.
   */
  encode(value: I, target: Uint8Array, offset: number): number

  /**
   * For codecs whose values are bytes already: the bytes of `value`, which are then sent from where they lie
   * instead of being written elsewhere first. They are what `encode` would write.
   *
   * @throws As `encode`.
   */
  bytesOf?(value: I): Uint8Array

  /**
   * Reads the message of `length` bytes that begins at `offset`. The bytes are the queue's: a value that
   * keeps bytes copies them.
   *
   * @throws Any error when the bytes are not a message of this codec; the queue wraps it into a
   *   {@link DecodeError} that carries the bytes.
   */
  decode(bytes: Uint8Array, offset: number, length: number): T
}

/** What a codec's `decode` gives. */
export type Decoded<C> = C extends Codec<infer T, never> ? T : never
