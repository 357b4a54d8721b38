/** `ipckit send`: puts messages into a queue. */
import { type Command, Option } from 'commander'
import { type Codec, Queue, type Queue as QueueType } from '../index.js'
import {
  addressHelp,
  checkAddress,
  checkPriorities,
  integer,
  messageCount,
  messageType,
  milliseconds,
  permissions,
  withExamples,
  withFormat,
  withPriorities,
  withTrust,
} from './arguments.js'
import { type Format, type FormatOptions, formatOf } from './decode.js'
import { CommandError, complain, exitCodes } from './failure.js'
import { isFifo, untilKept } from './fifo.js'
import { messagesOf, sourceOf } from './input.js'
import { printJson } from './output.js'
import { isPosix } from './queues.js'
import { checkShmOptions, isShm, type ShmOptions, trustOf } from './shm-open.js'

interface Options extends FormatOptions, CreateOptions, ShmOptions {
  file?: string
  lines?: boolean
  priority?: number
  priorities?: boolean
  type?: number
  timeout?: number
  json?: boolean
}

interface CreateOptions {
  create?: boolean
  capacity?: number
  maxMessageBytes?: number
  maxBytes?: number
  mode?: number
}

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('<address>', addressHelp)
    .argument('[value...]', 'each is a message; - is standard input')
    .option('--file <path>', 'send what the file holds, as one message')
    .option('--lines', 'of the file or standard input, each line is a message')
  withTrust(
    withFormat(command, 'text unless given; of a shm: queue it must be the one that the queue carries'),
  ).addOption(
    new Option(
      '--priority <n>',
      'POSIX, and System V with --priorities: 0 to 32767, shm: 0 to 9 as a rule; higher ones are received first',
    )
      .argParser(integer(0, 32_767))
      .conflicts('type'),
  )
  withPriorities(command)
    .option('--type <n>', 'System V: 1 and more; 1 unless given', messageType)
    .option('--timeout <ms>', 'how long to wait for room for a message; for ever unless given', milliseconds)
    .option('--create', 'make the queue when there is none')
    .option('--capacity <n>', 'with --create, POSIX and shm: how many messages fit', messageCount)
    .option(
      '--max-message-bytes <n>',
      'with --create, POSIX, shm and FIFO: the largest message',
      messageCount,
    )
    .option('--max-bytes <n>', 'with --create, System V, shm and FIFO: how many bytes fit', messageCount)
    .option('--mode <mode>', 'with --create: who may use it, as in chmod; 600 unless given', permissions)
    .option('--json', 'say how many were sent, as a JSON object')
    .action(run)
  withExamples(
    command,
    ['Send a text, and make the queue if there is none', 'ipckit send posix:/jobs hello --create'],
    ['Send JSON with a priority', `ipckit send posix:/jobs '{"id":7}' --codec json --priority 3`],
    [
      'Send what a C program reads as a struct',
      `ipckit send sysv:0x1234 '{"id":7,"px":1.5,"sym":"ACME"}' --struct 'id:i32,px:f64,sym:char[8]' --type 5`,
    ],
    [
      'Send to a System V queue whose types are priorities',
      'ipckit send sysv:0x1234 urgent --priorities --priority 9',
    ],
    ['Send each line as it comes', 'tail -f access.log | ipckit send posix:/lines - --lines'],
    [
      'Send to a queue in shared memory, which carries JSON',
      `ipckit send shm:/jobs '{"id":7}' --codec json --create`,
    ],
    ['Send a number below zero', 'ipckit send posix:/jobs -- -5'],
  )
}

