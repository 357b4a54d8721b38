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
  /** What the call of this token did is ours now; what nobody hears of is taken back when the thread ends. */
  heardCall(token: number): void

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

  /** EPERM when another user could make it crash us, EINVAL when it is no semaphore. */
  semOpen(name: string, trustOthers: 0 | 1): number
  semCreate(name: string, mode: number, value: number): number
  semClose(handle: number): void
  semUnlink(name: string): void
  semTryWait(handle: number): number
  /** How many were done. */
  semPost(handle: number, count: number): number
  semValue(handle: number): number
  /** Wakes the next waiter, of whatever process, for one that was woken and takes nothing. */
  semPassOn(handle: number): void
  /** [value, uid, gid, mode, links] */
  semStatus(handle: number, out: Float64Array): void
  semWait(handle: number, milliseconds: number): number
  semCall(handle: number, token: number): void

  semsetGet(key: number, count: number, flags: number): number
  semsetAttach(id: number): number
  semsetDetach(handle: number): void
  semsetRemove(handle: number): void
  /** [id, key, size, uid, gid, creator uid, creator gid, mode, last operation, last change] */
  semsetStatus(handle: number, out: Float64Array): void
  semsetSet(handle: number, uid: number, gid: number, mode: number): void
  /** [sets, setSize, semaphores, operations, value, usedSets, usedSemaphores] */
  semsetLimits(out: Float64Array): void
  /** GETVAL 12, GETPID 11, GETNCNT 14 or GETZCNT 15 of semctl(2). */
  semsetQuery(handle: number, semaphore: number, command: number): number
  semsetSetValue(handle: number, semaphore: number, value: number): number
  semsetValues(handle: number, out: Uint16Array): number
  semsetSetValues(handle: number, values: Uint16Array): number
  semopOne(handle: number, semaphore: number, change: number, flags: number): number
  /** Three int16 for each operation: semaphore, change, flags. */
  semop(handle: number, operations: Int16Array): number
  semopTakeBack(handle: number, operations: Int16Array): number
  semopWait(handle: number, operations: Int16Array, milliseconds: number): number
  semopCall(handle: number, token: number, operations: Int16Array): void
}
