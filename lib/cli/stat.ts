/** `ipckit stat`: everything that is known of one queue. */
import type { Command } from 'commander'
import { raw } from '../index.js'
import { list, type PosixQueueEntry, type PosixQueueStat } from '../posix/index.js'
import type { SysvQueueStat } from '../sysv/index.js'
import { addressHelp, withExamples } from './arguments.js'
import { count, print, printJson, table, visible } from './output.js'
import { userName } from './owner.js'
import { isPosix, openToRead, posixFacts, sysvFacts } from './queues.js'

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('<address>', addressHelp)
    .option('--json', 'a JSON object, for programs; what is not known is null')
    .action(run)
  withExamples(
    command,
    ['How full is it, and whose?', 'ipckit stat posix:/jobs'],
    ['Just the number of messages', 'ipckit stat sysv:0x1234 --json | jq .depth'],
  )
}

async function run(address: string, options: { json?: boolean }): Promise<void> {
  const queue = await openToRead(address, raw(), true)
  const state = queue.stat()
  await queue.close()
  const facts = isPosix(address) ? ofPosix(state as PosixQueueStat) : ofSysv(state as SysvQueueStat)
  if (options.json) return printJson(facts)
  const known = Object.entries(facts).filter(([, value]) => value !== null)
  const rows = known.map(([name, value]) => [labelOf(name), say(value)])
  await print(await table([{ head: '' }, { head: '' }], rows))
}

function ofPosix(state: PosixQueueStat) {
  const { address, uid, gid, mode, unlinked } = state
  const entry = entryOf(address) ?? { address, uid, gid, mode }
  return { ...posixFacts(entry, state), removed: unlinked }
}

/** Bytes and who is notified are only in the listing, which may not be possible here. */
function entryOf(address: string): PosixQueueEntry | undefined {
  try {
    return list().find((entry) => entry.address === address)
  } catch {
    return undefined
  }
}

function ofSysv(state: SysvQueueStat) {
  return {
    ...sysvFacts(state, state),
    id: state.id,
    key: state.key === 0 ? null : `0x${state.key.toString(16).padStart(8, '0')}`,
    creator: userName(state.creatorUid),
    creatorUid: state.creatorUid,
    creatorGid: state.creatorGid,
    lastSendTime: state.lastSendTime?.toISOString() ?? null,
    lastReceiveTime: state.lastReceiveTime?.toISOString() ?? null,
    lastChangeTime: state.lastChangeTime.toISOString(),
  }
}

/** `maxMessageBytes` as `max message bytes`. */
function labelOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

function say(value: unknown): string {
  return typeof value === 'number' ? count(value) : visible(String(value))
}
