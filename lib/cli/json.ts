/** JSON that loses nothing of what was sent. */

/**
 * The JSON text of a decoded value, on one line. What JSON lacks becomes text: a bigint beyond 2^53 its digits,
 * bytes their hex digits, NaN and the infinities their names, a Map its pairs.
 */
export function jsonText(value: unknown): string {
  // `this` is the object that holds the property: toJSON of a Buffer has not spoilt it there.
  const text = JSON.stringify({ value }, function (this: Record<string, unknown>, key) {
    return plain(this[key])
  })
  // Without `value` when it was undefined.
  return text === '{}' ? 'null' : text.slice('{"value":'.length, -1)
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : String(value)
  }
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (value instanceof Date) return Number.isFinite(value.getTime()) ? value.toISOString() : String(value)
  if (
    value instanceof Set ||
    value instanceof Map ||
    (ArrayBuffer.isView(value) && !(value instanceof DataView))
  ) {
    return Array.from(value as Iterable<unknown>)
  }
  return value
}

/**
 * JSON text without the white space between its parts, so that it fits on one line. Its numbers stay as they were
 * written: parsing and printing them anew would round those beyond 2^53.
 */
export function compact(text: string): string {
  let inString = false
  // One small token after the other: a pattern for a whole string would overflow the stack on a long one.
  return text.replace(/\\.|"|[ \t\r\n]+/gs, (token) => {
    if (token === '"') inString = !inString
    return inString || token === '"' ? token : ''
  })
}
