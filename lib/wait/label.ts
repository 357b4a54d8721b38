/**
 * A label is a message's priority (POSIX) or type (System V). It crosses to the addon as two int32: a type
 * is 64 bits wide. Exact up to 2^53, rounded above.
 */
export function lowOf(label: number): number {
  return label | 0
}

export function highOf(label: number): number {
  // Division costs more than the rest of sending together would like, and types above 2^32 are rare.
  return label < 2 ** 32 ? 0 : Math.floor(label / 2 ** 32)
}

export function joinLabel(low: number, high: number): number {
  // No label is negative; the largest types are rounded up to 2^63, which has the bit of the sign.
  return (high >>> 0) * 2 ** 32 + (low >>> 0)
}
