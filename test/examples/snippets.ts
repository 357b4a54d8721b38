/** What the guides show of a file must be the file. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Snippet {
  /** The file that its first line names, from the top of the repository. */
  file: string
  /** Its first line in the guide. */
  line: number
  text: string
}

const fence = /^([ \t]*)```(?:js|javascript|ts|typescript|c|python)\n([\s\S]*?)^[ \t]*```$/gm
const naming = /^(?:\/\/|#|\/\*) .*?\b((?:examples|interop|bench)\/[\w./-]+\.\w+)/

/** The snippets of a guide whose first line is a comment that names a file. */
export function snippetsOf(markdown: string): Snippet[] {
  return [...markdown.matchAll(fence)].flatMap(({ index, 1: indent = '', 2: code = '' }) => {
    const text = normalised(code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''))
    const file = naming.exec(text)?.[1]
    return file === undefined ? [] : [{ file, line: markdown.slice(0, index).split('\n').length + 1, text }]
  })
}

/** Why the snippet is not its file; `undefined` when it is, with the comment at its top or with a name instead. */
export function difference({ file, text }: Snippet, root: string): string | undefined {
  const path = join(root, file)
  if (!existsSync(path)) return `there is no ${file}`
  const whole = normalised(readFileSync(path, 'utf8'))
  const [name] = text.split('\n', 1)
  const shown = [whole, `${name}\n${whole}`, `${name}\n${withoutTopComment(whole)}`]
  return shown.includes(text) ? undefined : `${file} differs:\n${whole}`
}

/** Spaces at the ends of lines, and empty lines at the ends of the text, mean nothing. */
function normalised(text: string): string {
  return text.replaceAll(/[ \t\r]+$/gm, '').replaceAll(/^\n+|\n+$/g, '')
}

function withoutTopComment(text: string): string {
  return text.replace(/^((\/\/|#)( .*)?\n)+/, '')
}
