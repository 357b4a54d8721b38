/**
 * Where a codec meets the memory of messages, for queues and connections: what it may do wrong, and how that is told.
 */
import { DecodeError, IpcError } from '../errors.js'

/** What is needed of a codec here. */
interface Named {
  readonly name: string
}

interface Encoder<I> extends Named {
  encode(value: I, target: Uint8Array, offset: number): number
}

/** Encodes a value from `offset` on: the number of bytes, or the negative of the bytes that are needed. */
export function encodeInto<I>(
  codec: Encoder<I>,
  value: I,
  target: Uint8Array,
  offset: number,
  address: string,
): number {
  let length: number
  try {
    length = codec.encode(value, target, offset)
  } catch (cause) {
    throw cannotEncode(codec, address, cause)
  }
  if (Number.isInteger(length) && length <= target.length - offset) return length
  throw brokenCodec(codec, address, `says that it wrote ${length} bytes into ${target.length - offset}`)
}

export function cannotEncode({ name }: Named, address: string, cause: unknown): IpcError {
  return new IpcError(`Cannot encode the value as ${name} for ${address}: ${sayWhy(cause)}`, {
    code: 'ERR_IPC_ENCODE',
    resource: address,
    cause,
  })
}

/** The codec did not keep its contract. */
export function brokenCodec({ name }: Named, address: string, what: string): IpcError {
  return new IpcError(`Cannot send to ${address}: the codec ${name} ${what}`, {
    code: 'ERR_IPC_ENCODE',
    resource: address,
  })
}

/** `bytes`: the message, in memory of its own. `facts`: what else the error tells. */
export function cannotDecode(
  { name }: Named,
  address: string,
  bytes: Uint8Array,
  cause: unknown,
  facts: object = {},
): DecodeError {
  return new DecodeError(
    `Cannot decode a message of ${bytes.length} bytes from ${address} as ${name}: ${sayWhy(cause)}; its bytes are on the error`,
    bytes,
    { ...facts, resource: address, cause },
  )
}

function sayWhy(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
