/**
 * What comes in on a connection: messages, each behind its length, and descriptors. It takes one thing at a time
 * out of the kernel and nothing ahead of it, so that whoever else has the descriptor finds the rest.
 */
import { native } from '../binding.js'
import { copyError, EOFError, errnoOf, IpcError } from '../errors.js'
import { again } from '../wait/attempt-line.js'
import { inbox } from '../wait/inbox.js'
import type { Socket } from './socket.js'
import { incomingMemory } from './spare-memory.js'

/** A message as it lies in memory. */
export interface Arrived {
  bytes: Uint8Array
  offset: number
  length: number
  /** The memory, when it is the message's alone: to be kept, or given back. Otherwise it serves for the next one. */
  memory?: Uint8Array
}

/** Descriptors as they came. */
export interface ArrivedDescriptors {
  descriptors: number[]
  bytes: Buffer
  truncated: boolean
}

/** The most bytes that can come with descriptors. */
export const maxDescriptorBytes = 2048

const facts = new Float64Array(3)
const besideDescriptors = Buffer.alloc(maxDescriptorBytes)

export class Incoming {
  readonly #socket: Socket
  readonly #maxMessageBytes: number
  /** A message of which a part is here, and how many bytes it has. */
  #partial: Uint8Array | undefined
  #length = 0
  #have = 0
  #headerBytes = 0
  /** Why nothing can be received any more. */
  #end: IpcError | undefined
  /** Grows with what comes in. */
  progress = 0

  constructor(socket: Socket, maxMessageBytes: number) {
    this.#socket = socket
    this.#maxMessageBytes = maxMessageBytes
  }

  /** The next message, if all of it is there. `keep`: whether it will be handed out as it lies in memory. */
  message(keep: boolean): Arrived | typeof again {
    this.#refuseAfterEnd()
    return this.#partial === undefined ? this.#begin(keep) : this.#goOn(this.#partial)
  }

