// Shows where the demo stands: a table that is drawn over on a terminal, lines elsewhere.
import Table from 'cli-table3'
import pc from 'picocolors'

const columns = ['queue', 'queued', 'waiting', 'taken', 'done by Node', 'by C', 'by Python', 'workers killed']

export class Screen {
  #live = process.stdout.isTTY === true
  #height = 0
  #shown = 0

  /** `rows`: one array of cells for each queue. */
  show(rows) {
    if (!this.#live) {
      // A line a second is enough where nothing can be drawn over.
      if (Date.now() - this.#shown < 1000) return
      this.#shown = Date.now()
      for (const row of rows) console.log(columns.map((name, at) => `${name}: ${row[at]}`).join(', '))
      return
    }
    this.#draw(rows)
  }

  end(rows) {
    if (this.#live) this.#draw(rows)
    else console.log(tableOf(rows))
  }

  #draw(rows) {
    const text = tableOf(rows)
    if (this.#height > 0) process.stdout.write(`\x1b[${this.#height}A`)
    console.log(text)
    this.#height = text.split('\n').length
  }
}

function tableOf(rows) {
  const table = new Table({ head: columns.map((name) => pc.bold(name)), style: { head: [], border: [] } })
  table.push(...rows)
  return table.toString()
}

/** The last word on one queue. */
export function verdict(address, { queued, done, missing, twice }) {
  const good = missing.length === 0 && twice === 0
  const mark = good ? pc.green('✓') : pc.red('✗')
  const list = missing.length > 0 ? ` (${missing.slice(0, 10).join(', ')})` : ''
  console.log(
    `${mark} ${address}: ${queued} queued, ${done} done, ${missing.length} missing${list}, ${twice} done twice`,
  )
  return good
}
