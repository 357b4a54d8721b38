/**
 * A queue inside this environment, made of nothing: for tests of programs that use queues. It keeps the
 * contract of the kernel's queues, priorities included; a worker thread has queues of its own.
 */

import { errnoOf, type IpcError, systemError, unsupported } from '../errors.js'
import type { How } from '../how.js'
import { checkInteger, checkKeys, checkObject } from '../options.js'
import type {
  Capabilities,
  GetSelector,
  MessageFacts,
  Outgoing,
  OutgoingBatch,
  PutLabel,
  QueueStat,
  Selector,
  Transport,
  TransportListener,
} from '../queue/transport.js'
import { inbox } from '../wait/inbox.js'
import { messageAt } from '../wait/outbox.js'
import { anyMessage } from '../wait/selector.js'

/** Options of making a queue in memory. */
export interface CreateOptions {
  /** How many messages fit, 1 to 2^31 - 1, default 1000. */
  capacity?: number
  /** The largest message, bytes, 1 to 2^31 - 1, default 1 MiB. */
  maxMessageBytes?: number
}

const maxPriority = 32_767

interface Stored {
  readonly bytes: Uint8Array
  readonly priority: number
}

/** What all handles of one name share. */
interface Store {
  readonly capacity: number
  readonly maxMessageBytes: number
  /** Highest priority first, oldest first among equals. */
  readonly messages: Stored[]
  readonly handles: Set<MemoryTransport>
  removed: boolean
}

const stores = new Map<string, Store>()

export class MemoryTransport implements Transport {
  readonly address: string
  readonly capabilities: Capabilities = {
    priorities: true,
    types: false,
    blocking: false,
    peek: true,
  }
  readonly #name: string
  readonly #store: Store
  #listener!: TransportListener
  #wantsRoom = false
  #wantsMessage = false

  constructor(name: string, how: How, options: CreateOptions = {}) {
    checkKeys(
      'options',
      checkObject('options', options),
      how === 'open' ? [] : ['capacity', 'maxMessageBytes'],
    )
    this.#name = name
    this.address = `memory:${name}`
    this.#store = find(this.address, name, how, options)
    this.#store.handles.add(this)
  }

  get maxMessageBytes(): number {
    return this.#store.maxMessageBytes
  }

  label(options: PutLabel | undefined): number {
    if (options?.type !== undefined) throw this.#noTypes('`type`')
    return options?.priority === undefined ? 0 : checkInteger('priority', options.priority, 0, maxPriority)
  }

  selector(options: GetSelector | undefined): Selector {
    for (const name of ['type', 'maxType', 'except'] as const) {
      if (options?.[name] !== undefined) throw this.#noTypes(`\`${name}\``)
    }
    return anyMessage
  }

  facts(label: number): MessageFacts {
    return { priority: label }
  }

  send({ bytes, length, label }: Outgoing): boolean {
    this.#checkThere('send to')
    if (length > this.maxMessageBytes) throw this.tooLarge(length)
    const { messages, capacity } = this.#store
    if (messages.length >= capacity) return false
    let at = messages.length
    while (at > 0 && (messages[at - 1] as Stored).priority < label) at--
    messages.splice(at, 0, { bytes: new Uint8Array(bytes.subarray(0, length)), priority: label })
    this.#tell((handle) => handle.#tellArrival())
    return true
  }

  sendMany(batch: OutgoingBatch, from: number): number {
    let sent = 0
    while (from + sent < batch.count && this.send(messageAt(batch, from + sent))) sent++
    return sent
  }

  receive(_selector: Selector, max: number): number {
    this.#checkThere('receive from')
    const { messages } = this.#store
    const box = inbox(messages[0]?.bytes.length)
    let offset = 0
    let count = 0
    for (; count < max && messages.length > 0; count++) {
      const { bytes, priority } = messages[0] as Stored
      if (offset + bytes.length > box.bytes.length) break
      box.lay(count, offset, bytes, priority)
      offset += bytes.length
      messages.shift()
    }
    if (count > 0) this.#tell((handle) => handle.#tellRoom())
    return count
  }

