/** Files of the kernel and the system, read below a folder that stands for `/`, so that tests can make their own. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

export class KernelFiles {
  readonly #root: string

  constructor(root = '/') {
    this.#root = root
  }

  /** The text of a file; undefined when it cannot be read. */
  text(path: string): string | undefined {
    return attempt(() => readFileSync(join(this.#root, path), 'utf8'))
  }

  /** The number that a file holds; `max` is no limit. */
  number(path: string): number | undefined {
    return numberOf(this.text(path)?.trim())
  }

  link(path: string): string | undefined {
    return attempt(() => readlinkSync(join(this.#root, path)))
  }

  exists(path: string): boolean {
    return existsSync(join(this.#root, path))
  }

  /** The names in a folder; none when it cannot be read. */
  names(path: string): string[] {
    return attempt(() => readdirSync(join(this.#root, path)).sort()) ?? []
  }
}

/** A limit as the kernel writes it: a number, `max` or `unlimited`. */
export function numberOf(text: string | undefined): number | undefined {
  if (text === 'max' || text === 'unlimited') return Number.POSITIVE_INFINITY
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
