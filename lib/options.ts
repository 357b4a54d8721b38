/**
 * Checks of what users pass in, before anything crosses into native code. Each sentence reads
 * "Expected X for `name`, received Y".
 */
import { inspect } from 'node:util'

/** Options of every call that may wait. */
export interface WaitOptions {
  /**
   * How long to wait, in milliseconds, 0 to 2,147,483,647; 0 tries once. Without it the call waits for
   * ever. When it has passed the call rejects with a {@link TimeoutError}.
   */
  timeoutMs?: number | undefined
  /** Ends the wait when it is aborted; the call then rejects with `signal.reason`. */
  signal?: AbortSignal | undefined
}

/** Options of every call that may block the thread. */
export interface SyncWaitOptions {
  /** How long to block, in milliseconds, 0 to 2,147,483,647; without it for ever. */
  timeoutMs?: number | undefined
}

/** What they are called, for {@link checkOptions}. */
export const waitKeys = ['timeoutMs', 'signal'] as const
export const syncWaitKeys = ['timeoutMs'] as const

/** The longest wait that a timer of Node takes, about 24 days. */
export const maxTimeoutMs = 2_147_483_647

function received(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 80, breakLength: Number.POSITIVE_INFINITY })
}

export function wrongType(name: string, expected: string, value: unknown): TypeError {
  return new TypeError(`Expected ${expected} for \`${name}\`, received ${received(value)}`)
}

export function outOfRange(name: string, expected: string, value: unknown): RangeError {
  return new RangeError(`Expected ${expected} for \`${name}\`, received ${received(value)}`)
}

export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw wrongType(name, `an integer from ${min} to ${max}`, value)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw outOfRange(name, `an integer from ${min} to ${max}`, value)
  }
  return value
}

export function checkString(name: string, value: unknown): string {
  if (typeof value !== 'string') throw wrongType(name, 'a string', value)
  return value
}

/**
 * A string that the kernel is given. A lone surrogate would become U+FFFD on its way, and name another object
 * than was said.
 */
export function checkText(name: string, value: unknown): string {
  const text = checkString(name, value)
  if (!text.isWellFormed()) throw outOfRange(name, 'text without lone surrogates', value)
  return text
}

/** Permission bits, which people write in octal, and forget to. */
export function checkMode(value: unknown): number {
  const expected = 'an integer from 0 to 0o777'
  if (typeof value !== 'number') throw wrongType('mode', expected, value)
  if (Number.isInteger(value) && value >= 0 && value <= 0o777) return value
  const { message } = outOfRange('mode', expected, value)
  throw new RangeError(
    Number.isSafeInteger(value) && value > 0 ? `${message} (0o${value.toString(8)})` : message,
  )
}

/** The number of a user or group; the last one of 32 bits means none to the kernel. */
export function checkId(name: string, value: unknown): number {
  return checkInteger(name, value, 0, 2 ** 32 - 2)
}

/** Whose an object is to be, as far as it is given. */
export function checkOwnership({ uid, gid, mode }: { uid?: number; gid?: number; mode?: number }): void {
  if (uid !== undefined) checkId('uid', uid)
  if (gid !== undefined) checkId('gid', gid)
  if (mode !== undefined) checkMode(mode)
}

export function checkTimeout(value: unknown, name = 'timeoutMs'): number {
  if (typeof value !== 'number') throw wrongType(name, 'a number of milliseconds', value)
  if (!(value >= 0 && value <= maxTimeoutMs)) {
    throw outOfRange(name, `a number of milliseconds from 0 to ${maxTimeoutMs}`, value)
  }
  return value
}

export function checkSignal(value: unknown): AbortSignal {
  if (!(value instanceof AbortSignal)) throw wrongType('signal', 'an AbortSignal', value)
  return value
}

export function checkBytes(name: string, value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrongType(name, 'a Uint8Array', value)
  return value
}

export function checkIterable<V>(name: string, value: Iterable<V>): Iterable<V> {
  if (typeof (value as Iterable<V> | null | undefined)?.[Symbol.iterator] !== 'function') {
    throw wrongType(name, 'an iterable such as an array', value)
  }
  return value
}

/** One of the messages of a batch of bytes. */
export function checkMessage<M>(message: M, index: number): M {
  if (typeof message !== 'object' || message === null) {
    throw wrongType(`messages[${index}]`, 'an object with data', message)
  }
  return message
}

export function checkObject(name: string, value: unknown): object {
  if (typeof value !== 'object' || value === null) throw wrongType(name, 'an object', value)
  return value
}

/** Refuses misspelled options, which would otherwise do nothing. */
export function checkKeys(name: string, value: object, known: readonly string[]): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue
    const expected = known.length === 0 ? 'no options' : `only the options ${known.join(', ')}`
    throw wrongType(name, expected, { [key]: (value as Record<string, unknown>)[key] })
  }
}

/** The same of options that may be left out. */
export function checkOptions(options: object | undefined, known: readonly string[]): void {
  if (options !== undefined) checkKeys('options', checkObject('options', options), known)
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw wrongType(name, 'true or false', value)
  return value
}
