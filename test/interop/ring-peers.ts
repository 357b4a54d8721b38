/**
 * The peers of queues in shared memory: interactive programs in three languages with one set of commands, which
 * interop/c/queue_peer.c describes.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import { fixture } from '../helpers/program.ts'
import { InteractivePeer } from './interactive-peer.ts'
import { python } from './peers.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const library = `${root}/build-interop/libipckit.so.1`

/** Builds test/fixtures/`name`.c with libipckit, once buildPeers is done; the program goes with the test file. */
export function buildFixture(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'ipckit-fixture-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const program = join(folder, name)
  const flags = ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-O2', `-I${root}/include`]
  const sources = [fixture(`${name}.c`), `${root}/build-interop/libipckit.a`]
  execFileSync('gcc', [...flags, '-o', program, ...sources, '-pthread'], { stdio: 'inherit' })
  return program
}

/** What the environment must say for the package in Python to find the library that was built for the tests. */
export const environment = { ...process.env, IPCKIT_LIBRARY: library }

export const peers = {
  Node: [process.execPath, fixture('queue-peer.mjs')],
  C: [`${root}/build-interop/queue-peer`],
  Python: [python, '-B', `${root}/interop/python/queue_peer.py`],
} as const
export type Language = keyof typeof peers
export const languages = Object.keys(peers) as Language[]
export const pairs = languages.flatMap((a) => languages.map((b) => ({ a, b })))

/** The struct that all of them know. */
export const tick = 'struct{id:i32,px:f64,sym:char[8]}'

export interface Answer {
  ok?: number
  error?: string
  id?: number
  bytes?: number
  digest?: string
  priority?: number
  deliveries?: number
  redelivered?: boolean
  count?: number
  sum?: string
  ordered?: boolean
}

/** A peer with the queue open. */
export class QueuePeer extends InteractivePeer<Answer> {
  static start(
    language: Language,
    how: 'open' | 'create' | 'join',
    name: string,
    type = 'json',
  ): Promise<QueuePeer> {
    return new QueuePeer(peers[language], [how, name, type], environment).opened()
  }
}
