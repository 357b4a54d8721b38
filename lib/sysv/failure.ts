/** The errors of System V message queues: what the kernel's answers mean, and what to do about them. */
import { errnoOf, type IpcError, RemovedError, type SystemFailure, systemError } from '../errors.js'
import { adviseOnWaiting } from '../wait/asking.js'

/** A failed call on a queue, and what is known of the queue. */
export interface QueueFailure extends SystemFailure {
  /** Bytes of the message that was to be sent, or that were to be received at most. */
  length?: number | undefined
  /** kernel.msgmax, and the size of the queue. */
  messageBytes: number
  queueBytes: number
  /** Whether the id still leads to a queue. */
  exists: () => boolean
}

/** The error that the caller sees. */
export function queueError(failure: QueueFailure): IpcError {
  const { errno, action, resource, length, messageBytes, exists } = failure
  switch (Math.abs(errno)) {
    case errnoOf.EINVAL:
      // The kernel says EINVAL of a message over the limit, and of an id that is no more.
      if (!exists()) return removedError(failure)
      if (length !== undefined && length > messageBytes) return tooLargeError(failure, length)
      return systemError(failure)
    case errnoOf.EIDRM:
      return removedError(failure)
    case errnoOf.ESTALE:
      return new RemovedError(
        `Cannot ${action} ${resource}: the queue was removed, and its id belongs to another one by now; open it again`,
        { code: 'ERR_IPC_RECYCLED', resource },
      )
    default:
      return systemError({ ...failure, advice: failure.advice ?? advise(failure) })
  }
}

/** A message that no queue of these sizes can ever hold: names the limits that it is over, and no others. */
export function tooLargeError(failure: QueueFailure, length: number): IpcError {
  const { messageBytes, queueBytes } = failure
  const reasons = [`the message has ${length} bytes`]
  if (length > messageBytes) {
    reasons.push(`kernel.msgmax is ${messageBytes}: raise it with sysctl -w kernel.msgmax=${length}`)
  }
  if (length > queueBytes) {
    reasons.push(
      `this queue holds at most ${queueBytes}: create it with a larger \`maxBytes\`, or change that with MessageQueue.set of ipckit/sysv`,
    )
  }
  return systemError({
    ...failure,
    errno: errnoOf.EMSGSIZE,
    advice: `${reasons.join('; ')}; or send less`,
  })
}

function removedError(failure: QueueFailure): IpcError {
  return systemError({ ...failure, errno: errnoOf.EIDRM, advice: 'the queue was removed' })
}

function advise(failure: QueueFailure): string | undefined {
  const { errno, length } = failure
  switch (Math.abs(errno)) {
    case errnoOf.E2BIG:
      return `the next message is longer than the ${length} bytes of \`maxBytes\`; it stays in the queue. Ask for more, or pass \`truncate\` to lose its end`
    case errnoOf.EACCES:
      return "the queue's mode does not allow this user to do that; have its owner widen it with set({ mode })"
    default:
      return adviseOnWaiting(failure)
  }
}
