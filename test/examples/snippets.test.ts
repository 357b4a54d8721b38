/** Programs in README.md and docs/ are files of the repository, which the tests run. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { difference, snippetsOf } from './snippets.ts'
import { root } from './stranger.ts'

const guides = ['README.md', ...readdirSync(join(root, 'docs')).map((file) => `docs/${file}`)].filter(
  (file) => file.endsWith('.md'),
)
const snippets = (guide: string) => snippetsOf(readFileSync(join(root, guide), 'utf8'))

describe('a program that a guide names', () => {
  test.each(guides)('in %s is that file', (guide) => {
    for (const snippet of snippets(guide)) {
      expect(difference(snippet, root), `${guide}:${snippet.line}`).toBeUndefined()
    }
  })

  test.each(['two-processes/producer.mjs', 'two-processes/consumer.mjs', 'with-c/', 'with-python/'])(
    'is in README.md from examples/%s',
    (place) => {
      const files = snippets('README.md').map(({ file }) => file)
      expect(files.filter((file) => file.startsWith(`examples/${place}`))).not.toEqual([])
    },
  )
})

describe('the check of the guides', () => {
  const file = 'examples/two-processes/producer.mjs'
  const source = readFileSync(join(root, file), 'utf8')
  const program = source.replace(/^(\/\/.*\n)+/, '')
  const fenced = (code: string, language = 'js', indent = '') =>
    ['Text.', '', ...`\`\`\`${language}\n${code}\`\`\``.split('\n').map((line) => indent + line), ''].join(
      '\n',
    )
  const complaints = (markdown: string) => snippetsOf(markdown).map((snippet) => difference(snippet, root))

  test.each([
    ['the whole file', fenced(source)],
    ['the file behind its name', fenced(`// ${file}\n${source}`)],
    ['the program behind its name', fenced(`// ${file}\n${program}`, 'ts')],
    ['spaces at the ends of lines', fenced(source.replaceAll('\n', '  \n'))],
    ['a fence in a list', fenced(source, 'js', '  ')],
  ])('is content with %s', (_, markdown) => {
    expect(complaints(markdown)).toEqual([undefined])
  })

  test.each([
    ['another word', fenced(source.replace('await', 'void'))],
    ['a missing import', fenced(`// ${file}\n${program.replace(/^import .*\n/m, '')}`)],
    ['a line more', fenced(`${source}console.log()\n`)],
    ['a line less', fenced(source.trimEnd().replace(/\n.*$/, '\n'))],
    ['another indentation', fenced(source.replace('\n  ', '\n    '))],
    ['a comment more', fenced(`// ${file}\n// And so on.\n${program}`)],
  ])('finds %s', (_, markdown) => {
    expect(complaints(markdown)).toEqual([expect.stringContaining(`${file} differs`)])
  })

  test('finds a file that does not exist', () => {
    expect(complaints(fenced('# python3 examples/nobody.py\n', 'python'))).toEqual([
      'there is no examples/nobody.py',
    ])
  })

  test('takes no notice of a snippet that names no file, and of commands', () => {
    expect(complaints(fenced('await jobs.put(1)\n') + fenced(`# node ${file}\n`, 'sh'))).toEqual([])
  })

  test('tells the line', () => {
    expect(snippetsOf(fenced(source))).toMatchObject([{ file, line: 4 }])
  })
})
