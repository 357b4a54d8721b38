/** What the contract is stated about: a transport, and queues on it that are removed after each test. */

import { tmpdir } from 'node:os'
import type { Codec } from 'ipckit'
import { Queue, raw, type SharedQueue, text } from 'ipckit'
import { afterEach } from 'vitest'
import { newKey, newName } from '../helpers/names.ts'

export type AnyQueue<T, I = T> = Queue<T, 'posix' | 'sysv' | 'fifo' | 'memory', I> | SharedQueue<T, I>

/** How a transport is named and made; all else it must do alike. */
export interface Subject {
  /** As titles say it. */
  readonly name: string
  newAddress(): string
  /** Options of a queue that is full when it holds `room` messages of `unitBytes` each. */
  sized(room: number): object
  /** Options of every open. */
  readonly always?: object
  /** What `receive` tells of a message that was put without options. */
  readonly plainFacts: object
  /** Bytes of a {@link unit}, and of the largest message, where the kernel has a grain of its own. */
  readonly grain?: { unitBytes: number; largest: number; maxBytes: number }
  /** Messages are gone with the last handle. */
  readonly forgets?: boolean
  /** Options of `put` that say something of the message, and what `receive` tells then. */
  readonly labelled: readonly { put: object; facts: object }[]
  /** The highest priority, default 32,767. */
  readonly highest?: number
  /** Only the next message can be peeked at. */
  readonly peeksNextOnly?: boolean
}

/** So many units fill the queue that {@link Workbench.create} makes. */
export const room = 4
/** Every message of {@link unit} has so many bytes. */
export let unitBytes = 16
/** The largest message of that queue. */
export let largest = room * unitBytes

/** From now on units are those of this subject: called where its tests are named, and again before they run. */
export function measureBy({ grain }: Subject): void {
  unitBytes = grain?.unitBytes ?? 16
  largest = grain?.largest ?? room * unitBytes
}

/** A text of {@link unitBytes} bytes that tells its number. */
export function unit(number: number): string {
  return String(number).padStart(unitBytes, '.')
}

export const units = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => unit(from + at))

export const subjects: readonly Subject[] = [
  {
    name: 'posix:',
    newAddress: () => `posix:${newName()}`,
    sized: (fits) => ({ capacity: fits, maxMessageBytes: fits * unitBytes }),
    plainFacts: { priority: 0 },
    labelled: [
      { put: { priority: 7 }, facts: { priority: 7 } },
      { put: { priority: 32_767 }, facts: { priority: 32_767 } },
    ],
  },
  {
    name: 'sysv:',
    newAddress: () => `sysv:0x${newKey().toString(16)}`,
    sized: (fits) => ({ maxBytes: fits * unitBytes }),
    plainFacts: { type: 1 },
    labelled: [
      { put: { type: 7 }, facts: { type: 7 } },
      { put: { type: 2 ** 53 - 1 }, facts: { type: 2 ** 53 - 1 } },
    ],
  },
  {
    name: 'sysv: with priorities',
    newAddress: () => `sysv:0x${newKey().toString(16)}`,
    sized: (fits) => ({ maxBytes: fits * unitBytes }),
    always: { priorities: true },
    plainFacts: { type: 32_768, priority: 0 },
    labelled: [
      { put: { priority: 7 }, facts: { type: 32_761, priority: 7 } },
      { put: { priority: 32_767 }, facts: { type: 1, priority: 32_767 } },
    ],
  },
  {
    name: 'fifo:',
    newAddress: () => `fifo:${tmpdir()}${newName()}`,
    // A record is its message and 12 bytes, up to a multiple of 8; a page holds one of these.
    sized: (fits) => ({ maxBytes: fits * 4096 }),
    grain: { unitBytes: 4084, largest: room * 4096 - 12, maxBytes: room * 4096 },
    forgets: true,
    plainFacts: {},
    labelled: [],
  },
  {
    name: 'shm:',
    newAddress: () => `shm:${newName()}`,
    sized: (fits) => ({ capacity: fits, maxMessageBytes: fits * unitBytes }),
    // Some tests open a queue with another codec than it was made with.
    always: { anyType: true },
    highest: 9,
    peeksNextOnly: true,
    plainFacts: { priority: 0, deliveryCount: 1, redelivered: false },
    labelled: [
      { put: { priority: 7 }, facts: { priority: 7, deliveryCount: 1, redelivered: false } },
      { put: { priority: 9 }, facts: { priority: 9, deliveryCount: 1, redelivered: false } },
    ],
  },
  {
    name: 'memory:',
    newAddress: () => `memory:${newName()}`,
    sized: (fits) => ({ capacity: fits, maxMessageBytes: fits * unitBytes }),
    plainFacts: { priority: 0 },
    labelled: [
      { put: { priority: 7 }, facts: { priority: 7 } },
      { put: { priority: 32_767 }, facts: { priority: 32_767 } },
    ],
  },
]

/** Makes queues, and removes after each test whatever it made. */
export class Workbench {
  readonly subject: Subject
  readonly #opened: AnyQueue<unknown, never>[] = []
  readonly #addresses = new Set<string>()

  constructor(subject: Subject) {
    this.subject = subject
    afterEach(() => this.clear())
  }

  newAddress(): string {
    const address = this.subject.newAddress()
    this.#addresses.add(address)
    return address
  }

  /** A queue that {@link room} units fill. */
  create<T = string, I = T>(
    codec?: Codec<T, I>,
    options: object = this.subject.sized(room),
  ): Promise<AnyQueue<T, I>> {
    return this.make('create', this.newAddress(), codec, options)
  }

  /** Another handle on the same queue. */
  open<T = string, I = T>(address: string, codec?: Codec<T, I>): Promise<AnyQueue<T, I>> {
    return this.make('open', address, codec, {})
  }

  async make<T = string, I = T>(
    how: 'open' | 'create' | 'openOrCreate',
    address: string,
    codec: Codec<T, I> | undefined,
    options: object,
  ): Promise<AnyQueue<T, I>> {
    const all = { codec: codec ?? text(), ...this.subject.always, ...options }
    const queue = (await Queue[how](address, all as never)) as unknown as AnyQueue<T, I>
    this.#opened.push(queue as unknown as AnyQueue<unknown, never>)
    return queue
  }

  async clear(): Promise<void> {
    for (const queue of this.#opened.splice(0)) await queue.close()
    for (const address of this.#addresses) {
      this.#addresses.delete(address)
      const queue = await Queue.open(address, { codec: raw() }).catch(() => undefined)
      await queue?.unlink()
      await queue?.close()
    }
  }
}

/** The UTF-8 of a text, as errors carry bytes. */
export const bytesOf = (value: string) => new TextEncoder().encode(value)

/** Puts units until there is no more room: how many. */
export function fill(queue: AnyQueue<string>, from = 0): number {
  let count = 0
  while (queue.tryPut(unit(from + count))) count++
  return count
}

/** Takes everything there is. */
export function drain<T, I>(queue: AnyQueue<T, I>): T[] {
  const values: T[] = []
  for (;;) {
    const value = queue.tryGet()
    if (value === undefined) return values
    values.push(value)
  }
}
