/**
 * The kernel's two queues behind one table: a queue of so many messages of so many bytes, made, filled, read and
 * removed in the same way on both.
 */
import { NotFoundError, Queue, raw } from 'ipckit'
import { unlink } from 'ipckit/posix'
import { unlink as unlinkShared } from 'ipckit/shm'
import { MessageQueue } from 'ipckit/sysv'
import type { TestContext } from 'vitest'
import { newKey, newName } from './names.ts'

export const kernels = ['posix', 'sysv'] as const
/** All that crosses from process to process. */
export const carriers = [...kernels, 'shm'] as const
export type Kernel = (typeof kernels)[number]
export type Carrier = (typeof carriers)[number]

export type ByteQueue = Queue<Uint8Array>

/** What every message of these tests has, so that both kernels count alike. */
export const messageBytes = 64

export function newAddress(kernel: Carrier): string {
  return kernel === 'sysv' ? `sysv:0x${newKey().toString(16)}` : `${kernel}:${newName()}`
}

/** The test to which something belongs that is to go when it ends. Tests that run side by side need to say so. */
export type Owner = Pick<TestContext, 'onTestFinished'>

/** Makes a queue that is full with `capacity` messages of `bytes` bytes. It goes when the test ends. */
export async function makeQueue(
  owner: Owner,
  kernel: Carrier,
  { capacity = 4, bytes = messageBytes }: { capacity?: number; bytes?: number } = {},
): Promise<ByteQueue> {
  const size = kernel === 'sysv' ? { maxBytes: capacity * bytes } : { capacity, maxMessageBytes: bytes }
  const queue: ByteQueue = await Queue.create(newAddress(kernel), { codec: raw(), ...size })
  owner.onTestFinished(async () => {
    await queue.close()
    remove(queue.address)
  })
  return queue
}

function remove(address: string): void {
  const name = address.slice(address.indexOf(':') + 1)
  try {
    if (address.startsWith('posix:')) unlink(name)
    else if (address.startsWith('shm:')) unlinkShared(name)
    else MessageQueue.open(Number(name)).unlink()
  } catch (error) {
    // The test itself has removed it.
    if (!(error instanceof NotFoundError)) throw error
  }
}

/** A message that says its number. */
export function numbered(number: number): Uint8Array {
  const message = Buffer.alloc(messageBytes, number & 0xff)
  message.writeUInt32LE(number)
  return message
}

/** The number of a message, which must be whole. */
export function numberOf(message: Uint8Array): number {
  const number = Buffer.from(message).readUInt32LE()
  if (!Buffer.from(numbered(number)).equals(message)) throw new Error(`message ${number} is torn`)
  return number
}

/** Fills the queue with messages 0, 1, 2, and tells how many had room. */
export function fill(queue: ByteQueue): number {
  let count = 0
  while (queue.tryPut(numbered(count))) count++
  return count
}

/** Takes all messages out: their numbers, in order. */
export function drain(queue: ByteQueue): number[] {
  const numbers: number[] = []
  for (let message = queue.tryGet(); message !== undefined; message = queue.tryGet()) {
    numbers.push(numberOf(message))
  }
  return numbers
}

/** Another handle on a queue; it is closed when the test ends. */
export async function openQueue(owner: Owner, { address }: ByteQueue): Promise<ByteQueue> {
  const queue: ByteQueue = await Queue.open(address, { codec: raw() })
  owner.onTestFinished(() => queue.close())
  return queue
}
