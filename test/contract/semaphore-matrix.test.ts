/** Every method of both kinds of semaphores in every state of a handle: what it does there, and what it says. */
import { type Permit, Semaphore } from 'ipckit/posix'
import { SemaphoreSet } from 'ipckit/sysv'
import { describe, expect, onTestFinished, test } from 'vitest'
import { newName } from '../helpers/names.ts'

/** What both have, and what System V has beside that. */
type Either = Semaphore | SemaphoreSet
type State = 'free' | 'taken' | 'waited for' | 'unlinked' | 'closed'
const states: State[] = ['free', 'taken', 'waited for', 'unlinked', 'closed']

const closed = 'ERR_IPC_CLOSED'
const timeout = 'ERR_IPC_TIMEOUT'

/** What a call says: `ok`, `nothing` for undefined or false, or the code of its error. By state, in their order. */
type Row = [
  method: string,
  call: (semaphore: never) => unknown,
  ...Record<'posix' | 'sysv', string[] | undefined>[],
]

const removed = 'EIDRM'
const both = (posix: string[], sysv = posix): Record<'posix' | 'sysv', string[]> => ({ posix, sysv })
const onlySysv = (sysv: string[]) => ({ posix: undefined, sysv })

const waits = both(['ok', timeout, timeout, 'ok', closed], ['ok', timeout, timeout, removed, closed])
const tries = both(['ok', 'nothing', 'nothing', 'ok', closed], ['ok', 'nothing', 'nothing', removed, closed])
const looks = both(['ok', 'ok', 'ok', 'ok', closed], ['ok', 'ok', 'ok', removed, closed])
const always = both(['ok', 'ok', 'ok', 'ok', 'ok'])
const take = [{ semaphore: 0, by: -1 }]

const table: Row[] = [
  ['acquire', (it: Either) => it.acquire({ timeoutMs: 20 }), waits],
  ['acquireSync', (it: Either) => it.acquireSync({ timeoutMs: 20 }), waits],
  ['tryAcquire', (it: Either) => it.tryAcquire(), tries],
  ['release', (it: Either) => it.release() ?? 'given', looks],
  ['stat', (it: Either) => it.stat(), looks],
  ['value', (it: Either) => (it instanceof Semaphore ? it.value : it.value(0)) + 1, looks],
  // The name of the POSIX one is gone, and may be another's by now.
  [
    'unlink',
    (it: Either) => it.unlink() ?? 'gone',
    both(['ok', 'ok', 'ok', 'ENOENT', closed], ['ok', 'ok', 'ok', removed, closed]),
  ],
  ['close', async (it: Either) => (await it.close()) ?? 'closed', always],
  ['ref', (it: Either) => it.ref(), always],
  ['unref', (it: Either) => it.unref(), always],
  ['address', (it: Either) => it.address, always],
  [
    'operate',
    async (it: SemaphoreSet) => (await it.operate(take, { timeoutMs: 20 })) ?? 'done',
    onlySysv(waits.sysv),
  ],
  [
    'operateSync',
    (it: SemaphoreSet) => it.operateSync(take, { timeoutMs: 20 }) ?? 'done',
    onlySysv(waits.sysv),
  ],
  ['tryOperate', (it: SemaphoreSet) => it.tryOperate(take) || undefined, onlySysv(tries.sysv)],
  ['values', (it: SemaphoreSet) => it.values(), onlySysv(looks.sysv)],
  ['setValue', (it: SemaphoreSet) => it.setValue(0, 1) ?? 'set', onlySysv(looks.sysv)],
  ['setValues', (it: SemaphoreSet) => it.setValues([1]) ?? 'set', onlySysv(looks.sysv)],
  ['waiters', (it: SemaphoreSet) => it.waiters(), onlySysv(looks.sysv)],
  ['lastPid', (it: SemaphoreSet) => it.lastPid(), onlySysv(looks.sysv)],
  ['set', (it: SemaphoreSet) => it.set({ mode: 0o600 }) ?? 'set', onlySysv(looks.sysv)],
] as unknown as Row[]

async function bring(kind: 'posix' | 'sysv', state: State): Promise<Either> {
  const semaphore: Either = kind === 'posix' ? Semaphore.create(newName()) : SemaphoreSet.create('private')
  onTestFinished(async () => {
    try {
      semaphore.unlink()
    } catch {
      // Removed by the test, or closed by it.
    }
    await semaphore.close()
    if (kind === 'sysv' && state !== 'unlinked') removeSet(semaphore as SemaphoreSet)
    if (kind === 'posix' && state === 'closed') Semaphore.unlink(semaphore.address.slice('posix:'.length))
  })
  if (state === 'taken' || state === 'waited for') (await semaphore.acquire()) as Permit
  if (state === 'waited for') semaphore.acquire().catch(() => {})
  if (state === 'unlinked') semaphore.unlink()
  if (state === 'closed') await semaphore.close()
  return semaphore
}

function removeSet({ address }: SemaphoreSet): void {
  const set = SemaphoreSet.list().find((entry) => entry.address === address)
  if (set !== undefined) SemaphoreSet.open({ id: set.id }).unlink()
}

describe.each(['posix', 'sysv'] as const)('%s', (kind) => {
  for (const [at, state] of states.entries()) {
    const rows = table.filter(([, , expected]) => expected?.[kind] !== undefined)
    test.each(rows)(`%s of a semaphore that is ${state}`, async (_, call, expected) => {
      const semaphore = await bring(kind, state)
      let outcome: string
      try {
        outcome = (await call(semaphore as never)) === undefined ? 'nothing' : 'ok'
      } catch (error) {
        outcome = (error as { code: string }).code
      }
      expect(outcome).toBe(expected?.[kind]?.[at])
      if (_ === 'close' && kind === 'posix' && state !== 'unlinked' && state !== 'closed') {
        Semaphore.unlink(semaphore.address.slice('posix:'.length))
      }
    })
  }
})
