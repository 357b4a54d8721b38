/** Codecs: bytes from values and back. Exports only. */
export type { CannotCarry } from './checked.js'
export { checked, SchemaError } from './checked.js'
export type { Codec, Decoded } from './codec.js'
export { json } from './json.js'
export { cbor, msgpack } from './peers.js'
export { raw } from './raw.js'
export { array, bytes } from './struct/array.js'
export { cHeader } from './struct/c-header.js'
export { chars } from './struct/chars.js'
export type { FieldInput, FieldOutput, FieldType } from './struct/field.js'
export { type ArrayView, type MemoryView, type StructView, snapshot } from './struct/live.js'
export { offsetOf } from './struct/offset-of.js'
export { parseStruct } from './struct/parse.js'
export { pythonClass } from './struct/python-class.js'
export { bool, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64 } from './struct/scalars.js'
export type {
  StructCodec,
  StructField,
  StructFields,
  StructInput,
  StructOptions,
  StructOutput,
} from './struct/struct.js'
export { struct } from './struct/struct.js'
export { text } from './text.js'
export { v8 } from './v8.js'
