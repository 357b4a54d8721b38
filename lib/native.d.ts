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

  mqOpen(name: string | Buffer, oflag: number, mode: number, capacity: number, messageBytes: number): number
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

  /** [reading end, writing end] */
  pipeMake(packets: 0 | 1, out: Float64Array): void
  pipeClose(handle: number, token: number): void
  /** 0: nothing is there, and nobody has the pipe open for writing. */
  pipeRead(handle: number, bytes: Uint8Array, offset: number, length: number): number
  pipeWrite(handle: number, bytes: Uint8Array, offset: number, length: number): number
  pipeArm(handle: number, token: number, toWrite: 0 | 1): number
  pipeDisarm(token: number): void
  /** The bits of poll(2) that hold now. */
  pipePoll(handle: number): number
  /** Sets the size, unless it is 0, and returns what it is. */
  pipeCapacity(handle: number, bytes: number): number
  pipeUnread(handle: number): number
  pipeDescriptor(handle: number): number
  /** Closes the handle and gives its descriptor away, in blocking mode. */
  pipeHandOver(handle: number, token: number): number
  /** `owner`: -1 me or root, -2 anybody, or a uid. The handle of a pipe end. */
  fifoOpen(path: string, access: number, owner: number): number
  fifoMake(path: string, mode: number): number
  fifoReopen(handle: number, path: string, access: number): number
  /** Whether anybody has it open for writing, or has left something in it. */
  fifoHasWriter(handle: number): number
  /** [uid, gid, mode, linked] */
  fifoStatus(handle: number, out: Float64Array): void
  fifoUnlink(handle: number, path: string): void

  fifoQueueOpen(path: string, owner: number, capacity: number): number
  fifoQueueMake(path: string, mode: number, capacity: number): number
  fifoQueueClose(handle: number, token: number): void
  fifoQueueUnlink(handle: number, path: string): void
  /** [depth, bytes, capacity, shared, uid, gid, mode, linked] */
  fifoQueueStatus(handle: number, out: Float64Array): void
  fifoQueueSend(handle: number, bytes: Uint8Array, length: number): number
  fifoQueueSendMany(handle: number, bytes: Uint8Array, index: Int32Array, from: number, count: number): number
  /** The label of what is left of a torn record is 1, of others 0. */
  fifoQueueReceive(handle: number, max: number): number
  fifoQueuePeek(handle: number, position: number): number
  fifoQueueWait(handle: number, toSend: 0 | 1, milliseconds: number): number
  /** 1: no event could tell when to try again. */
  fifoQueueArm(handle: number, token: number, toSend: 0 | 1): number
  fifoQueueWatchRemoval(handle: number, token: number): number
  /** Whether its name is gone, looked up each time. */
  fifoQueueIsRemoved(handle: number): boolean

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

  /** Lays two handles of sockets that are connected with each other. */
  socketPair(ends: Int32Array): void
  /** Takes over a descriptor. */
  socketAdopt(descriptor: number): number
  socketConnect(name: string): number
  socketClose(handle: number, token: number): void
  socketDescriptor(handle: number): number
  socketShut(handle: number, toSend: 0 | 1): void
  /** How many bytes more of the framed message are sent. */
  socketSend(handle: number, bytes: Uint8Array, length: number, from: number): number
  /** How many bytes of a message lie in `bytes`; [its length, bytes of a header in hand] */
  socketBegin(handle: number, bytes: Uint8Array, facts: Float64Array): number
  /** Reads into `bytes` from `from` to `end`. */
  socketMore(handle: number, bytes: Uint8Array, from: number, end: number): number
  socketSendDescriptors(handle: number, bytes: Uint8Array, descriptors: Int32Array): number
  /** How many bytes came with them; [count, 1 when there were more, bytes of a header in hand] */
  socketReceiveDescriptors(
    handle: number,
    bytes: Uint8Array,
    descriptors: Int32Array,
    facts: Float64Array,
  ): number
  socketWait(handle: number, toSend: 0 | 1, milliseconds: number): number
  socketArm(handle: number, token: number, toSend: 0 | 1): number
  /** [pid, uid, gid] */
  socketPeer(handle: number, out: Float64Array): void
  /** 0 nothing, 1 a link, 2 no socket, 3 of another user, 4 nobody listens, 5 somebody listens */
  socketFile(path: string): number
  listenerOpen(name: string, mode: number, backlog: number, replaceStale: 0 | 1): number
  listenerAccept(listener: number): number
  listenerArm(listener: number, token: number): number
  listenerClose(listener: number, token: number): void

  // Memory of any kind, once it is mapped. Offsets and sizes in bytes.
  mapSize(handle: number): number
  /** Undefined where this runtime has no ArrayBuffers over memory that is not its own. */
  mapBuffer(handle: number): ArrayBuffer | undefined
  /** 0, or -errno; -EFAULT when the memory was truncated. */
  mapRead(handle: number, offset: number, target: Uint8Array): number
  mapWrite(handle: number, offset: number, source: Uint8Array): number
  mapLost(handle: number): 0 | 1
  /** What was there before, without sign; `operation` counts load, store, add, exchange, compareExchange. */
  mapAtomic32(handle: number, operation: number, offset: number, operand: number, expected: number): number
  mapAtomic64(handle: number, operation: number, offset: number, operand: bigint, expected: bigint): bigint
  /** Views show zeros from now on, unless they are kept. */
  mapClose(handle: number, keepViews: 0 | 1): void

  shmOpen(name: string, writable: 0 | 1): number
  shmCreate(name: string, size: number, mode: number): number
  memfdCreate(label: string, size: number): number
  shmDuplicate(descriptor: number): number
  shmUnlink(name: string): void
  shmMap(handle: number, size: number, writable: 0 | 1): void
  /** [size, uid, gid, mode with file type, links, inode, writable descriptor, descriptor] */
  shmStatus(handle: number, out: Float64Array): void
  shmSet(handle: number, uid: number, gid: number, mode: number): void
  shmAddSeals(handle: number, seals: number): void
  shmSeals(handle: number): number

  shmGet(key: number, size: number, flags: number): number
  shmAttach(id: number, writable: 0 | 1): number
  shmRemove(id: number): void
  /**
   * [id, key, size, uid, gid, creator uid, creator gid, mode, creator, last user, attached, last attach, last
   * detach, last change]
   */
  segmentStatus(handle: number, out: Float64Array): void
  segmentSet(handle: number, uid: number, gid: number, mode: number): void
  segmentLock(handle: number, locked: 0 | 1): void
  /** [segmentBytes, pages, segments, usedSegments, usedPages, residentPages, swappedPages, pageBytes] */
  segmentLimits(out: Float64Array): void
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
  ringParticipants(handle: number): NativeParticipant[]
  /** `length` is that of the message for which space is wanted. */
  ringArm(handle: number, token: number, interest: number, length: number): number
  ringForget(token: number): void
  ringWait(handle: number, interest: number, length: number, milliseconds: number): number
  /** 1 when trying may be worth it, 0 when nothing came; `-EBUSY` when looking does not pay, or otherwise negative. */
  ringPoll(handle: number, interest: number, length: number, milliseconds: number): number
  /** Whether the kernel has futex_waitv(2). */
  ringVectors(): boolean

  /**
   * `how`: 0 open, 1 create, 2 either. `numbers`: [value, bytes, participants, waiters, mode, flags], 0 for the
   * default. An empty `type` is any.
   */
  syncOpen(
    name: string,
    how: 0 | 1 | 2,
    kind: number,
    numbers: Float64Array,
    type: string,
    initial: Uint8Array,
  ): number
  syncClose(handle: number, tokens: Int32Array): void
  syncUnlink(name: string): void
  /** Undefined done; otherwise as syncTry. */
  syncAcquire(handle: number): number | undefined
  /** Undefined done. */
  syncReleaseOne(handle: number): number | undefined
  /** 0 done, 1 done and the holder before died, -EAGAIN when it would have to wait. */
  syncTry(handle: number, operation: number, count: number): number
  /** The number of the wait that has begun. */
  syncBegin(handle: number, operation: number, count: number): number
  /** As syncTry; 2: the action of the barrier is this one's. */
  syncAttempt(handle: number, wait: number): number
  /** 1: it was done already. */
  syncCancel(handle: number, wait: number): number
  /** Its number may be used again: the index that a barrier gave. */
  syncEnd(handle: number, wait: number): number
  /** Of the dead holder that was told last. */
  syncDead(handle: number): { pid: number; name: string }
  /** 1: trying is worth it now, and no event comes. */
  syncArm(handle: number, wait: number, token: number): number
  syncBlock(handle: number, wait: number, milliseconds: number): number
  syncRelease(handle: number, count: number): number
  syncReleaseShared(handle: number): number
  eventSet(handle: number): number
  eventClear(handle: number): number
  eventIsSet(handle: number): number
  /** How many were woken. */
  conditionNotify(handle: number, count: number): number
  barrierActionDone(handle: number, wait: number): number
  barrierAbort(handle: number): number
  barrierReset(handle: number): number
  /** How often it is held. */
  syncHolds(handle: number): number
  /** The name of the type; see lib/sync/stat.ts for the numbers. */
  syncStatus(handle: number, out: Float64Array): string
  syncLook(name: string, out: Float64Array): string
  syncIdentity(handle: number): string
  syncParticipants(handle: number): NativeParticipant[]
  syncVerify(handle: number): number
  /** A handle of the map calls. */
  syncMap(handle: number): number
  /** A descriptor. */
  syncDuplicate(handle: number): number
}

/** One who has an object in shared memory open. */
export interface NativeParticipant {
  pid: number
  name: string
  /** IPCKIT_ROLE_* of the C header. */
  roles: number
  leases: number
  since: number
  alive: boolean
  self: boolean
}
