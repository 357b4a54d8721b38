/** Bytes as `hexdump -C` shows them: sixteen a line, with the text that they may be. */

export interface HexLines {
  /** The lines of the bytes that follow; all but the last piece are multiples of 16 bytes. */
  next(bytes: Uint8Array): string
  /** The last line, which tells where the end is. */
  end(): string
}

const width = 16

/** @param all - also print lines that repeat the one before, for which one `*` stands otherwise. */
export function hexLines(offset: number, all = false): HexLines {
  let at = offset
  let before: string | undefined
  let starred = false
  return {
    next(bytes) {
      let text = ''
      for (let from = 0; from < bytes.length; from += width) {
        const line = bytes.subarray(from, from + width)
        const body = bodyOf(line)
        const repeats = !all && body === before && line.length === width
        if (!repeats) text += `${place(at)}  ${body}\n`
        else if (!starred) text += '*\n'
        starred = repeats
        before = body
        at += line.length
      }
      return text
    },
    end: () => `${place(at)}\n`,
  }
}

function place(at: number): string {
  return at.toString(16).padStart(8, '0')
}

function bodyOf(line: Uint8Array): string {
  const hex = Array.from(line, (byte) => byte.toString(16).padStart(2, '0'))
  const text = Array.from(line, (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.',
  ).join('')
  return `${`${hex.slice(0, 8).join(' ').padEnd(23)}  ${hex.slice(8).join(' ')}`.padEnd(48)}  |${text}|`
}
