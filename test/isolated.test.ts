import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const script = fileURLToPath(new URL('../scripts/isolated.mjs', import.meta.url))
// The tests themselves run isolated; these are about what comes of doing it anew.
const env = { ...process.env, IPCKIT_ISOLATED: '' }

function isolated(...command: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [script, ...command], { encoding: 'utf8', env })
  return { status, stderr }
}

describe('scripts/isolated.mjs', () => {
  test('gives back the exit code of a command that cleans up', () => {
    expect(isolated('sh', '-c', 'touch /dev/shm/a; rm /dev/shm/a; exit 7')).toMatchObject({ status: 7 })
    expect(isolated('true')).toMatchObject({ status: 0 })
  })

  test('gives back 128 and the number of the signal that ended the command', () => {
    expect(isolated('sh', '-c', 'kill -KILL $$')).toMatchObject({ status: 137 })
  })

  test('fails when the command leaves a file in /dev/shm behind, and names it', () => {
    const file = `/dev/shm/ipckit-test-${randomUUID()}`
    const { status, stderr } = isolated('touch', file)
    rmSync(file, { force: true })
    expect(stderr).toContain(`left behind:\n  ${file}`)
    expect(status).toBe(1)
  })

  test('fails when the command leaves a System V queue behind, and names it', () => {
    const { status, stderr } = isolated('sh', '-c', 'ipcmk --queue')
    const left = /System V msg id=(\d+)/.exec(stderr)
    // Only where namespaces are not allowed it is still there.
    if (left && stderr.includes('NOT isolated')) spawnSync('ipcrm', ['--queue-id', left[1] as string])
    expect(left).not.toBeNull()
    expect(status).toBe(1)
  })

  test('fails when the command leaves a process behind, names it and ends it', () => {
    const { status, stderr } = isolated('sh', '-c', 'sleep 1000 & echo $! >&2')
    expect(stderr).toMatch(/left behind:\n {2}process \d+: sleep 1000/)
    expect(status).toBe(1)
  })

  test('passes signals on to the command and waits for its end', async () => {
    const trap = 'trap "exit 5" TERM; echo ready; for turn in $(seq 1000); do sleep 0.01; done'
    const child = spawn(process.execPath, [script, 'sh', '-c', trap], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env,
    })
    child.stdout.once('data', () => child.kill('SIGTERM'))
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(5)
  })
})
