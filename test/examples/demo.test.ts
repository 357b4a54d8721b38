/** The demo, which kills workers while they wait, and must lose no job by it. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { root } from './stranger.ts'

/** Ends a demo that hangs, milliseconds; it takes a third of that. */
const watchdog = 90_000

/** The names of POSIX queues, and the keys and ids of System V queues. */
const queues = () => [
  ...readdirSync('/dev/mqueue'),
  ...[...readFileSync('/proc/sysvipc/msg', 'utf8').matchAll(/^ *-?\d+ +\d+/gm)].map(([keyAndId]) => keyAndId),
]

/** The processes that were started with this word in their environment. */
function processesWith(word: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(word)
    } catch {
      return false
    }
  })
}

test(
  'the demo runs to its end, misses no job on either queue, and leaves nothing behind',
  async () => {
    const before = queues()
    const word = `IPCKIT_DEMO_TEST=${randomUUID()}`
    const folder = mkdtempSync(join(tmpdir(), 'ipckit-demo-test-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const demo = spawn('env', [word, process.execPath, 'examples/demo/main.mjs'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: folder, NO_COLOR: '1' },
    })
    onTestFinished(() => void demo.kill('SIGINT'))
    let output = ''
    let errors = ''
    demo.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    demo.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    const code = await new Promise((resolve) => demo.once('close', resolve))

    expect({ code, errors }, output).toEqual({ code: 0, errors: '' })
    const verdicts = [
      ...output.matchAll(/^✓ (posix|sysv):\S+: (\d+) queued, (\d+) done, 0 missing, 0 done twice$/gm),
    ]
    expect(verdicts.map(([, scheme]) => scheme)).toEqual(['posix', 'sysv'])
    for (const [, , queued, done] of verdicts) expect(done).toBe(queued)
    expect(processesWith(word)).toEqual([])
    expect(readdirSync(folder)).toEqual([])
    expect(queues()).toEqual(before)
  },
  watchdog,
)