  /** True when receiving would find something, or fail. */
  readonly ready = (): true | typeof again => {
    if (this.#end !== undefined || this.#partial !== undefined || this.#headerBytes > 0) return true
    return native.socketWait(this.#socket.handle, 0, 0) === 1 ? true : again
  }

  /** Descriptors, at most `max`, if they come next. */
  descriptors(max: number): ArrivedDescriptors | typeof again {
    this.#refuseAfterEnd()
    if (this.#partial !== undefined || this.#headerBytes > 0) throw this.#noDescriptors()
    const numbers = new Int32Array(max)
    const count = native.socketReceiveDescriptors(this.#socket.handle, besideDescriptors, numbers, facts)
    const [received, truncated, headerBytes] = facts as unknown as [number, number, number]
    this.#headerBytes = headerBytes
    if (count >= 0) {
      this.progress++
      return {
        descriptors: [...numbers.subarray(0, received)],
        bytes: Buffer.from(besideDescriptors.subarray(0, count)),
        truncated: truncated === 1,
      }
    }
    switch (-count) {
      case errnoOf.EAGAIN:
        return again
      case errnoOf.EBADMSG:
        throw this.#noDescriptors()
      case errnoOf.EMFILE: {
        const fate = truncated === 1 ? 'what was sent is lost' : 'what was sent is still there'
        const advice = `this process has too many descriptors open; close some, or raise the limit with: ulimit -n; ${fate}`
        throw this.#socket.error(count, 'recvmsg', 'receive a descriptor from', advice)
      }
      case errnoOf.EPROTO: {
        const advice = `more than ${maxDescriptorBytes} bytes came with it; nothing more can be received`
        this.#end = this.#socket.error(count, 'recvmsg', 'receive a descriptor from', advice)
        throw this.#end
      }
      default:
        throw this.#fail(count, 'at the end of a message', true)
    }
  }

  /** Nothing is received any more. */
  close(): void {
    this.#partial = undefined
  }

  #begin(keep: boolean): Arrived | typeof again {
    const { bytes } = inbox()
    const count = native.socketBegin(this.#socket.handle, bytes, facts)
    const [length, headerBytes] = facts as unknown as [number, number]
    if (headerBytes !== this.#headerBytes) this.progress++
    this.#headerBytes = headerBytes
    if (count === -errnoOf.EAGAIN) return again
    if (count < 0) {
      throw this.#fail(count, `after ${headerBytes} bytes of a message's length`, headerBytes === 0)
    }
    // Before any memory is made for it.
    if (length > this.#maxMessageBytes) throw this.#tooLarge(length)
    this.progress++
    if (count === length) return { bytes, offset: 0, length }
    // Nobody sees what was in this memory, as only what was filled is given out.
    const partial = keep ? Buffer.allocUnsafeSlow(length) : incomingMemory.borrow(length)
    partial.set(bytes.subarray(0, count))
    this.#partial = partial
    this.#length = length
    this.#have = count
    return this.#goOn(partial)
  }

  #goOn(partial: Uint8Array): Arrived | typeof again {
    const length = this.#length
    while (this.#have < length) {
      const count = native.socketMore(this.#socket.handle, partial, this.#have, length)
      if (count === -errnoOf.EAGAIN) return again
      if (count < 0) {
        this.#partial = undefined
        throw this.#fail(count, `after ${this.#have} of the ${length} bytes of a message`, false)
      }
      this.#have += count
      this.progress++
    }
    this.#partial = undefined
    return { bytes: partial, offset: 0, length, memory: partial }
  }

  #refuseAfterEnd(): void {
    if (this.#end !== undefined) throw copyError(this.#end)
  }

  #tooLarge(length: number): IpcError {
    const said = length === 2 ** 63 ? 'more than 2^63' : length
    const advice = `the other end announced a message of ${said} bytes, and this end takes at most ${this.#maxMessageBytes}; nothing more can be received. Open both ends with a larger maxMessageBytes, or send it in parts`
    this.#end = this.#socket.error(-errnoOf.EMSGSIZE, 'recvmsg', 'receive from', advice)
    return this.#end
  }

  #noDescriptors(): IpcError {
    const advice = 'a message comes next, and no descriptor; receive it first'
    return this.#socket.error(-errnoOf.EBADMSG, 'recvmsg', 'receive a descriptor from', advice)
  }

  /** `whole`: at a boundary of messages, where an end is a good end. */
  #fail(errno: number, where: string, whole: boolean): IpcError {
    this.#headerBytes = 0
    this.#end = this.#endOf(-errno, where, whole)
    return this.#end
  }

  #endOf(errno: number, where: string, whole: boolean): IpcError {
    const { address } = this.#socket
    const gone = errno === errnoOf.ENODATA || errno === errnoOf.ECONNRESET
    if (gone && whole) {
      const unread =
        errno === errnoOf.ECONNRESET ? ', and had not received all that this end has sent to it' : ''
      return new EOFError(
        `The other end of ${address} is closed${unread}: there is nothing more to receive`,
        {
          code: 'ERR_IPC_EOF',
          resource: address,
        },
      )
    }
    if (gone) {
      return new IpcError(
        `The other end of ${address} was closed, or its process has ended, ${where}: the rest will never come`,
        { code: 'ERR_IPC_TRUNCATED', resource: address },
      )
    }
    return this.#socket.error(-errno, 'recvmsg', 'receive from', adviseProtocol(errno))
  }
}

function adviseProtocol(errno: number): string | undefined {
  switch (errno) {
    case errnoOf.EPROTO:
      return 'a descriptor came where a message was expected, and was closed; nothing more can be received. Call recvFd() where the other end calls sendFd()'
    case errnoOf.EBADMSG:
      return "the other end does not speak this protocol: what it sent is no message's length. Nothing more can be received"
    default:
      return undefined
  }
}
