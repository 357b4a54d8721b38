/** What `send` sends: arguments, a file, or standard input, whole or by lines. */
import { createReadStream } from 'node:fs'
import { CommandError, exitCodes } from './failure.js'

const newline = 0x0a

/** What was asked for. */
export interface Input {
  values: string[]
  file?: string | undefined
  lines?: boolean | undefined
}

/** Where the messages come from: the arguments themselves, or a stream that is read as they are sent. */
export type Source = { values: Buffer[] } | { stream: () => AsyncIterable<Buffer>; lines: boolean }

/** Finds out where the messages come from. */
export function sourceOf({ values, file, lines = false }: Input): Source {
  const fromStdin = values.includes('-') || file === '-'
  if (fromStdin || file !== undefined) {
    if (values.some((value) => value !== '-') || (values.length > 0 && file !== undefined)) {
      throw new CommandError('Expected values, --file or - alone', exitCodes.usage)
    }
    return { stream: () => (fromStdin ? process.stdin : createReadStream(file as string)), lines }
  }
  if (values.length === 0) {
    if (lines) return { stream: () => process.stdin, lines }
    throw new CommandError('Expected values to send, --file, or - for standard input', exitCodes.usage)
  }
  if (lines) throw new CommandError('Expected --lines with --file or standard input', exitCodes.usage)
  return { values: values.map((value) => Buffer.from(value)) }
}

/** The messages of a stream: all of it, or its lines, without their newlines, as they arrive. */
export async function* messagesOf(stream: AsyncIterable<Buffer>, lines: boolean): AsyncGenerator<Buffer> {
  let begun: Buffer[] = []
  for await (const chunk of stream) {
    let start = 0
    for (let end = lines ? chunk.indexOf(newline) : -1; end >= 0; end = chunk.indexOf(newline, start)) {
      yield Buffer.concat([...begun, chunk.subarray(start, end)])
      begun = []
      start = end + 1
    }
    if (start < chunk.length) begun.push(chunk.subarray(start))
  }
  // The last line may lack its newline; a whole file may be empty.
  if (begun.length > 0 || !lines) yield Buffer.concat(begun)
}
