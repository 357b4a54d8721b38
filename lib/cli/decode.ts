/** The codecs by their names on the command line: from what a user wrote to a message, and back. */
import { isUtf8 } from 'node:buffer'
import { type Codec, cbor, json, msgpack, parseStruct, raw, text } from '../index.js'
import type { codecNames } from './arguments.js'
import { CommandError, exitCodes } from './failure.js'
import { compact, jsonText } from './json.js'
import { forReader, isTerminal } from './output.js'
import { toFields } from './struct-values.js'

/** A message, as it is shown. */
export interface Shown {
  /** For people and pipes; bytes are written as they are, text as a line. */
  readonly plain: string | Uint8Array
  /** The value as JSON text, on one line; undefined for bytes that are no value. */
  readonly json?: string
}

/** One way to read and write messages. */
export interface Format {
  /** Makes messages of what {@link parse} gives. Its name is the type of queues that have one. */
  readonly codec: Codec<unknown, unknown>
  /** Reads what a user wrote, on the command line, in a file or on a line of one. */
  parse(input: Buffer): unknown
  /** @throws Any error when the bytes are not a message of this codec. */
  show(message: Buffer): Shown
}

/** The options of {@link formatOf}. */
export interface FormatOptions {
  codec?: (typeof codecNames)[number]
  struct?: string
}

/** The format that `--codec` or `--struct` asks for; without either, text where it is text and hex where not. */
export function formatOf({ codec, struct }: FormatOptions): Format {
  if (struct !== undefined) {
    if (codec !== undefined) throw new CommandError('Expected --codec or --struct, not both', exitCodes.usage)
    return structFormat(struct)
  }
  switch (codec) {
    case 'raw':
      return { codec: raw() as Codec<unknown, unknown>, parse: (input) => input, show: showBytes }
    case 'text':
      return { ...textFormat, show: (message) => showText(decoded(text(), message)) }
    case 'json':
      return jsonFormat
    case 'msgpack':
      return valueFormat(msgpack(), (value) => value)
    case 'cbor':
      return valueFormat(cbor(), (value) => value)
    default:
      return textFormat
  }
}

/** Bytes as people may read and copy them, on one line. */
export function hexLine(bytes: Uint8Array): string {
  return `<hex ${Buffer.from(bytes).toString('hex')}>`
}

const textFormat: Format = {
  codec: text() as Codec<unknown, unknown>,
  parse: textOf,
  show: (message) => (isUtf8(message) ? showText(message.toString()) : { plain: hexLine(message) }),
}

/** Checked, but sent and shown as it was written: parsing and printing would round large numbers. */
const jsonFormat: Format = {
  codec: { ...(text() as Codec<unknown, unknown>), name: 'json' },
  parse(input) {
    parseJson(input)
    return textOf(input)
  },
  show(message) {
    decoded(json(), message)
    const value = compact(message.toString())
    return { plain: forReader(value), json: value }
  },
}

function structFormat(description: string): Format {
  const codec = parseStruct(description)
  return valueFormat(codec as Codec<unknown>, (value) => toFields(codec.shape, value))
}

/** Values that are written as JSON, and shown so. */
function valueFormat(codec: Codec<unknown>, prepare: (value: unknown) => unknown): Format {
  return {
    codec,
    parse: (input) => prepare(parseJson(input)),
    show(message) {
      const value = jsonText(decoded(codec, message))
      return { plain: forReader(value), json: value }
    },
  }
}

function decoded<T>(codec: Codec<T, never>, message: Buffer): T {
  return codec.decode(message, 0, message.length)
}

function showText(value: string): Shown {
  return { plain: forReader(value), json: JSON.stringify(value) }
}

function showBytes(message: Buffer): Shown {
  return { plain: isTerminal() ? hexLine(message) : message }
}

function textOf(input: Buffer): string {
  if (!isUtf8(input)) {
    throw new CommandError('Expected text in UTF-8; send other bytes with --codec raw', exitCodes.usage)
  }
  return input.toString()
}

function parseJson(input: Buffer): unknown {
  const source = textOf(input)
  try {
    return JSON.parse(source)
  } catch (error) {
    const shown = source.length > 60 ? `${source.slice(0, 60)}...` : source
    throw new CommandError(
      `Expected a JSON value, received ${JSON.stringify(shown)}: ${(error as Error).message}`,
      exitCodes.usage,
    )
  }
}
