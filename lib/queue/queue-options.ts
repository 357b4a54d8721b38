/** What `put` and `get` take and give, by transport, so that an option that a transport does not have does not compile. */
import type { SyncWaitOptions, WaitOptions } from '../options.js'

/** The schemes of addresses. */
export type Scheme = 'posix' | 'sysv' | 'fifo' | 'shm' | 'memory'

/** The scheme of an address: of a literal one exactly, of any other string, any. */
export type SchemeOf<A extends string> = string extends A
  ? Scheme
  : A extends `${infer S}:${string}`
    ? S extends Scheme
      ? S
      : never
    : never

/** Higher priorities are delivered first. */
export interface PriorityOption {
  /** 0 to 32,767, over `shm:` 0 to 9 unless the queue was made otherwise; default 0. */
  priority?: number | undefined
  type?: undefined
}

/** Messages that have neither priority nor type. */
export interface NoLabel {
  priority?: undefined
  type?: undefined
}

/** The type of a System V message; on a queue with `priorities`, its priority instead. */
export type TypeOrPriority =
  | { /** 1 to 2^53 - 1, default 1. */ type?: number | undefined; priority?: undefined }
  | {
      /** 0 to 32,767; the queue must have been opened with `priorities`. */ priority?: number | undefined
      type?: undefined
    }

/** Which System V messages are wanted: at most one of these. */
export type TypeSelector =
  | { /** Messages of this type. */ type?: number | undefined; maxType?: undefined; except?: undefined }
  | {
      /** The lowest type that is at most this. */ maxType?: number | undefined
      type?: undefined
      except?: undefined
    }
  | { /** Any type but this. */ except?: number | undefined; type?: undefined; maxType?: undefined }

/** There is nothing to choose messages by. */
export interface NoSelector {
  type?: undefined
  maxType?: undefined
  except?: undefined
}

/** What `tryPut` takes beside the value. */
export type TryPutOptions<S extends Scheme> = S extends 'sysv'
  ? TypeOrPriority
  : S extends 'fifo'
    ? NoLabel
    : PriorityOption
export type PutOptions<S extends Scheme> = TryPutOptions<S> & WaitOptions
export type PutSyncOptions<S extends Scheme> = TryPutOptions<S> & SyncWaitOptions

/** What `tryGet` takes. */
export type TryGetOptions<S extends Scheme> = S extends 'sysv' ? TypeSelector : NoSelector
export type GetOptions<S extends Scheme> = TryGetOptions<S> & WaitOptions
export type GetSyncOptions<S extends Scheme> = TryGetOptions<S> & SyncWaitOptions

/** A value with what the transport knows of its message. */
export type Envelope<T, S extends Scheme = Scheme> = S extends 'sysv'
  ? {
      readonly value: T
      readonly type: number
      /** On a queue that was opened with `priorities`. */
      readonly priority?: number
    }
  : S extends 'fifo'
    ? { readonly value: T }
    : S extends 'shm'
      ? {
          readonly value: T
          readonly priority: number
          /** How often it was delivered, this time included. */
          readonly deliveryCount: number
          readonly redelivered: boolean
        }
      : { readonly value: T; readonly priority: number }
