/** Structs of one field, and the bytes that a struct makes of a value. */
import { type FieldType, struct } from 'ipckit'
import type { AnyStruct } from './random.js'

/** Written by {@link encode}, and for tests that encode themselves. Room for the largest of the random structs. */
export const memory = new Uint8Array(2 ** 20)

export const one = (type: FieldType<unknown>): AnyStruct => struct({ x: type })

export const encode = (codec: AnyStruct, value: unknown): Buffer =>
  Buffer.from(memory.subarray(0, codec.encode(value as Record<string, unknown>, memory, 0)))
