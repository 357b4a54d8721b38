/** Queues in shared memory for the tests of what only they can do; they are removed when the test ends. */
import { existsSync, rmSync } from 'node:fs'
import { type Codec, type CreateOptions, type Lease, Queue, type SharedQueue, text } from 'ipckit'
import { onTestFinished } from 'vitest'
import { newName } from '../helpers/names.ts'

type Making = Omit<CreateOptions<'shm', never, never>, 'codec'>

/** A new address, of which whatever is there in the end is removed. */
export function newAddress(): `shm:${string}` {
  const address = `shm:${newName()}` as const
  onTestFinished(() => rmSync(fileOf({ address }), { recursive: true, force: true }))
  return address
}

/** The file of a queue. */
export function fileOf({ address }: { address: string }): string {
  return `/dev/shm/ipckit.${address.slice('shm:/'.length)}`
}

/** A new queue of texts. */
export function create(options: Making = {}): Promise<SharedQueue<string>> {
  return createOf(text(), options)
}

export async function createOf<T, I>(codec: Codec<T, I>, options: Making = {}): Promise<SharedQueue<T, I>> {
  return keep(await Queue.create(newAddress(), { codec, ...options }))
}

/** Another handle on the same queue. */
export async function again(
  { address }: { address: string },
  options: { prefetch?: number; anyType?: boolean } = {},
): Promise<SharedQueue<string>> {
  return keep(await Queue.open(address as `shm:${string}`, { codec: text(), ...options }))
}

/** To be closed when the test ends. */
export function keep<Q extends { close(): Promise<void> }>(queue: Q): Q {
  onTestFinished(() => queue.close())
  return queue
}

export function isThere(queue: { address: string }): boolean {
  return existsSync(fileOf(queue))
}

/** What a lease says of its delivery. */
export function factsOf<T>({ value, priority, deliveryCount, redelivered }: Lease<T>) {
  return { value, priority, deliveryCount, redelivered }
}

/** The facts of a message that is delivered for the first time, or again. */
export function delivery<T>(value: T, deliveryCount = 1, priority = 0) {
  return { value, priority, deliveryCount, redelivered: deliveryCount > 1 }
}

/** Everything that is there, on lease and acknowledged: its values. */
export function drain<T>(queue: SharedQueue<T>): T[] {
  const values: T[] = []
  for (let lease = queue.tryLease(); lease !== undefined; lease = queue.tryLease()) {
    values.push(lease.value)
    lease.ack()
  }
  return values
}

export const stale = { name: 'IpcError', code: 'ERR_IPC_STALE' }
