/** The doctor's report for people. */
import { colours, count, table, visible } from '../output.js'
import { type Check, type User, type Verdict, worst } from './check.js'

const marks: Record<Verdict, (text: string) => string> = {
  ok: colours.green,
  warn: colours.yellow,
  bad: colours.red,
}

const columns = [{ head: '' }, { head: '' }, { head: '' }, { head: '' }]

/** All checks under their headings, then the commands that raise what can be raised. */
export async function render(checks: readonly Check[]): Promise<string> {
  const groups = [...new Set(checks.map(({ group }) => group))]
  const sections: string[] = []
  for (const group of groups) {
    const rows = checks.filter((check) => check.group === group).map(row)
    sections.push(`${colours.bold(visible(group))}\n${await table(columns, rows)}`)
  }
  return [...sections, remedies(checks), conclusion(checks)].join('\n')
}

function row({ verdict, name, value, unit, used, by = [], remark }: Check): string[] {
  const said = typeof value === 'number' ? `${count(value)} ${unit ?? ''}`.trim() : (value ?? '-')
  const use = used === undefined ? undefined : used === null ? undefined : `${count(used)} used`
  const users = by.map(sayUser).join(', ')
  const notes = [users === '' ? use : `${use}: ${users}`, remark].filter((note) => note !== undefined)
  return [`  ${marks[verdict](verdict)}`, visible(name), visible(said), visible(notes.join('; '))]
}

function sayUser({ address, object, owner, used }: User): string {
  const what = [object, owner].filter((word) => word !== undefined).join(' of ')
  return `${address}${what === '' ? '' : ` (${what})`} ${count(used)}`
}

function remedies(checks: readonly Check[]): string {
  // What is in need comes first.
  const order: Verdict[] = ['bad', 'warn', 'ok']
  const sorted = order.flatMap((verdict) => checks.filter((check) => check.verdict === verdict))
  const entries = sorted.flatMap(({ name, verdict, raise = [] }) => {
    const lines = raise.map(({ where, command }) => `    ${colours.dim(`${where}:`)} ${command}\n`)
    const title = verdict === 'ok' ? name : `${name} (${marks[verdict](verdict)})`
    return lines.length === 0 ? [] : [`  ${title}\n${lines.join('')}`]
  })
  return `${colours.bold('To change these, here')}\n${entries.join('')}`
}

function conclusion(checks: readonly Check[]): string {
  const number = (verdict: Verdict) => checks.filter((check) => check.verdict === verdict).length
  const verdict = worst(checks)
  return `${marks[verdict](verdict)}: ${number('bad')} bad, ${number('warn')} to watch, ${number('ok')} ok\n`
}
