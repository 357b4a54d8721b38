/** What the messages of the peers must hold, from interop/README.md alone: the number, the seed, the language. */
import type { Format, Language, Line, Tick } from './peers.ts'

const greetings = ['grüße', 'żółw', 'привет', '日本語', 'שלום', '🐧🚀']
const symbols = ['ACME', 'EIGHTLEN', '日経', '']
const names: Record<Language, string> = { Node: 'node', C: 'c', Python: 'python', sysv_ipc: 'python' }

/** The part of a line that depends on the message. */
export function contentOf(language: Language, format: Format, seed: number, id: number): Partial<Line> {
  const n = seed + id
  const from = names[language]
  const greeting = greetings[n % greetings.length] as string
  switch (format) {
    case 'text':
      return { format, id, text: `hello from ${from} #${id} ${greeting}` }
    case 'json':
      return { format, id, json: { id, from, text: greeting, price: (n % 400) / 4 } }
    case 'struct':
      return { format, id, tick: tickOf(seed, id), bytes: 48 }
  }
}

export function tickOf(seed: number, id: number): Tick {
  const n = seed + id
  return {
    id,
    px: 100 + (n % 1000) / 8,
    sym: symbols[n % symbols.length] as string,
    at: String(1_700_000_000_000_000_000n + BigInt(seed) * 10n ** 9n + BigInt(id)),
    flag: n % 256,
    pos: [(id % 1000) / 2, -1 - (seed % 1000) / 4],
  }
}
