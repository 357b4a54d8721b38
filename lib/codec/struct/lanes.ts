/**
 * One piece of memory under each typed array. A view of a struct that lies on multiples of its alignment reaches its
 * numbers through these, in half the time of a DataView (bench/shared-memory.mjs).
 */

/** The same memory as DataView, bytes and typed arrays; these begin with the memory and end with its last whole element. */
export class Lanes {
  readonly view: DataView
  readonly bytes: Uint8Array
  readonly i8: Int8Array
  readonly u8: Uint8Array
  readonly i16: Int16Array
  readonly u16: Uint16Array
  readonly i32: Int32Array
  readonly u32: Uint32Array
  readonly i64: BigInt64Array
  readonly u64: BigUint64Array
  readonly f32: Float32Array
  readonly f64: Float64Array

  constructor(bytes: Uint8Array) {
    const { buffer, byteOffset, length } = bytes
    // Not viewOf(), which would keep the last memory that was used.
    this.view = new DataView(buffer, byteOffset, length)
    this.bytes = bytes
    this.i8 = new Int8Array(buffer, byteOffset, length)
    this.u8 = bytes
    this.i16 = new Int16Array(buffer, byteOffset, length >>> 1)
    this.u16 = new Uint16Array(buffer, byteOffset, length >>> 1)
    this.i32 = new Int32Array(buffer, byteOffset, Math.floor(length / 4))
    this.u32 = new Uint32Array(buffer, byteOffset, Math.floor(length / 4))
    this.i64 = new BigInt64Array(buffer, byteOffset, Math.floor(length / 8))
    this.u64 = new BigUint64Array(buffer, byteOffset, Math.floor(length / 8))
    this.f32 = new Float32Array(buffer, byteOffset, Math.floor(length / 4))
    this.f64 = new Float64Array(buffer, byteOffset, Math.floor(length / 8))
  }
}

const lanesOf = new WeakMap<Uint8Array, Lanes>()

/** The lanes over `bytes`, which are made once and kept as long as `bytes`. */
export function lanesOver(bytes: Uint8Array): Lanes {
  let all = lanesOf.get(bytes)
  if (all === undefined) {
    all = new Lanes(bytes)
    lanesOf.set(bytes, all)
  }
  return all
}
