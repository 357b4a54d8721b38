/** Prints messages, one a line, and never loses one: what cannot be decoded or written is shown as hex on stderr. */
import { type Format, hexLine, type Shown } from './decode.js'
import { complain, exitCodes } from './failure.js'
import { isClosedPipe, print } from './output.js'

/** A message as it came, with what its transport tells of it. */
export interface RawMessage {
  readonly data: Buffer
  readonly type?: number
  readonly priority?: number
  /** Of queues in shared memory: 1 the first time, and whether somebody had it before. */
  readonly deliveryCount?: number
  readonly redelivered?: boolean
}

export class MessagePrinter {
  readonly #format: Format
  readonly #json: boolean
  #undecodable = 0

  /** @param json - one JSON object a line, for programs. */
  constructor(format: Format, json = false) {
    this.#format = format
    this.#json = json
  }

  /** What to end with: some messages may not have been decoded. */
  get exitCode(): number {
    return this.#undecodable === 0 ? exitCodes.ok : exitCodes.partly
  }

  /** Prints a message that is still in the queue. `more` goes into its JSON. */
  async show(message: RawMessage, more: object = {}): Promise<void> {
    const { data, ...label } = message
    const facts = { ...label, bytes: data.length, ...more }
    let shown: Shown
    try {
      shown = this.#format.show(data)
    } catch (error) {
      return this.#showUndecodable(message, facts, (error as Error).message)
    }
    const { plain, json } = shown
    if (this.#json) await print(jsonLine(json, json === undefined ? { ...facts, hex: hexOf(data) } : facts))
    else await print(typeof plain === 'string' ? `${plain}\n` : plain)
  }

  /** Prints a message that has left the queue. */
  async deliver(message: RawMessage): Promise<void> {
    try {
      await this.show(message)
    } catch (error) {
      const { data, ...label } = message
      const why = isClosedPipe(error) ? 'nobody reads the output any more' : (error as Error).message
      complain(`Cannot write a message that was taken (${labelText(label)}): ${why}: ${hexLine(data)}`)
      throw new Undelivered('The message above has left the queue', { cause: error })
    }
  }

  async #showUndecodable({ data, ...label }: RawMessage, facts: object, why: string): Promise<void> {
    this.#undecodable++
    complain(
      `Cannot decode a message of ${data.length} bytes (${labelText(label)}): ${why}: ${hexLine(data)}`,
    )
    if (this.#json) await print(jsonLine(undefined, { ...facts, hex: hexOf(data), error: why }))
  }
}

/** A message that was taken is on stderr, and nowhere else. */
class Undelivered extends Error {}

/** `value` is JSON text already; parsing it would round large numbers. */
function jsonLine(value: string | undefined, facts: object): string {
  return `{"value":${value ?? 'null'},${JSON.stringify(facts).slice(1)}\n`
}

function hexOf(bytes: Buffer): string {
  return bytes.toString('hex')
}

function labelText({ type, priority }: Omit<RawMessage, 'data'>): string {
  if (priority !== undefined) return `priority ${priority}`
  return type === undefined ? 'no label' : `type ${type}`
}