  peek(position: number): boolean {
    this.#checkThere('peek into')
    const message = this.#store.messages[position]
    if (message === undefined) return false
    inbox(message.bytes.length).lay(0, 0, message.bytes, message.priority)
    return true
  }

  blockToSend(): boolean {
    throw this.#wouldBlock()
  }

  blockToReceive(): void {
    throw this.#wouldBlock()
  }

  listen(listener: TransportListener): void {
    this.#listener = listener
  }

  askToSend(): void {
    this.#wantsRoom = true
  }

  forgetToSend(): boolean {
    this.#wantsRoom = false
    return true
  }

  askToReceive(): void {
    this.#wantsMessage = true
  }

  forgetToReceive(): void {
    this.#wantsMessage = false
  }

  stat(): QueueStat {
    const { messages, capacity, maxMessageBytes, removed } = this.#store
    return {
      address: this.address,
      depth: messages.length,
      capacity,
      bytes: messages.reduce((sum, { bytes }) => sum + bytes.length, 0),
      maxMessageBytes,
      unlinked: removed,
    }
  }

  tooLarge(length: number): IpcError {
    return systemError({
      errno: errnoOf.EMSGSIZE,
      syscall: 'send',
      action: 'send to',
      resource: this.address,
      advice: `the message has ${length} bytes, and this queue takes at most ${this.maxMessageBytes}; make the queue with a larger maxMessageBytes, or send less`,
    })
  }

  close(): void {
    this.#store.handles.delete(this)
  }

  unlink(): void {
    this.#checkThere('remove')
    this.#store.removed = true
    stores.delete(this.#name)
    this.#tell((handle) => {
      handle.#tellArrival()
      handle.#tellRoom()
    })
  }

  /** Later, as the kernel would: nobody is called back from inside a call of another handle. */
  #tell(what: (handle: MemoryTransport) => void): void {
    for (const handle of this.#store.handles) queueMicrotask(() => what(handle))
  }

  #tellArrival(): void {
    if (!this.#wantsMessage) return
    this.#wantsMessage = false
    this.#listener.arrival(anyMessage)
  }

  #tellRoom(): void {
    if (!this.#wantsRoom) return
    this.#wantsRoom = false
    this.#listener.room(false)
  }

  #checkThere(action: string): void {
    if (!this.#store.removed) return
    const advice = 'the queue was removed'
    throw systemError({ errno: errnoOf.EIDRM, syscall: action, action, resource: this.address, advice })
  }

  #noTypes(what: string): IpcError {
    return unsupported(this.address, what, 'queues in memory have priorities and no types')
  }

  #wouldBlock(): IpcError {
    return unsupported(
      this.address,
      'blocking the thread',
      'the other end lives in the same thread; use put and get',
    )
  }
}

function find(address: string, name: string, how: How, options: CreateOptions): Store {
  const { capacity = 1000, maxMessageBytes = 2 ** 20 } = options
  checkInteger('capacity', capacity, 1, 2 ** 31 - 1)
  checkInteger('maxMessageBytes', maxMessageBytes, 1, 2 ** 31 - 1)
  const found = stores.get(name)
  if (found !== undefined && how !== 'create') return found
  if (found === undefined && how === 'open') {
    const advice = 'there is no such queue in this thread; create it first, or use openOrCreate'
    throw systemError({ errno: errnoOf.ENOENT, syscall: 'open', action: 'open', resource: address, advice })
  }
  if (found !== undefined) {
    const advice = 'there is a queue of that name already; open it, or unlink it first'
    throw systemError({ errno: errnoOf.EEXIST, syscall: 'open', action: 'create', resource: address, advice })
  }
  const made: Store = {
    capacity,
    maxMessageBytes,
    messages: [],
    handles: new Set(),
    removed: false,
  }
  stores.set(name, made)
  return made
}
