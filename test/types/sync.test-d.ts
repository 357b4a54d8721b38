/** What of `ipckit/sync` must compile, and what must not. */
import { chars, f64, i32, struct, u64 } from 'ipckit'
import {
  Barrier,
  Condition,
  type Guard,
  Lock,
  type Permit,
  RawValue,
  RLock,
  RWLock,
  Semaphore,
  Array as SharedArray,
  Value,
} from 'ipckit/sync'

const lock = Lock.openOrCreate('/x', { mode: 0o600 })
const guard: Promise<Guard> = lock.acquire({ timeoutMs: 5, signal: AbortSignal.abort(), strict: true })
const perhaps: Guard | undefined = lock.tryAcquire({ onLost: (reason: Error) => void reason.message })
const total: Promise<number> = lock.run(async (held) => (held.released ? 0 : 1))
const dead: number | undefined = perhaps?.ownerDied?.pid

// @ts-expect-error a misspelled option
lock.acquire({ timeout: 5 })
// @ts-expect-error a call that never waits has no time
lock.tryAcquire({ timeoutMs: 5 })
// @ts-expect-error a blocked thread hears no signal
lock.acquireSync({ signal: AbortSignal.abort() })
// @ts-expect-error what exists has its mode
Lock.open('/x', { mode: 0o600 })
// @ts-expect-error there are no readers of a Lock
lock.acquireShared()
// @ts-expect-error it is told, and not set
;(perhaps as Guard).ownerDied = undefined

const shared: Promise<Guard> = RWLock.open('/x').acquireShared()
const permit: Promise<Permit> = Semaphore.create('/x', { value: 4 }).acquire({ permits: 2 })
// @ts-expect-error a semaphore that exists has its value
Semaphore.open('/x', { value: 4 })

Condition.create('/x', { lock })
Condition.open('/x', { lock: RLock.open('/y') })
// @ts-expect-error a semaphore is no lock
Condition.create('/x', { lock: Semaphore.open('/y') })
const found: Promise<string | undefined> = Condition.open('/x').waitFor(() => 'x' as string | undefined)

// @ts-expect-error somebody has to say how many
Barrier.create('/x')
const place: Promise<number> = Barrier.create('/x', { parties: 2, action: async () => {} }).wait()

const point = struct({ id: i32, at: f64, label: chars(8) })
const value = Value.create('/x', point, { id: 1, at: 2, label: 'x' })
const label: string = value.value.label
value.value = { id: 1, at: 2, label: 'y' }
// @ts-expect-error a field is missing
value.value = { id: 1, at: 2 }
const counter = RawValue.open('/x', u64)
const before: bigint = counter.add(1n)
// @ts-expect-error 64 bits are bigints
counter.add(1)
// @ts-expect-error a raw value has no lock
counter.getLock()

const loads = SharedArray.create('/x', f64, [1, 2, 3])
const first: number | undefined = loads.at(0)
const all: number[] = [...loads]
// @ts-expect-error elements are numbers
loads.set(0, '1')

export { all, before, dead, first, found, guard, label, permit, place, shared, total }
