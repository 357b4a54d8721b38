/**
 * Options that another scheme has: not misspelled, but nothing that this one can do, and the reason says what it has
 * instead. The one place that knows them all.
 */
import { unsupported } from './errors.js'
import type { CreateOptionsByScheme } from './open.js'
import type { Scheme } from './queue/queue-options.js'

/** Every option of every scheme; what is missing here, or is no option, does not compile. */
const optionsOf: { readonly [S in Scheme]: Record<keyof CreateOptionsByScheme[S], true> } = {
  posix: { access: true, capacity: true, maxMessageBytes: true, mode: true },
  sysv: { priorities: true, maxBytes: true, mode: true },
  fifo: { owner: true, maxBytes: true, maxMessageBytes: true, mode: true },
  shm: {
    prefetch: true,
    anyType: true,
    anyOwner: true,
    anyMode: true,
    capacity: true,
    maxMessageBytes: true,
    capacityBytes: true,
    priorities: true,
    participants: true,
    maxDeliveries: true,
    deadLetters: true,
    joinable: true,
    mode: true,
  },
  memory: { capacity: true, maxMessageBytes: true },
}

const inMessages = 'are sized in messages: `capacity` and `maxMessageBytes`'
const sysvSize = 'System V queues are sized in bytes: `maxBytes`'
const fifoSize = 'FIFOs are sized in bytes: `maxBytes`, or `maxMessageBytes`'
const always = 'always have priorities, 0 to 32,767'

/** What a scheme has instead, where there is more to say than who has the option. */
const reasons: Record<Scheme, Record<string, string>> = {
  posix: {
    maxBytes: `POSIX queues ${inMessages}`,
    capacityBytes: `POSIX queues ${inMessages}`,
    priorities: `POSIX queues ${always}`,
  },
  sysv: {
    capacity: sysvSize,
    capacityBytes: sysvSize,
    maxMessageBytes: `${sysvSize}; no message is larger than that, or than kernel.msgmax`,
    access: "a handle on a System V queue sends and receives as far as the queue's mode lets it",
  },
  fifo: {
    capacity: fifoSize,
    capacityBytes: fifoSize,
    priorities: 'FIFOs deliver in order',
    access: 'whoever uses a FIFO as a queue reads and writes',
  },
  shm: {
    maxBytes: 'queues in shared memory are sized by `capacity`, `maxMessageBytes` and `capacityBytes`',
    access: 'whoever uses a queue in shared memory reads and writes',
    owner: 'queues in shared memory have `anyOwner`',
  },
  memory: {
    maxBytes: `queues in memory ${inMessages}`,
    capacityBytes: `queues in memory ${inMessages}`,
    priorities: `queues in memory ${always}`,
    mode: 'nobody outside of this thread reaches a queue in memory',
  },
}

/** Refuses options that only other schemes have. What no scheme has is left to who opens the queue. */
export function refuseForeign(address: string, scheme: Scheme, options: object): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(optionsOf[scheme], name)) continue
    const owners = Object.keys(optionsOf).filter((each) => Object.hasOwn(optionsOf[each as Scheme], name))
    if (owners.length === 0) continue
    const has = `only queues over ${owners.map((each) => `${each}:`).join(', ')} have it`
    throw unsupported(address, `\`${name}\``, reasons[scheme][name] ?? has)
  }
}
