/** Bytes that tell their place and a number. */
export function pattern(length: number, number = 0): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  // The same bytes come again after 16 MiB, so that no two blocks of a large message can be exchanged unseen.
  for (let at = 0; at < length; at++) bytes[at] = (at * 131 + (at >> 8) + (at >> 16) + number) & 0xff
  return bytes
}
