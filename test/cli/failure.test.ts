/** Which exit code an error of the library ends the command with; docs/cli.md has the table. */
import { readFileSync } from 'node:fs'
import { IpcError, type IpckitErrorCode, ShutdownError } from 'ipckit'
import { describe, expect, test } from 'vitest'
import { exitCodeOf } from '../../lib/cli/failure.js'

const codes: Record<IpckitErrorCode, number> = {
  ERR_IPC_BOUND: 1,
  ERR_IPC_BROKEN: 1,
  ERR_IPC_CLOSED: 1,
  ERR_IPC_CORRUPT: 1,
  ERR_IPC_DECODE: 1,
  ERR_IPC_ENCODE: 2,
  ERR_IPC_EOF: 3,
  ERR_IPC_HELD: 1,
  ERR_IPC_KIND: 2,
  ERR_IPC_NOT_HELD: 1,
  ERR_IPC_OWNER_DIED: 1,
  ERR_IPC_PARTICIPANTS: 1,
  ERR_IPC_PREFETCH: 1,
  ERR_IPC_RECYCLED: 4,
  ERR_IPC_REFUSED: 5,
  ERR_IPC_SHUTDOWN: 4,
  ERR_IPC_STALE: 1,
  ERR_IPC_TASKS: 1,
  ERR_IPC_TIMEOUT: 3,
  ERR_IPC_TRUNCATED: 1,
  ERR_IPC_TYPE: 2,
  ERR_IPC_UNINITIALIZED: 1,
  ERR_IPC_UNSAFE: 5,
  ERR_IPC_UNSUPPORTED: 1,
  ERR_IPC_WAITERS: 1,
}

const errorOf = (code: IpckitErrorCode) => {
  const details = { code, resource: 'shm:/x' }
  return code === 'ERR_IPC_SHUTDOWN' ? new ShutdownError('over', details) : new IpcError('failed', details)
}

describe('exit codes', () => {
  test.each(Object.entries(codes))('%s ends with %i', (code, exitCode) => {
    expect(exitCodeOf(errorOf(code as IpckitErrorCode))).toBe(exitCode)
  })

  test('the table of docs/cli.md names every code that has an exit code of its own', () => {
    const table = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
    for (const [code, exitCode] of Object.entries(codes)) {
      const row = table.split('\n').find((line) => line.startsWith(`| ${exitCode} |`))
      expect(row).toContain(code.replace('ERR_IPC_', ''))
    }
  })

  test('what is about no object has none of them', () => {
    const missing = Object.assign(new Error('no such file'), { code: 'ENOENT' })
    expect(exitCodeOf(missing)).toBe(1)
  })
})
