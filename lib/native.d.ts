/**
 * What the addon offers: the kernel's calls under their own names, with numbers for handles. Calls that
 * return a number return the negative errno when they fail; the others throw `{errno, syscall}`.
 */
export interface Native {
  /** Registers where received messages are laid: their bytes, and four int32 for each message. */
  useInbox(bytes: Uint8Array, index: Int32Array): void
  /** Names the function that is told of events, four int32 for each: token, result, label low, label high. */
  startWaits(callback: (count: number) => void, events: Int32Array): void
  keepAlive(alive: 0 | 1): void
  /** From now on, or no longer, a SIGINT or SIGTERM that somebody handles ends calls that block. */
  watchTermination(on: 0 | 1): void
  /** Blocks until there are events: how many are laid now, 0 when none came in time, or -EINTR. */
  waitForEvents(milliseconds: number): number
  /** Lets another thread have this CPU, if one wants it. */
  yieldProcessor(): void
  cancelCall(token: number): void

  mqOpen(name: string, oflag: number, mode: number, capacity: number, messageBytes: number): number
  mqClose(handle: number, token: number): void
  mqUnlink(name: string): void
  /** [capacity, messageBytes, depth, flags, uid, gid, mode, linked] */
  mqStatus(handle: number, out: Float64Array): void
  mqSend(handle: number, bytes: Uint8Array, length: number, priority: number): number
  mqSendMany(handle: number, bytes: Uint8Array, index: Int32Array, from: number, count: number): number
  mqReceive(handle: number, max: number): number
  mqWait(handle: number, toSend: 0 | 1, milliseconds: number): number
  mqArm(handle: number, token: number, toSend: 0 | 1): number
  mqNotify(handle: number, token: number): void
  /** True when the kernel had taken the request back instead of answering. */
  mqEndNotify(handle: number, token: number, cancel: 0 | 1): boolean | undefined
  /** From now on an unlinked queue fails with EIDRM, looked up a few times a second at most. */
  mqHeedRemoval(handle: number): void
  /** The number of a watch; events of the token say that {@link mqRemovals} has something to tell. */
  mqWatchRemoval(handle: number, token: number): number
  mqUnwatchRemoval(watch: number): void
  mqRemovals(token: number, watches: Int32Array): number
  mqDirectory(): number

  msgGet(key: number, flags: number): number
  msgAttach(id: number): number
  msgDetach(handle: number): void
  msgRemove(handle: number): void
  /**
   * [id, key, depth, bytes, queueBytes, uid, gid, creator uid, creator gid, mode, last sender, last receiver,
   * last send, last receive, last change]
   */
  msgStatus(handle: number, out: Float64Array): void
  msgSet(handle: number, uid: number, gid: number, mode: number, queueBytes: number): void
  /** [messageBytes, queueBytes, queues, usedQueues, usedMessages, usedBytes] */
  msgLimits(out: Float64Array): void
  ftok(path: string, project: number): number
  msgSend(handle: number, bytes: Uint8Array, length: number, type: number): number
  msgSendMany(handle: number, bytes: Uint8Array, index: Int32Array, from: number, count: number): number
  /** `size` limits how long a message may be; -1 takes what the inbox holds. */
  msgReceive(handle: number, type: number, flags: number, max: number, size: number): number
  msgPeek(handle: number, position: number): number
  msgWait(handle: number, type: number, flags: number, milliseconds: number): number
  msgSendWait(handle: number, bytes: Uint8Array, length: number, type: number, milliseconds: number): number
  msgCall(handle: number, token: number, type: number, flags: number): void
  msgSendCall(handle: number, token: number, bytes: Uint8Array, length: number, type: number): void

  /**
   * `how`: 0 open, 1 create, 2 either. `sizes`: [capacity, deadCapacity, capacityBytes, maxMessageBytes, priorities,
   * participants, maxDeliveries, mode, flags, prefetch], 0 for the default. An empty `type` is any.
   */
  ringOpen(name: string, how: 0 | 1 | 2, sizes: Float64Array, type: string): number
  ringClose(handle: number, tokens: Int32Array): void
  ringUnlink(name: string): void
  ringPut(handle: number, bytes: Uint8Array, length: number, priority: number): number
  ringPutMany(handle: number, bytes: Uint8Array, index: Int32Array, from: number, count: number): number
  /** With -EMSGSIZE the first entry of the inbox has the room that the next message needs. */
  ringGet(handle: number, max: number): number
  ringLease(handle: number, max: number, milliseconds: number): number
  ringPeek(handle: number): number
  ringGetDead(handle: number): number
  /** `what`: 0 ack, 1 nack after a delay, 2 reject, 3 extend */
  ringSettle(handle: number, delivery: number, what: number, milliseconds: number): number
  ringDrop(handle: number, delivery: number): void
  ringTaskDone(handle: number): number
  ringJoin(handle: number): number
  ringShutdown(handle: number, immediate: 0 | 1): number
  ringClear(handle: number): number
  /** The name of the type; see lib/shm/transport.ts for the numbers. */
  ringStatus(handle: number, out: Float64Array): string
  ringParticipants(handle: number): Array<{
    pid: number
    name: string
    producer: boolean
    consumer: boolean
    leases: number
    since: number
    alive: boolean
    self: boolean
  }>
  ringArm(handle: number, token: number, interest: number): number
  ringForget(token: number): void
  ringWait(handle: number, interest: number, milliseconds: number): number
}
