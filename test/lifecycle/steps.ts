/** The steps of a handle's life at which processes and threads are ended, and what must be there afterwards. */
import { MessageQueue } from 'ipckit/posix'
import { expect } from 'vitest'
import { type ByteQueue, type Carrier, drain, fill, numbered, numberOf } from '../helpers/kernels.ts'

export interface Step {
  /** As test/fixtures/step.mjs has it. */
  name: string
  /** The queue before: nothing, messages 0 and 1, or as many as fit. */
  before: 'empty' | 'some' | 'full'
  /** The numbers of the messages in the queue after whoever was at the step has died. */
  left: number[]
  only?: Carrier
}

/** Of every queue of these tests, messages. */
export const capacity = 4
export const full = [0, 1, 2, 3]

const waiting: Step[] = [
  { name: 'get', before: 'empty', left: [] },
  { name: 'get with a timeout', before: 'empty', left: [] },
  { name: 'get with a signal', before: 'empty', left: [] },
  { name: 'getMany', before: 'empty', left: [] },
  { name: 'iterate', before: 'empty', left: [] },
  { name: 'read', before: 'empty', left: [] },
  { name: 'put', before: 'full', left: full },
  { name: 'putMany', before: 'empty', left: full },
  { name: 'notify', before: 'empty', left: [], only: 'posix' },
  { name: 'served', before: 'empty', left: [] },
]

const idle: Step[] = [
  { name: 'open', before: 'some', left: [0, 1] },
  { name: 'aborted', before: 'empty', left: [] },
  { name: 'closed', before: 'empty', left: [] },
]

/** Steps at which JavaScript runs on. */
export function stepsOf(kernel: Carrier): Step[] {
  return [...waiting, ...idle].filter(({ only }) => only === undefined || only === kernel)
}

/** Steps at which the thread is blocked. */
export const blockedSteps: Step[] = [
  { name: 'getSync', before: 'empty', left: [] },
  { name: 'putSync', before: 'full', left: full },
]

export function prepare(queue: ByteQueue, { before }: Pick<Step, 'before'>): void {
  if (before === 'full') expect(fill(queue)).toBe(capacity)
  if (before === 'some') for (const number of [0, 1]) queue.tryPut(numbered(number))
}

/** Resolves when a program that was started at the step says that it is there. */
export async function arrival(
  queue: ByteQueue,
  { name }: Pick<Step, 'name'>,
  program: { says(): Promise<string> },
): Promise<void> {
  if (name === 'served') {
    expect(await program.says()).toBe('first')
    await queue.put(numbered(1))
  }
  expect(await program.says()).toBe('there')
}

/** Checks what the dead left: the messages that were there, and a queue that works. */
export async function inspect(queue: ByteQueue, { left, name }: Step): Promise<void> {
  expect(queue.stat().depth).toBe(left.length)
  expect(drain(queue)).toEqual(left)
  if (name === 'notify') await askForNotice(queue)
  const got = queue.get()
  await queue.put(numbered(7))
  expect(numberOf(await got)).toBe(7)
}

/** The one request that a queue can have is free again. */
async function askForNotice(queue: ByteQueue): Promise<void> {
  const other = MessageQueue.open(queue.address.slice('posix:'.length))
  const noticed = other.notify()
  queue.tryPut(numbered(1))
  await noticed
  other.tryReceive()
  await other.close()
}