async function run(address: string, values: string[], options: Options): Promise<void> {
  checkAddress(address)
  checkShmOptions(address, options)
  checkPriorities(address, options)
  checkPriority(address, options)
  const { file, lines, priority, type, timeout, json } = options
  const format = formatOf(options)
  const source = sourceOf({ values, file, lines })
  // All arguments are read before anything is made or sent; a stream may never end.
  const messages =
    'values' in source
      ? source.values.map((value) => format.parse(value))
      : parsed(messagesOf(source.stream(), source.lines), format)
  const queue = await open(address, format.codec, options)
  const putting = { priority, type, timeoutMs: timeout } as Parameters<typeof queue.put>[1]
  let sent = 0
  try {
    for await (const message of messages) {
      await queue.put(message, putting)
      sent++
    }
    if (isFifo(address)) await untilKept(queue, timeout)
  } catch (error) {
    if (sent > 0)
      complain(sent === 1 ? '1 message was sent before this:' : `${sent} messages were sent before this:`)
    throw error
  } finally {
    await queue.close()
  }
  if (json) await printJson({ address: queue.address, sent })
}

/** Of System V the user says whether types are priorities; to guess it would mix up the queue's own types. */
function checkPriority(address: string, { priority, priorities }: Options): void {
  if (priority === undefined || priorities || !address.startsWith('sysv:')) return
  throw new CommandError(
    `Expected --priorities beside --priority: messages of ${address} have types, which are priorities only where all its users take them so; or send with --type`,
    exitCodes.usage,
  )
}

async function* parsed(inputs: AsyncIterable<Buffer>, format: Format): AsyncGenerator<unknown> {
  for await (const input of inputs) yield format.parse(input)
}

async function open(address: string, codec: Codec<unknown>, options: Options): Promise<QueueType<unknown>> {
  const wishes = wishesOf(address, options)
  const access = accessTo(address, options)
  if (!options.create) return Queue.open(address, { codec, ...access })
  // Only its id leads to a private queue.
  if (address !== 'sysv:private') return Queue.openOrCreate(address, { codec, ...access, ...wishes })
  const queue = await Queue.create(address, { codec, ...access, ...wishes })
  complain(`Made ${queue.address}`)
  return queue as QueueType<unknown>
}

function accessTo(address: string, options: Options): object {
  if (isPosix(address)) return { access: 'write' }
  if (isShm(address)) return trustOf(options)
  return options.priorities ? { priorities: true } : {}
}

/** What the options of making a queue are to each scheme; an option that is not there means nothing to it. */
const wishNames: Record<string, Record<string, string>> = {
  posix: { capacity: 'capacity', maxMessageBytes: 'maxMessageBytes', mode: 'mode' },
  sysv: { maxBytes: 'maxBytes', mode: 'mode' },
  shm: {
    capacity: 'capacity',
    maxMessageBytes: 'maxMessageBytes',
    maxBytes: 'capacityBytes',
    mode: 'mode',
  },
  fifo: { maxBytes: 'maxBytes', maxMessageBytes: 'maxMessageBytes', mode: 'mode' },
}

/** How a queue is to be made. */
function wishesOf(address: string, options: Options): object {
  const { create = false, capacity, maxMessageBytes, maxBytes, mode } = options
  const all = { capacity, maxMessageBytes, maxBytes, mode }
  const given = Object.entries(all).filter(([, value]) => value !== undefined)
  // What is no address is refused by whoever opens it.
  const names = wishNames[address.slice(0, address.indexOf(':'))] ?? {}
  const foreign = given.filter(([name]) => names[name] === undefined)
  if (foreign.length > 0 && Object.keys(names).length > 0) {
    const others = Object.keys(wishNames).filter((scheme) =>
      foreign.every(([name]) => wishNames[scheme]?.[name] !== undefined),
    )
    throw new CommandError(
      `Expected ${optionsIn(foreign)} for ${others.map((scheme) => `${scheme}:`).join(', ')} addresses only`,
      exitCodes.usage,
    )
  }
  if (given.length > 0 && !create)
    throw new CommandError(`Expected ${optionsIn(given)} with --create`, exitCodes.usage)
  return Object.fromEntries(given.map(([name, value]) => [names[name], value]))
}

/** `--capacity, --max-message-bytes` */
function optionsIn(given: readonly [string, unknown][]): string {
  const option = (name: string) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  return given.map(([name]) => option(name)).join(', ')
}
